#include "runtime/device/wire_tensors.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/base/random.h"

namespace lingua {
namespace {

Tensor floats(const std::vector<float>& values, std::vector<std::int64_t> shape) {
  Tensor tensor{DType::kFloat32, std::move(shape), nullptr};
  auto data = allocate_bytes(tensor.bytes());
  std::memcpy(data.get(), values.data(), static_cast<std::size_t>(tensor.bytes()));
  tensor.data = data;
  return tensor;
}

std::vector<float> values_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  std::memcpy(values.data(), tensor.data.get(), static_cast<std::size_t>(tensor.bytes()));
  return values;
}

TensorSpec hidden(double width, DType dtype = DType::kFloat32) {
  const StepFunction n({0, 1, 0, 0, 0, 0});
  return {4,    "hidden",   dtype,
          true, {n, width}, n * width * static_cast<double>(dtype_bytes(dtype))};
}

TEST(WireTensors, Bfloat16RoundsToTheNearestAndTiesToEven) {
  // By hand: 8 bits of significand, so the step is 2^-7 at 1 and 2^-6 at 2.
  const std::vector<float> in = {1.0F,
                                 1.0F + 1.0F / 256,     // a tie, down to even
                                 1.0F + 3.0F / 256,     // a tie, up to even
                                 1.0F + 1.1F / 256,     // nearer to the upper
                                 -(1.0F + 3.0F / 256),  //
                                 0.0F,
                                 3.3895314e38F,  // the largest bfloat16
                                 3.4e38F,        // nearer to the next: infinity
                                 std::numeric_limits<float>::infinity()};
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> expected = {
      1.0F, 1.0F, 1.0F + 4.0F / 256, 1.0F + 2.0F / 256, -(1.0F + 4.0F / 256), 0.0F, 3.3895314e38F,
      inf,  inf};
  const Tensor packed = pack(floats(in, {9}), WireType::kBFloat16);
  EXPECT_EQ(packed.dtype, DType::kBFloat16);
  EXPECT_EQ(packed.bytes(), 18);
  EXPECT_EQ(values_of(unpack(packed, WireType::kBFloat16, DType::kFloat32)), expected);
  const float nan = std::bit_cast<float>(0x7f800001U);  // whose upper half alone is an infinity
  EXPECT_TRUE(std::isnan(values_of(unpack(pack(floats({nan}, {1}), WireType::kBFloat16),
                                          WireType::kBFloat16, DType::kFloat32))[0]));
}

TEST(WireTensors, Int8TakesTheScaleOfEachRow) {
  const Tensor packed =
      pack(floats({127, -63.5F, 0.4F, 0.6F, 1, -2, 0, 0.5F}, {2, 4}), WireType::kInt8);
  EXPECT_EQ(packed.shape, (std::vector<std::int64_t>{2, 8}));
  const auto* bytes = reinterpret_cast<const signed char*>(packed.data.get());
  float scale = 0;
  std::memcpy(&scale, bytes, 4);
  EXPECT_EQ(scale, 1.0F);
  EXPECT_EQ(std::vector<int>(bytes + 4, bytes + 8), (std::vector<int>{127, -64, 0, 1}));
  std::memcpy(&scale, bytes + 8, 4);
  EXPECT_EQ(scale, 2.0F / 127);
  EXPECT_EQ(std::vector<int>(bytes + 12, bytes + 16), (std::vector<int>{64, -127, 0, 32}));
}

TEST(WireTensors, Int8IsOffByHalfAStepAtMostAndTheSameWhenPackedAgain) {
  Rng rng(3);
  for (const double size : {1e-3, 1.0, 1e6}) {
    std::vector<float> in(40 * 33);
    for (float& value : in) value = static_cast<float>(rng.uniform(-size, size));
    const Tensor packed = pack(floats(in, {40, 33}), WireType::kInt8);
    const std::vector<float> out = values_of(unpack(packed, WireType::kInt8, DType::kFloat32));
    for (std::size_t row = 0; row < 40; ++row) {
      double largest = 0;
      for (std::size_t i = 33 * row; i < 33 * (row + 1); ++i)
        largest = std::max(largest, std::fabs(static_cast<double>(in[i])));
      for (std::size_t i = 33 * row; i < 33 * (row + 1); ++i)
        EXPECT_NEAR(out[i], in[i], largest / 127 * 0.5 * (1 + 1e-4));
    }
  }
}

TEST(WireTensors, RowsThatHaveNoScaleStayWhatTheyAre) {
  const float inf = std::numeric_limits<float>::infinity();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> out =
      values_of(unpack(pack(floats({0, 0, 1, inf, tiny, -tiny, 3, -3}, {4, 2}), WireType::kInt8),
                       WireType::kInt8, DType::kFloat32));
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], 0);
  EXPECT_TRUE(std::isnan(out[2]) && std::isnan(out[3])) << "a row with an infinity is no numbers";
  EXPECT_EQ(out[4], 0) << "what is too small for a scale";
  EXPECT_EQ(out[6], -out[7]);
}

