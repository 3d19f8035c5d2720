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

#include "tests/torch/refusal.h"

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

at::Tensor attention(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                     const c10::optional<at::Tensor>& slopes, double scale, std::int64_t window) {
  static const auto op =
      operation<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                           const c10::optional<at::Tensor>&, double, std::int64_t)>(
          "lingua::attention");
  return op.call(query, keys, values, slopes, scale, window);
}

template <class... Operands>
at::Tensor call(const char* name, const Operands&... operands) {
  return operation<at::Tensor(const Operands&...)>(name).call(operands...);
}

at::Tensor with_factor(const char* name, const at::Tensor& x, double factor) {
  return operation<at::Tensor(const at::Tensor&, double)>(name).call(x, factor);
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return operation<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, double)>(
             "lingua::layer_norm")
      .call(x, weight, bias, 1e-5);
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

TEST(LayerNorm, IsTheFormulaInDoublePrecisionRoundedOnce) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = (at::randn({2, 3, 37}) * 3 + 1).to(type);
    const at::Tensor weight = at::randn({37}).to(type), bias = at::randn({37}).to(type);
    const at::Tensor exact =
        at::layer_norm(x.to(at::kDouble), {37}, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5);
    const at::Tensor result = layer_norm(x, weight, bias);
    ASSERT_EQ(result.scalar_type(), type);
    // Two terms that may cancel.
    const at::Tensor error = (result.to(at::kDouble) - exact).abs();
    const double unit = type == at::kFloat ? 0 : kRoundingBFloat16;
    EXPECT_LE((error - unit * exact.abs()).max().item<double>(), 4e-6);
    EXPECT_TRUE(at::equal(layer_norm(x[1][2], weight, bias), result[1][2]));
  }
  EXPECT_THAT(refusal([] {
                layer_norm(at::randn({2, 9}), at::randn({9}), at::randn({8}));
              }),
              HasSubstr("does not fit"));
}

TEST(DecoderOps, AreTheFunctionsOfLibTorchInDoublePrecision) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = (at::randn({3, 1401}) * 4).to(type);
    const double unit = type == at::kFloat ? 2e-6 : kRoundingBFloat16;
    EXPECT_LE(difference(call("lingua::silu", x), at::silu(x.to(at::kDouble)), unit), 1.02);
    EXPECT_LE(difference(call("lingua::gelu", x), at::gelu(x.to(at::kDouble), "tanh"), unit), 1.02);
  }
  const at::Tensor x = at::randn({3, 1401}) * 50;
  const at::Tensor wide = x.to(at::kDouble);
  EXPECT_LE(difference(with_factor("lingua::cos", x, 1.5), wide.cos() * 1.5, 1e-6), 1);
  EXPECT_LE(difference(with_factor("lingua::sin", x, 1), wide.sin(), 1e-6), 1);
  EXPECT_LE(
      (with_factor("lingua::soft_cap", x, 30) - (wide / 30).tanh() * 30).abs().max().item<double>(),
      3e-5);
  const at::Tensor tokens = at::tensor({0, 700, 1400}, at::kLong);
  const at::Tensor exact = at::log_softmax(wide, -1).gather(1, tokens.unsqueeze(1)).squeeze(1);
  EXPECT_LE((call("lingua::log_likelihood", x, tokens) - exact).abs().max().item<double>(), 1e-4);
  EXPECT_THAT(refusal([&] { call("lingua::log_likelihood", x, tokens + 1); }),
              HasSubstr("token 1401 is not one of 1401"));
  EXPECT_THAT(refusal([&] { call("lingua::silu", wide); }), HasSubstr("float32 or bfloat16"));
  EXPECT_THAT(refusal([&] { with_factor("lingua::cos", wide, 1); }), HasSubstr("float32"));
}

TEST(Attention, IsThatOfDoublePrecisionForEveryHeadThatSharesKeys) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t window : {0, 5}) {
      const at::Tensor query = at::randn({23, 4, 32}).to(type).transpose(0, 1);
      const at::Tensor keys = at::randn({2, 50, 32}).to(type).narrow(1, 0, 40);
      const at::Tensor values = at::randn({2, 50, 32}).to(type).narrow(1, 0, 40);
      const at::Tensor slopes = at::rand({4});
      const auto shared = [](const at::Tensor& x) {
        return x.repeat_interleave(2, 0).to(at::kDouble);
      };
      at::Tensor scores = at::matmul(query.to(at::kDouble), shared(keys).transpose(1, 2)) * 0.2;
      scores = scores + slopes.to(at::kDouble).view({4, 1, 1}) * at::arange(40);
      const at::Tensor apart = at::arange(17, 40).unsqueeze(1) - at::arange(40);
      at::Tensor hidden = apart < 0;
      if (window > 0) hidden = hidden.logical_or(apart >= window);
      const at::Tensor weights = at::softmax(scores.masked_fill(hidden, -1e300), -1);
      const at::Tensor exact =
          at::matmul(weights, shared(values)).transpose(0, 1).reshape({23, 128});
      const at::Tensor result = attention(query, keys, values, slopes, 0.2, window);
      ASSERT_EQ(result.scalar_type(), type);
      const double unit = type == at::kFloat ? 1e-5 : kRoundingBFloat16;
      EXPECT_LE(((result.to(at::kDouble) - exact).abs() - unit * exact.abs()).max().item<double>(),
                1e-5);
    }
  }
}

TEST(Attention, RefusesOperandsThatDoNotFit) {
  const at::Tensor query = at::randn({4, 3, 8}), keys = at::randn({2, 5, 8});
  const auto refused = [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const c10::optional<at::Tensor>& slopes, std::int64_t window) {
    return refusal([&] { attention(q, k, v, slopes, 1, window); });
  };
  EXPECT_THAT(refused(at::randn({3, 3, 8}), keys, keys, {}, 0), HasSubstr("does not fit"));
  EXPECT_THAT(refused(at::randn({4, 6, 8}), keys, keys, {}, 0), HasSubstr("does not fit"));
  EXPECT_THAT(refused(query, keys, at::randn({2, 4, 8}), {}, 0), HasSubstr("does not fit"));
  EXPECT_THAT(refused(query, keys.to(at::kBFloat16), keys, {}, 0), HasSubstr("must be Float"));
  EXPECT_THAT(refused(query, keys, keys, at::rand({2}), 0), HasSubstr("slopes"));
  EXPECT_THAT(refused(query, keys, keys, {}, -1), HasSubstr("window"));
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
