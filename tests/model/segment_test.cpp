#include "runtime/model/segment.h"

#include <gtest/gtest.h>

#include "tests/support/synthetic_graph.h"

namespace lingua {
namespace {

TEST(StateSpec, CountsItsCapacity) {
  const StateSpec spec{0, "k", DType::kBFloat16, {16, kCapacity, 64}};
  EXPECT_EQ(spec.bytes(0), 0);
  EXPECT_EQ(spec.bytes(100), 16 * 100 * 64 * 2);
}

TEST(WeightSpec, CountsBytesOverFourBillion) {
  const WeightSpec spec{"word_embeddings.weight", DType::kFloat32, {250880, 14336}};
  EXPECT_EQ(spec.bytes(), 250880LL * 14336 * 4);
}

TEST(Segment, SumsItsWeightsAndStates) {
  Segment segment;
  segment.weights = {{"a", DType::kFloat32, {2, 3}}, {"b", DType::kInt8, {5}}};
  segment.state = {{0, "k", DType::kFloat32, {kCapacity, 2}},
                   {1, "v", DType::kFloat32, {kCapacity, 2}}};
  EXPECT_EQ(segment.weights_bytes(), 29);
  EXPECT_EQ(segment.state_bytes(10), 160);
}

TEST(ProducerOf, FindsTheSegmentOrSaysThatItIsAnInput) {
  const Segmentation chain = testing::synthetic_segmentation({.segments = 3});
  EXPECT_EQ(producer_of(chain, 0), -1);
  EXPECT_EQ(producer_of(chain, 1), 0);
  EXPECT_EQ(producer_of(chain, 3), 2);
  EXPECT_EQ(chain.model_outputs, std::vector<ValueId>{3});
}

}  // namespace
}  // namespace lingua