TEST(WireTensors, Bfloat16TravelsAsInt8AndComesBackAsBfloat16) {
  const Tensor half = pack(floats({127, -63.5F, 0.4F, 1}, {1, 4}), WireType::kBFloat16);
  const Tensor packed = pack(half, WireType::kInt8);
  EXPECT_EQ(packed.shape, (std::vector<std::int64_t>{1, 8}));
  const Tensor back = unpack(packed, WireType::kInt8, DType::kBFloat16);
  EXPECT_EQ(back.dtype, DType::kBFloat16);
  EXPECT_EQ(values_of(unpack(back, WireType::kBFloat16, DType::kFloat32)),
            (std::vector<float>{127, -64, 0, 1}));
  const TensorSpec spec = hidden(64, DType::kBFloat16);
  EXPECT_EQ(wire_spec(spec, {}, WireType::kInt8).bytes.at({3, 9}), 3 * 68.0);
  EXPECT_EQ(wire_spec(spec, {}, WireType::kBFloat16), spec);
}

TEST(WireTensors, TheSpecSaysWhatIsPacked) {
  for (const WireType wire : {WireType::kBFloat16, WireType::kInt8}) {
    const TensorSpec spec = hidden(64);
    const TensorSpec packed = wire_spec(spec, {}, wire);
    const Tensor tensor = pack(floats(std::vector<float>(3 * 64, 1), {3, 64}), wire);
    EXPECT_EQ(packed.dtype, tensor.dtype);
    EXPECT_EQ(packed.dims[1].at({}), static_cast<double>(tensor.shape[1]));
    EXPECT_EQ(packed.bytes.at({3, 9}), static_cast<double>(tensor.bytes()));
    EXPECT_EQ(wire_spec(spec, {4}, wire), spec) << "an output of the model";
    EXPECT_EQ(wire_spec(hidden(64, DType::kInt64), {}, wire), hidden(64, DType::kInt64));
  }
  EXPECT_FALSE(is_packed(hidden(8), {}, WireType::kInt8)) << "the scales would weigh half as much";
  TensorSpec mask = hidden(64);
  mask.dims[1] = StepFunction({0, 1, 1, 0, 0, 0});
  EXPECT_FALSE(is_packed(mask, {}, WireType::kInt8)) << "rows whose length changes";
  EXPECT_TRUE(is_packed(mask, {}, WireType::kBFloat16));
  EXPECT_EQ(wire_spec(hidden(64), {}, WireType::kAsComputed), hidden(64));
}

TEST(WireTensors, ShapesAloneStayShapes) {
  const Tensor shape{DType::kFloat32, {3, 64}, nullptr};
  for (const WireType wire : {WireType::kBFloat16, WireType::kInt8}) {
    const Tensor packed = pack(shape, wire);
    EXPECT_FALSE(packed.has_data());
    EXPECT_EQ(unpack(packed, wire, DType::kFloat32).shape, shape.shape);
  }
}

}  // namespace
}  // namespace lingua
