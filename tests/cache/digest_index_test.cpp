#include "runtime/cache/digest_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "runtime/base/errors.h"
#include "tests/cache/cache_files.h"

namespace lingua {
namespace {

using ::testing::SizeIs;
using namespace lingua::testing;

const WeightSpec kWeight{"wte", DType::kInt8, {8, 12}};
const Digest kModel = digest_of("model");
const Digest kDigest = digest_of("content");

class DigestIndexTest : public ::testing::Test {
 protected:
  DigestIndex index(const Digest& model = kModel) const { return {folder_.path() / "d", model}; }
  fs::path file() const { return folder_.path() / "d" / kModel.text(); }
  void fill() const {
    DigestIndex filled = index();
    filled.set(kWeight, kDigest);
    filled.set({"wpe", DType::kInt8, {8, 12}}, digest_of("other"));
    filled.save();
  }

  TemporaryFolder folder_;
};

TEST_F(DigestIndexTest, KnowsWhatWasSavedOfThisModelAndWeight) {
  EXPECT_EQ(index().find(kWeight), std::nullopt);
  fill();
  EXPECT_EQ(index().find(kWeight), kDigest);
  EXPECT_EQ(index(digest_of("another model")).find(kWeight), std::nullopt);
  for (const WeightSpec& other :
       {WeightSpec{"wte", DType::kInt8, {12, 8}}, WeightSpec{"wte", DType::kBFloat16, {8, 12}},
        WeightSpec{"wt", DType::kInt8, {8, 12}}})
    EXPECT_EQ(index().find(other), std::nullopt);
}

TEST_F(DigestIndexTest, ADamagedFileCountsAsEmptyAndIsWrittenAnew) {
  fill();
  const std::string whole = read_file(file());
  for (const std::string& damaged :
       {whole.substr(1), whole.substr(0, whole.size() - 1), std::string("no digests"),
        whole + std::string(130, '\n'), std::string(whole.size(), '\0')}) {
    std::ofstream(file(), std::ios::binary) << damaged;
    EXPECT_EQ(index().find(kWeight), std::nullopt);
  }
  fill();
  EXPECT_EQ(read_file(file()), whole);
}

TEST_F(DigestIndexTest, KeepsFewModels) {
  for (int i = 0; i < 300; ++i) {
    DigestIndex one = index(digest_of(std::to_string(i)));
    one.set(kWeight, kDigest);
    one.save();
  }
  EXPECT_THAT(files_in(folder_.path()), SizeIs(256));
  EXPECT_EQ(index(digest_of("299")).find(kWeight), kDigest);
}

TEST_F(DigestIndexTest, AModelIsAnotherOneWhenAFileOfItHasChanged) {
  const fs::path model = folder_.path() / "model";
  fs::create_directory(model);
  const fs::path weights = model / "model.safetensors";
  std::ofstream(weights) << "1234";
  std::ofstream(model / "config.json") << "{}";
  const Digest before = state_of({model}, "bf16");
  EXPECT_EQ(state_of({model}, "bf16"), before);
  EXPECT_EQ(state_of({folder_.path() / "." / "model/"}, "bf16"), before) << "by another name";
  EXPECT_NE(state_of({model}, "fp32"), before);
  EXPECT_NE(state_of({weights}, "bf16"), before);
  std::ofstream(weights) << "12345";
  const Digest longer = state_of({model}, "bf16");
  EXPECT_NE(longer, before);
  fs::last_write_time(weights, fs::last_write_time(weights) + std::chrono::nanoseconds(1));
  EXPECT_NE(state_of({model}, "bf16"), longer);
  std::ofstream(model / "more") << "";
  fs::remove(model / "more");
  EXPECT_NE(state_of({"no such model"}, "bf16"), state_of({"no other"}, "bf16"));
}

}  // namespace
}  // namespace lingua
