#include "runtime/torch/decoder_ops.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstring>
#include <string>

#include "runtime/torch/attention_op.h"
#include "runtime/torch/kernels/rows.h"
#include "runtime/torch/op_libraries.h"
#include "runtime/torch/row_tensors.h"

namespace lingua {
namespace {

void check_activation(const char* operation, const at::Tensor& x) {
  TORCH_CHECK(is_activation(x.scalar_type()), operation, ": x must be float32 or bfloat16, not ",
              x.scalar_type());
}

at::Tensor like(const at::Tensor& x) { return at::empty(x.sizes(), x.options()); }

// Bytes of the rows of a contiguous x, `size` numbers each.
std::int64_t row_bytes(const at::Tensor& x, std::int64_t size) {
  return size * static_cast<std::int64_t>(x.element_size());
}

void check_norm(const char* operation, const at::Tensor& x, const at::Tensor& weight,
                bool wide_weight) {
  check_activation(operation, x);
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) >= 1 && weight.dim() == 1 &&
                  weight.size(0) == x.size(-1) &&
                  (weight.scalar_type() == x.scalar_type() ||
                   (wide_weight && weight.scalar_type() == at::kFloat)),
              operation, ": x ", x.scalar_type(), " ", x.sizes(), " does not fit weight or bias ",
              weight.scalar_type(), " ", weight.sizes());
}

template <class Kernel>
at::Tensor norm_rows(const at::Tensor& given, const Norm& norm, const Kernel& kernel) {
  const at::Tensor x = given.contiguous();
  const at::Tensor result = like(x);
  const std::int64_t size = x.size(-1), bytes = row_bytes(x, size);
  for_each_row(x.numel() / size, size, [&](std::int64_t row) {
    kernel(norm, bytes_of(x) + row * bytes, size, bytes_of(result) + row * bytes);
  });
  return result;
}

at::Tensor rms_norm_meta(const at::Tensor& x, const at::Tensor& weight, double /*epsilon*/,
                         bool /*plus_one*/) {
  check_norm("rms_norm", x, weight, true);
  return like(x);
}

at::Tensor rms_norm_cpu(const at::Tensor& x, const at::Tensor& weight, double epsilon,
                        bool plus_one) {
  check_norm("rms_norm", x, weight, true);
  const at::Tensor factors = weight.contiguous();
  return norm_rows(x,
                   {row_type(x.scalar_type()), row_type(weight.scalar_type()), bytes_of(factors),
                    nullptr, static_cast<float>(epsilon), plus_one},
                   rms_norm);
}

at::Tensor layer_norm_meta(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           double /*epsilon*/) {
  check_norm("layer_norm", x, weight, false);
  check_norm("layer_norm", x, bias, false);
  return like(x);
}

at::Tensor layer_norm_cpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          double epsilon) {
  check_norm("layer_norm", x, weight, false);
  check_norm("layer_norm", x, bias, false);
  const at::Tensor factors = weight.contiguous(), added = bias.contiguous();
  const RowType type = row_type(x.scalar_type());
  return norm_rows(
      x, {type, type, bytes_of(factors), bytes_of(added), static_cast<float>(epsilon), false},
      layer_norm);
}

at::Tensor rotate_meta(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  check_activation("rotate", x);
  TORCH_CHECK(x.dim() == 3 && cos.dim() == 2 && x.size(2) == 2 * cos.size(1) &&
                  x.size(1) == cos.size(0) && cos.sizes() == sin.sizes() &&
                  cos.scalar_type() == at::kFloat && sin.scalar_type() == at::kFloat,
              "rotate: x ", x.sizes(), " does not fit float32 tables [",
              x.dim() > 1 ? x.size(1) : 0, ", ", x.dim() > 2 ? x.size(2) / 2 : 0, "], given ",
              cos.scalar_type(), " ", cos.sizes(), " and ", sin.scalar_type(), " ", sin.sizes());
  return like(x);
}

at::Tensor rotate_cpu(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor result = rotate_meta(x, cos, sin);
  const at::Tensor from = x.stride(2) == 1 ? x : x.contiguous();
  const at::Tensor cosines = cos.contiguous(), sines = sin.contiguous();
  const std::int64_t places = x.size(1), half = cos.size(1);
  for_each_row(x.size(0) * places, 2 * half, [&](std::int64_t row) {
    const std::int64_t head = row / places, place = row % places;
    rotate(row_type(x.scalar_type()),
           bytes_of(from) + row_bytes(x, head * from.stride(0) + place * from.stride(1)),
           cosines.data_ptr<float>() + place * half, sines.data_ptr<float>() + place * half, half,
           bytes_of(result) + row_bytes(x, 2 * half) * row);
  });
  return result;
}

// Element by element, in pieces for threads.
template <class Kernel>
at::Tensor by_pieces(const at::Tensor& given, const Kernel& kernel) {
  constexpr std::int64_t kPiece = 1 << 12;
  const at::Tensor x = given.contiguous();
  const at::Tensor result = like(x);
  for_each_row((x.numel() + kPiece - 1) / kPiece, kPiece, [&](std::int64_t piece) {
    const std::int64_t at = row_bytes(x, piece * kPiece);
    kernel(bytes_of(x) + at, std::min(kPiece, x.numel() - piece * kPiece), bytes_of(result) + at);
  });
  return result;
}

