#include "runtime/torch/decoder_ops.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/torch/op_libraries.h"

namespace lingua {
namespace {

constexpr std::int64_t kGrainElements = 1 << 14;  // of one thread's work

bool is_activation(at::ScalarType type) { return type == at::kFloat || type == at::kBFloat16; }

void check_norm(const at::Tensor& x, const at::Tensor& weight) {
  TORCH_CHECK(is_activation(x.scalar_type()), "rms_norm: x must be float32 or bfloat16, not ",
              x.scalar_type());
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) >= 1 && weight.dim() == 1 &&
                  weight.size(0) == x.size(-1) &&
                  (weight.scalar_type() == at::kFloat || weight.scalar_type() == x.scalar_type()),
              "rms_norm: x ", x.scalar_type(), " ", x.sizes(), " does not fit weight ",
              weight.scalar_type(), " ", weight.sizes());
}

// The sum of squares, in as many running sums as the compiler keeps in registers.
template <class Element>
float sum_of_squares(const Element* row, std::int64_t size) {
  constexpr std::int64_t kLanes = 16;
  std::array<float, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<float>(row[i + lane]);
      sums[lane] += value * value;
    }
  }
  for (; i < size; ++i) sums[0] += static_cast<float>(row[i]) * static_cast<float>(row[i]);
  float total = 0;
  for (float sum : sums) total += sum;
  return total;
}

template <class Element, class Weight>
void norm_row(const Element* row, const Weight* weight, std::int64_t size, double epsilon,
              bool plus_one, Element* out) {
  const float mean = sum_of_squares(row, size) / static_cast<float>(size);
  const float scale = 1.0F / std::sqrt(mean + static_cast<float>(epsilon));
  if (plus_one) {
    for (std::int64_t i = 0; i < size; ++i) {
      out[i] = static_cast<float>(row[i]) * scale * (1.0F + static_cast<float>(weight[i]));
    }
  } else {
    for (std::int64_t i = 0; i < size; ++i) {
      const Element normalised = static_cast<float>(row[i]) * scale;
      out[i] = static_cast<float>(normalised) * static_cast<float>(weight[i]);
    }
  }
}

template <class Element, class Weight>
void norm_rows(const at::Tensor& x, const at::Tensor& weight, double epsilon, bool plus_one,
               at::Tensor& result) {
  const std::int64_t size = x.size(-1);
  const auto* from = x.data_ptr<Element>();
  const auto* factor = weight.data_ptr<Weight>();
  auto* to = result.data_ptr<Element>();
  at::parallel_for(0, x.numel() / size, std::max<std::int64_t>(1, kGrainElements / size),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t r = begin; r < end; ++r) {
                       norm_row(from + r * size, factor, size, epsilon, plus_one, to + r * size);
                     }
                   });
}

at::Tensor rms_norm_meta(const at::Tensor& x, const at::Tensor& weight, double /*epsilon*/,
                         bool /*plus_one*/) {
  check_norm(x, weight);
  return at::empty(x.sizes(), x.options());
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon, bool plus_one) {
  at::Tensor result = rms_norm_meta(x, weight, epsilon, plus_one);
  if (x.scalar_type() == at::kFloat) {
    norm_rows<float, float>(x.contiguous(), weight.contiguous(), epsilon, plus_one, result);
  } else if (weight.scalar_type() == at::kFloat) {
    norm_rows<at::BFloat16, float>(x.contiguous(), weight.contiguous(), epsilon, plus_one, result);
  } else {
    norm_rows<at::BFloat16, at::BFloat16>(x.contiguous(), weight.contiguous(), epsilon, plus_one,
                                          result);
  }
  return result;
}

at::Tensor rotate_meta(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  TORCH_CHECK(is_activation(x.scalar_type()), "rotate: x must be float32 or bfloat16, not ",
              x.scalar_type());
  TORCH_CHECK(x.dim() == 3 && cos.dim() == 2 && x.size(2) == 2 * cos.size(1) &&
                  x.size(1) == cos.size(0) && cos.sizes() == sin.sizes() &&
                  cos.scalar_type() == at::kFloat && sin.scalar_type() == at::kFloat,
              "rotate: x ", x.sizes(), " does not fit float32 tables [",
              x.dim() > 1 ? x.size(1) : 0, ", ", x.dim() > 2 ? x.size(2) / 2 : 0, "], given ",
              cos.scalar_type(), " ", cos.sizes(), " and ", sin.scalar_type(), " ", sin.sizes());
  return at::empty(x.sizes(), x.options());
}

template <class Element>
void rotate_rows(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
                 at::Tensor& result) {
  const std::int64_t places = x.size(1);
  const std::int64_t half = cos.size(1);
  const auto* from = x.data_ptr<Element>();
  const float* cosines = cos.data_ptr<float>();
  const float* sines = sin.data_ptr<float>();
  auto* to = result.data_ptr<Element>();
  at::parallel_for(0, x.size(0) * places,
                   std::max<std::int64_t>(1, kGrainElements / std::max<std::int64_t>(1, half)),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t r = begin; r < end; ++r) {
                       const Element* row =
                           from + (r / places) * x.stride(0) + (r % places) * x.stride(1);
                       const float* c = cosines + (r % places) * half;
                       const float* s = sines + (r % places) * half;
                       Element* out = to + 2 * r * half;
                       for (std::int64_t i = 0; i < half; ++i) {
                         const auto a = static_cast<float>(row[i]);
                         const auto b = static_cast<float>(row[i + half]);
                         out[i] = a * c[i] - b * s[i];
                         out[i + half] = b * c[i] + a * s[i];
                       }
                     }
                   });
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  at::Tensor result = rotate_meta(x, cos, sin);
  const at::Tensor rows = x.stride(2) == 1 ? x : x.contiguous();
  if (x.scalar_type() == at::kFloat) {
    rotate_rows<float>(rows, cos.contiguous(), sin.contiguous(), result);
  } else {
    rotate_rows<at::BFloat16>(rows, cos.contiguous(), sin.contiguous(), result);
  }
  return result;
}

}  // namespace

void register_decoder_ops() {
  static const auto libraries = [] {
    OpLibraries all(__FILE__);
    all.names.def("rms_norm(Tensor x, Tensor weight, float epsilon, bool plus_one) -> Tensor");
    all.names.def("rotate(Tensor x, Tensor cos, Tensor sin) -> Tensor");
    all.cpu.impl("rms_norm", rms_norm);
    all.cpu.impl("rotate", rotate);
    all.meta.impl("rms_norm", rms_norm_meta);
    all.meta.impl("rotate", rotate_meta);
    return all;
  }();
}

}  // namespace lingua
