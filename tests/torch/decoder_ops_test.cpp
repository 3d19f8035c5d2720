#include "runtime/torch/decoder_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

namespace lingua {
namespace {

using ::testing::HasSubstr;

template <class Signature>
auto operation(const char* name) {
  register_decoder_ops();
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon, bool plus_one) {
  static const auto op =
      operation<at::Tensor(const at::Tensor&, const at::Tensor&, double, bool)>("lingua::rms_norm");
  return op.call(x, weight, epsilon, plus_one);
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  static const auto op =
      operation<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&)>(
          "lingua::rotate");
  return op.call(x, cos, sin);
}

std::string refusal(const std::function<void()>& run) {
  try {
    run();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

// Largest difference in units of `unit` of the expected magnitude.
double difference(const at::Tensor& result, const at::Tensor& expected, double unit) {
  EXPECT_EQ(result.sizes(), expected.sizes());
  const at::Tensor bound = unit * expected.abs() + 1e-6;
  return ((result.to(at::kDouble) - expected).abs() / bound).max().item<double>();
}

constexpr double kRoundingFloat32 = 1e-6;
const double kRoundingBFloat16 = std::ldexp(1.0, -8);

TEST(RmsNorm, IsTheFormulaInDoublePrecisionRoundedAsSaid) {
  for (const std::int64_t size : {1, 15, 16, 37, 640}) {
    for (const bool plus_one : {false, true}) {
      for (const auto& [type, factors] : {std::pair{at::kFloat, at::kFloat},
                                          {at::kBFloat16, at::kFloat},
                                          {at::kBFloat16, at::kBFloat16}}) {
        const at::Tensor x = (at::randn({2, 3, size}) * 3).to(type);
        const at::Tensor weight = at::randn({size}).to(factors);
        const at::Tensor wide = x.to(at::kDouble);
        const at::Tensor normalised = wide / (wide.square().mean(-1, true) + 1e-3).sqrt();
        const at::Tensor expected = normalised * (weight.to(at::kDouble) + (plus_one ? 1 : 0));
        const at::Tensor result = rms_norm(x, weight, 1e-3, plus_one);
        ASSERT_EQ(result.scalar_type(), type);
        const bool wide_type = type == at::kFloat;
        EXPECT_LE(difference(result, expected,
                             wide_type ? kRoundingFloat32 : kRoundingBFloat16 * (plus_one ? 1 : 2)),
                  1.02)
            << size << " " << plus_one << " " << c10::toString(type);
      }
    }
  }
}

TEST(RmsNorm, GivesARowTheSameWhateverThreadsAndRowsStandBesideIt) {
  const at::Tensor x = at::randn({300, 256});
  const at::Tensor weight = at::randn({256});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = rms_norm(x.narrow(0, 123, 1), weight, 1e-6, true);
  at::set_num_threads(3);
  const at::Tensor all = rms_norm(x, weight, 1e-6, true);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(all[123], alone[0]));
}

TEST(RmsNorm, TakesStrides) {
  const at::Tensor x = at::randn({4, 3, 8}).transpose(0, 1);
  const at::Tensor weight = at::randn({8});
  EXPECT_TRUE(
      at::equal(rms_norm(x, weight, 1e-6, false), rms_norm(x.contiguous(), weight, 1e-6, false)));
}

TEST(RmsNorm, RefusesOperandsThatDoNotFit) {
  const at::Tensor weight = at::randn({8});
  EXPECT_THAT(refusal([&] {
                rms_norm(at::randn({2, 9}), weight, 1e-6, false);
              }),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal([&] { rms_norm(at::randn({8}, at::kDouble), weight, 1e-6, false); }),
              HasSubstr("float32 or bfloat16"));
  EXPECT_THAT(refusal([&] { rms_norm(at::randn({8}), weight.to(at::kBFloat16), 1e-6, false); }),
              HasSubstr("does not fit"));
}

TEST(Rotate, TurnsPairsByTheAngles) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = at::randn({5, 3, 14}).to(type);
    const at::Tensor angles = at::randn({5, 7});
    const at::Tensor cos = angles.cos(), sin = angles.sin();
    const at::Tensor a = x.transpose(0, 1).narrow(2, 0, 7).to(at::kDouble);
    const at::Tensor b = x.transpose(0, 1).narrow(2, 7, 7).to(at::kDouble);
    const at::Tensor expected = at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
    // As the families give it: heads before positions, not contiguous.
    const at::Tensor result = rotate(x.transpose(0, 1), cos, sin);
    ASSERT_EQ(result.scalar_type(), type);
    ASSERT_TRUE(result.is_contiguous());
    const double unit = type == at::kFloat ? kRoundingFloat32 : kRoundingBFloat16;
    EXPECT_LE(difference(result, expected, unit), 1.02);
  }
}

TEST(Rotate, RefusesTablesThatDoNotFit) {
  const at::Tensor table = at::randn({3, 4});
  EXPECT_THAT(refusal([&] {
                rotate(at::randn({2, 3, 6}), table, table);
              }),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal([&] {
                rotate(at::randn({2, 2, 8}), table, table);
              }),
              HasSubstr("does not fit"));
  const at::Tensor narrow = table.to(at::kBFloat16);
  EXPECT_THAT(refusal([&] {
                rotate(at::randn({2, 3, 8}), narrow, narrow);
              }),
              HasSubstr("float32 tables"));
}

TEST(DecoderOps, HaveShapesOnTheMetaDevice) {
  const c10::InferenceMode no_autograd;
  const auto meta = at::TensorOptions().device(at::kMeta);
  const at::Tensor x = at::empty({4, 3, 8}, meta.dtype(at::kBFloat16));
  const at::Tensor table = at::empty({3, 4}, meta);
  for (const at::Tensor& result :
       {rms_norm(x, at::empty({8}, meta), 1e-6, true), rotate(x, table, table)}) {
    EXPECT_TRUE(result.is_meta());
    EXPECT_EQ(result.sizes(), x.sizes());
    EXPECT_EQ(result.scalar_type(), at::kBFloat16);
  }
}

}  // namespace
}  // namespace lingua