template <Activation kActivation>
at::Tensor activate_meta(const at::Tensor& x) {
  check_activation(kActivation == Activation::kSilu ? "silu" : "gelu", x);
  return like(x);
}

template <Activation kActivation>
at::Tensor activate_cpu(const at::Tensor& x) {
  check_activation(kActivation == Activation::kSilu ? "silu" : "gelu", x);
  return by_pieces(x, [&](const std::byte* from, std::int64_t size, std::byte* to) {
    activate(kActivation, row_type(x.scalar_type()), from, size, to);
  });
}

void check_float32(const char* operation, const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kFloat, operation, ": the operand must be float32, not ",
              x.scalar_type());
}

template <Wave kWave>
at::Tensor wave_meta(const at::Tensor& angles, double /*factor*/) {
  check_float32(kWave == Wave::kSine ? "sin" : "cos", angles);
  return like(angles);
}

template <Wave kWave>
at::Tensor wave_cpu(const at::Tensor& angles, double factor) {
  check_float32(kWave == Wave::kSine ? "sin" : "cos", angles);
  return by_pieces(angles, [&](const std::byte* from, std::int64_t size, std::byte* to) {
    wave(kWave, reinterpret_cast<const float*>(from), size, static_cast<float>(factor),
         reinterpret_cast<float*>(to));
  });
}

at::Tensor soft_cap_meta(const at::Tensor& x, double cap) {
  check_float32("soft_cap", x);
  TORCH_CHECK(cap > 0, "soft_cap: cap must be above 0, not ", cap);
  return like(x);
}

at::Tensor soft_cap_cpu(const at::Tensor& x, double cap) {
  soft_cap_meta(x, cap);
  return by_pieces(x, [&](const std::byte* from, std::int64_t size, std::byte* to) {
    soft_cap(reinterpret_cast<const float*>(from), size, static_cast<float>(cap),
             reinterpret_cast<float*>(to));
  });
}

at::Tensor log_likelihood_meta(const at::Tensor& logits, const at::Tensor& tokens) {
  check_float32("log_likelihood", logits);
  TORCH_CHECK(logits.dim() == 2 && logits.size(1) >= 1 && tokens.dim() == 1 &&
                  tokens.size(0) == logits.size(0) && tokens.scalar_type() == at::kLong,
              "log_likelihood: logits ", logits.sizes(), " do not fit tokens ",
              tokens.scalar_type(), " ", tokens.sizes());
  return at::empty({logits.size(0)}, logits.options());
}

at::Tensor log_likelihood_cpu(const at::Tensor& logits, const at::Tensor& tokens) {
  const at::Tensor result = log_likelihood_meta(logits, tokens);
  const at::Tensor from = logits.contiguous(), chosen = tokens.contiguous();
  const std::int64_t size = logits.size(1);
  for (std::int64_t row = 0; row < logits.size(0); ++row) {
    const std::int64_t token = chosen.data_ptr<std::int64_t>()[row];
    TORCH_CHECK(token >= 0 && token < size, "log_likelihood: token ", token, " is not one of ",
                size);
  }
  for_each_row(logits.size(0), size, [&](std::int64_t row) {
    result.data_ptr<float>()[row] = log_likelihood(from.data_ptr<float>() + row * size, size,
                                                   chosen.data_ptr<std::int64_t>()[row]);
  });
  return result;
}

}  // namespace

void register_decoder_ops() {
  static const auto libraries = [] {
    OpLibraries all(__FILE__);
    const auto add = [&all](const char* schema, auto* cpu, auto* meta) {
      all.names.def(schema);
      const std::string name(schema, std::strchr(schema, '('));
      all.cpu.impl(name.c_str(), cpu);
      all.meta.impl(name.c_str(), meta);
    };
    add("rms_norm(Tensor x, Tensor weight, float epsilon, bool plus_one) -> Tensor", rms_norm_cpu,
        rms_norm_meta);
    add("layer_norm(Tensor x, Tensor weight, Tensor bias, float epsilon) -> Tensor", layer_norm_cpu,
        layer_norm_meta);
    add("rotate(Tensor x, Tensor cos, Tensor sin) -> Tensor", rotate_cpu, rotate_meta);
    add("silu(Tensor x) -> Tensor", activate_cpu<Activation::kSilu>,
        activate_meta<Activation::kSilu>);
    add("gelu(Tensor x) -> Tensor", activate_cpu<Activation::kGelu>,
        activate_meta<Activation::kGelu>);
    add("cos(Tensor angles, float factor) -> Tensor", wave_cpu<Wave::kCosine>,
        wave_meta<Wave::kCosine>);
    add("sin(Tensor angles, float factor) -> Tensor", wave_cpu<Wave::kSine>,
        wave_meta<Wave::kSine>);
    add("soft_cap(Tensor x, float cap) -> Tensor", soft_cap_cpu, soft_cap_meta);
    add("log_likelihood(Tensor logits, Tensor tokens) -> Tensor", log_likelihood_cpu,
        log_likelihood_meta);
    add("attention(Tensor query, Tensor keys, Tensor values, Tensor? slopes, float scale, "
        "int window) -> Tensor",
        attention, attention_shape);
    return all;
  }();
}

}  // namespace lingua
