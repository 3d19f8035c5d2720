#include "runtime/torch/int8_ops.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/torch/linear_ops.h"
#include "runtime/torch/op_libraries.h"

namespace lingua {
namespace {

constexpr std::int64_t kScaleBytes = sizeof(float);

bool is_activation(at::ScalarType type) { return type == at::kFloat || type == at::kBFloat16; }

void check_rows(const char* operation, const at::Tensor& rows) {
  TORCH_CHECK(rows.dim() == 2 && rows.scalar_type() == at::kChar && rows.is_contiguous() &&
                  rows.size(1) > kScaleBytes,
              operation, ": rows must be contiguous int8 [out, in + 4], not ", rows.scalar_type(),
              " ", rows.sizes());
}

void check_linear(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& bias) {
  check_rows("linear_int8", rows);
  TORCH_CHECK(is_activation(x.scalar_type()), "linear_int8: x must be float32 or bfloat16, not ",
              x.scalar_type());
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == rows.size(1) - kScaleBytes, "linear_int8: x ",
              x.sizes(), " does not fit rows ", rows.sizes());
  TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == rows.size(0) &&
                                  bias.scalar_type() == x.scalar_type()),
              "linear_int8: bias must be ", x.scalar_type(), " [", rows.size(0), "]");
}

const std::byte* row_of(const at::Tensor& rows, std::int64_t row) {
  return static_cast<const std::byte*>(rows.data_ptr()) + row * rows.size(1);
}

float scale_of(const at::Tensor& rows, std::int64_t row) {
  float scale;
  std::memcpy(&scale, row_of(rows, row + 1) - kScaleBytes, sizeof scale);
  return scale;
}

at::Tensor with_width(const at::Tensor& x, std::int64_t width) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = width;
  return at::empty(shape, x.options());
}

at::Tensor linear_int8(const at::Tensor& x, const at::Tensor& rows,
                       const c10::optional<at::Tensor>& bias_or_none) {
  at::Tensor bias = bias_or_none.value_or(at::Tensor());
  check_linear(x, rows, bias);
  if (bias.defined()) bias = bias.contiguous();
  const std::int64_t width = rows.size(1) - kScaleBytes;
  if (x.numel() == 0) return with_width(x, rows.size(0));
  const RowMatrix matrix{row_of(rows, 0), rows.size(1), width, RowType::kInt8};
  return row_linear(x.contiguous(), matrix, rows.size(0), bias);
}

at::Tensor linear_int8_meta(const at::Tensor& x, const at::Tensor& rows,
                            const c10::optional<at::Tensor>& bias) {
  check_linear(x, rows, bias.value_or(at::Tensor()));
  return with_width(x, rows.size(0));
}

at::Tensor empty_embedding(const at::Tensor& rows, const at::Tensor& tokens, std::int64_t dtype) {
  check_rows("embedding_int8", rows);
  const auto type = static_cast<at::ScalarType>(dtype);
  TORCH_CHECK(dtype >= 0 && dtype < static_cast<std::int64_t>(at::ScalarType::NumOptions) &&
                  is_activation(type),
              "embedding_int8: dtype must be that of float32 or bfloat16, not ", dtype);
  TORCH_CHECK(tokens.scalar_type() == at::kLong, "embedding_int8: tokens must be int64, not ",
              tokens.scalar_type());
  std::vector<std::int64_t> shape = tokens.sizes().vec();
  shape.push_back(rows.size(1) - kScaleBytes);
  return at::empty(shape, tokens.options().dtype(type));
}

template <class Element>
void look_up(const at::Tensor& rows, const at::Tensor& tokens, at::Tensor& result) {
  const std::int64_t width = rows.size(1) - kScaleBytes;
  const auto* token = tokens.data_ptr<std::int64_t>();
  Element* out = result.data_ptr<Element>();
  for (std::int64_t i = 0; i < tokens.numel(); ++i) {
    TORCH_CHECK(token[i] >= 0 && token[i] < rows.size(0), "embedding_int8: token ", token[i],
                " is not one of ", rows.size(0));
    const float scale = scale_of(rows, token[i]);
    const auto* values = reinterpret_cast<const std::int8_t*>(row_of(rows, token[i]));
    for (std::int64_t k = 0; k < width; ++k) *out++ = scale * static_cast<float>(values[k]);
  }
}

at::Tensor embedding_int8(const at::Tensor& rows, const at::Tensor& tokens, std::int64_t dtype) {
  at::Tensor result = empty_embedding(rows, tokens, dtype);
  if (result.scalar_type() == at::kFloat) {
    look_up<float>(rows, tokens.contiguous(), result);
  } else {
    look_up<at::BFloat16>(rows, tokens.contiguous(), result);
  }
  return result;
}

}  // namespace

void register_int8_ops() {
  static const auto libraries = [] {
    OpLibraries all(__FILE__);
    all.names.def("linear_int8(Tensor x, Tensor rows, Tensor? bias=None) -> Tensor");
    all.names.def("embedding_int8(Tensor rows, Tensor tokens, int dtype) -> Tensor");
    all.cpu.impl("linear_int8", linear_int8);
    all.cpu.impl("embedding_int8", embedding_int8);
    all.meta.impl("linear_int8", linear_int8_meta);
    all.meta.impl("embedding_int8", empty_embedding);
    return all;
  }();
}

}  // namespace lingua
