#include "runtime/cache/kept_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/cache/cache_files.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace lingua::testing;

const WeightSpec kInt8{"wte:int8", DType::kInt8, {10, 30}};
const WeightSpec kPlain{"norm", DType::kFloat32, {25}};

// Counts how often it is read.
class CountingSource : public ToySource {
 public:
  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    ++reads;
    ToySource::read(weight, offset, bytes, out);
  }
  int reads = 0;
};

class KeptSourceTest : public ::testing::Test {
 protected:
  std::unique_ptr<KeptSource> open(std::int64_t most = 1000, const std::string& model = "model") {
    const Digest state = digest_of(model);
    return std::make_unique<KeptSource>(source_, state, ContentFolder({root_, "own", most}),
                                        DigestIndex(folder_.path() / "digests", state),
                                        [this](const std::string& line) { said_.push_back(line); });
  }
  static std::string read(ModelSource& source, const WeightSpec& weight, std::int64_t piece = 64) {
    std::string all(static_cast<std::size_t>(weight.bytes()), ' ');
    for (std::int64_t at = 0; at < weight.bytes(); at += piece) {
      source.read(weight, at, std::min(piece, weight.bytes() - at),
                  reinterpret_cast<std::byte*>(all.data() + at));
    }
    return all;
  }
  // How often the source below is asked for a weight that comes out as it should.
  int reads_of(ModelSource& source, const WeightSpec& weight) {
    source_.reads = 0;
    const std::string got = read(source, weight);
    const int reads = source_.reads;
    ToySource plain;
    EXPECT_EQ(got, read(plain, weight));
    return reads;
  }

  std::vector<std::string> said_;
  TemporaryFolder folder_;
  const fs::path root_ = folder_.path() / "weights";
  CountingSource source_;
};

TEST_F(KeptSourceTest, ReadsAWeightInInt8OfTheSourceOnceAndOthersAlways) {
  EXPECT_EQ(reads_of(*open(), kInt8), 5);
  EXPECT_EQ(reads_of(*open(), kInt8), 0);
  EXPECT_EQ(reads_of(*open(), kPlain), 2);
  EXPECT_EQ(reads_of(*open(), kPlain), 2);
  EXPECT_EQ(reads_of(*open(1000, "another model"), kInt8), 5);
}

TEST_F(KeptSourceTest, ADamagedFileIsReadOfTheSourceAndKeptAnew) {
  read(*open(), kInt8);
  for (const fs::path& file : files_in(root_)) spoil(file);
  EXPECT_EQ(reads_of(*open(), kInt8), 5);
  EXPECT_EQ(reads_of(*open(), kInt8), 0);
  for (const fs::path& file : files_in(root_)) fs::resize_file(file, 20);
  EXPECT_EQ(reads_of(*open(), kInt8), 5);
  EXPECT_EQ(reads_of(*open(), kInt8), 0);
}

TEST_F(KeptSourceTest, WhatIsReadInPartOrOutOfOrderIsNotKept) {
  const auto source = open();
  std::byte out[64];
  source->read(kInt8, 0, 64, out);
  source->read(kInt8, 128, 64, out);
  EXPECT_EQ(source->digest(kInt8), std::nullopt);
  EXPECT_EQ(reads_of(*open(), kInt8), 5);
}

TEST_F(KeptSourceTest, TwoReadersOfATiedWeightGetTheWhole) {
  for (int run = 0; run < 2; ++run) {
    const auto source = open();
    std::string first(300, ' ');
    std::string second(300, ' ');
    for (std::int64_t at = 0; at < 300; at += 50) {
      source->read(kInt8, at, 50, reinterpret_cast<std::byte*>(first.data() + at));
      const std::int64_t behind = at / 2 / 25 * 25;
      source->read(kInt8, behind, 25, reinterpret_cast<std::byte*>(second.data() + behind));
    }
    for (std::int64_t at = 0; at < 300; at += 25)
      source->read(kInt8, at, 25, reinterpret_cast<std::byte*>(second.data() + at));
    ToySource plain;
    EXPECT_EQ(first, read(plain, kInt8));
    EXPECT_EQ(second, first);
    EXPECT_EQ(source->digest(kInt8), digest_of(first));
  }
}

TEST_F(KeptSourceTest, LearnsDigestsWhileItIsRead) {
  std::string content;
  {
    const auto source = open();
    EXPECT_EQ(source->digest(kPlain), std::nullopt);
    content = read(*source, kPlain);
    EXPECT_EQ(source->digest(kPlain), digest_of(content));
  }
  EXPECT_EQ(open()->digest(kPlain), digest_of(content));
  EXPECT_EQ(open(1000, "another model")->digest(kPlain), std::nullopt);
}

TEST_F(KeptSourceTest, AWrongDigestIsPutRight) {
  DigestIndex wrong(folder_.path() / "digests", digest_of("model"));
  wrong.set(kPlain, digest_of("something else"));
  wrong.save();
  const std::string content = read(*open(), kPlain);
  EXPECT_EQ(open()->digest(kPlain), digest_of(content));
}

TEST_F(KeptSourceTest, WithoutAnIndexThereAreNoDigests) {
  KeptSource source(source_, digest_of("model"), ContentFolder({root_, "own", 1000}), std::nullopt);
  read(source, kInt8);
  EXPECT_EQ(source.digest(kInt8), std::nullopt);
  EXPECT_EQ(reads_of(*open(), kInt8), 0);
}

TEST_F(KeptSourceTest, WhatDoesNotFitIsNotKept) {
  EXPECT_EQ(reads_of(*open(100), kInt8), 5);
  EXPECT_THAT(files_in(root_), IsEmpty());
}

TEST_F(KeptSourceTest, WhereNothingCanBeWrittenItSaysSoOnce) {
  {
    const auto source = open();
    fs::remove_all(root_);
    std::ofstream(folder_.path() / "digests") << "a file";
    EXPECT_EQ(reads_of(*source, kInt8), 5);
    EXPECT_EQ(reads_of(*source, {"wpe:int8", DType::kInt8, {10, 30}}), 5);
  }
  EXPECT_THAT(said_, ElementsAre(::testing::StartsWith("not all is kept for the next run: ")));
}

}  // namespace
}  // namespace lingua
