#include "runtime/cache/digested_source.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using testing::ToySource;

class CountingSource : public ToySource {
 public:
  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    read_bytes += bytes;
    ToySource::read(weight, offset, bytes, out);
  }
  std::optional<Digest> digest(const WeightSpec&) override { return std::nullopt; }
  std::int64_t read_bytes = 0;
};

const WeightSpec kSmall{"norm", DType::kFloat32, {25}};
const WeightSpec kWholePieces{"head", DType::kInt64, {2, 128 << 10}};  // 2 MiB
const WeightSpec kRest{"embedding", DType::kInt16, {3, (256 << 10) + 1}};

TEST(DigestedSource, HasTheDigestOfAllBytesOfAWeight) {
  CountingSource below;
  DigestedSource source(below);
  ToySource plain;
  for (const WeightSpec& weight : {kSmall, kWholePieces, kRest})
    EXPECT_EQ(source.digest(weight), plain.digest(weight)) << weight.name;
}

TEST(DigestedSource, ReadsAWeightOnceHoweverOftenItIsAsked) {
  CountingSource below;
  DigestedSource source(below);
  for (int i = 0; i < 3; ++i) source.digest(kRest);
  EXPECT_EQ(below.read_bytes, kRest.bytes());
}

TEST(DigestedSource, GivesContentsAndProgramsAsTheyAre) {
  CountingSource below;
  DigestedSource source(below);
  ToySource plain;
  std::string got(50, ' ');
  std::string wanted(50, ' ');
  source.read(kSmall, 40, 50, reinterpret_cast<std::byte*>(got.data()));
  plain.read(kSmall, 40, 50, reinterpret_cast<std::byte*>(wanted.data()));
  EXPECT_EQ(got, wanted);
  Segment segment;
  segment.name = "body";
  EXPECT_EQ(source.program(segment), plain.program(segment));
  EXPECT_TRUE(source.has_data());
}

}  // namespace
}  // namespace lingua
