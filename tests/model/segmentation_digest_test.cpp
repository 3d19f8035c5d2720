#include "runtime/model/segmentation_digest.h"

#include <gtest/gtest.h>

#include "tests/support/synthetic_graph.h"

namespace lingua {
namespace {

TEST(DigestOf, SeesCutsAndShapesAndNoDtype) {
  const Segmentation model = testing::synthetic_segmentation({.segments = 3});
  const std::string digest = digest_of(model);
  EXPECT_EQ(digest.size(), 16u);
  Segmentation same = model;
  for (Segment& segment : same.segments) {
    for (WeightSpec& weight : segment.weights) weight.dtype = DType::kBFloat16;
  }
  // As torch/ holds a matrix in int8: other name, and a scale at the end of each row.
  WeightSpec& matrix = same.segments[1].weights.at(0);
  matrix = {matrix.name + ":int8", DType::kInt8, matrix.shape};
  matrix.shape.back() += matrix.shape.size() > 1 ? 4 : 0;
  EXPECT_EQ(digest_of(same), digest);

  const auto changed = [&](const auto& change) {
    Segmentation other = model;
    change(other);
    return digest_of(other) != digest;
  };
  EXPECT_TRUE(changed([](Segmentation& m) { m.segments.pop_back(); }));
  EXPECT_TRUE(changed([](Segmentation& m) { m.segments[1].name += "x"; }));
  EXPECT_TRUE(changed([](Segmentation& m) { m.segments[1].weights[0].shape[0] += 1; }));
  EXPECT_TRUE(
      changed([](Segmentation& m) { m.segments[0].outputs.push_back(m.segments[0].outputs[0]); }));
  EXPECT_TRUE(changed([](Segmentation& m) {
    m.segments[2].state.push_back({99, "more", DType::kFloat32, {kCapacity, 7}});
  }));
}

}  // namespace
}  // namespace lingua
