#include "runtime/engine/sampler.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

Tensor float32(std::vector<std::int64_t> shape, const std::vector<float>& values) {
  Tensor tensor = make_bytes_tensor(values.data(), static_cast<std::int64_t>(values.size() * 4));
  tensor.dtype = DType::kFloat32;
  tensor.shape = std::move(shape);
  return tensor;
}

TEST(GreedyToken, TakesTheLargestOfTheLastRow) {
  EXPECT_EQ(greedy_token(float32({2, 3}, {9, 1, 1, 0, 1, 2})), 2);
}

TEST(GreedyToken, TakesTheLowestIndexAmongEquals) {
  EXPECT_EQ(greedy_token(float32({4}, {-3, -1, -1, -2})), 1);
}

TEST(GreedyToken, ReadsBfloat16) {
  std::vector<std::uint16_t> values;
  for (float value : {-8.0F, 0.5F, 0.25F}) {
    values.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
  }
  Tensor tensor = make_bytes_tensor(values.data(), 6);
  tensor.dtype = DType::kBFloat16;
  tensor.shape = {1, 3};
  EXPECT_EQ(greedy_token(tensor), 1);
}

TEST(GreedyToken, PassesOverWhatIsNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(greedy_token(float32({3}, {nan, 1, 2})), 2);
  EXPECT_THROW(greedy_token(float32({2}, {nan, nan})), WorldError);
}

TEST(GreedyToken, HasNoTokenForAShapeWithoutData) {
  EXPECT_EQ(greedy_token({DType::kFloat32, {1, 5}, nullptr}), kNoToken);
}

TEST(GreedyToken, RefusesIntegersAndNothing) {
  EXPECT_THROW(greedy_token(make_int64_tensor({1, 2})), WorldError);
  EXPECT_THROW(greedy_token(float32({0}, {})), WorldError);
}

}  // namespace
}  // namespace lingua
