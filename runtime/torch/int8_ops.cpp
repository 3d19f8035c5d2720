#include "runtime/torch/int8_ops.h"

#include <ATen/ops/empty.h>

#include <vector>

#include "runtime/torch/linear_ops.h"
#include "runtime/torch/op_libraries.h"
#include "runtime/torch/row_tensors.h"

namespace lingua {
namespace {

void check_linear(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& bias) {
  check_int8_rows("linear_int8", rows);
  TORCH_CHECK(is_activation(x.scalar_type()), "linear_int8: x must be float32 or bfloat16, not ",
              x.scalar_type());
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == rows.size(1) - kScaleBytes, "linear_int8: x ",
              x.sizes(), " does not fit rows ", rows.sizes());
  TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == rows.size(0) &&
                                  bias.scalar_type() == x.scalar_type()),
              "linear_int8: bias must be ", x.scalar_type(), " [", rows.size(0), "]");
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
  const RowMatrix matrix{bytes_of(rows), rows.size(1), width, RowType::kInt8};
  return row_linear(x.contiguous(), matrix, rows.size(0), bias);
}

at::Tensor linear_int8_meta(const at::Tensor& x, const at::Tensor& rows,
                            const c10::optional<at::Tensor>& bias) {
  check_linear(x, rows, bias.value_or(at::Tensor()));
  return with_width(x, rows.size(0));
}

}  // namespace

void register_int8_ops() {
  static const auto libraries = [] {
    OpLibraries all(__FILE__);
    all.names.def("linear_int8(Tensor x, Tensor rows, Tensor? bias=None) -> Tensor");
    all.cpu.impl("linear_int8", linear_int8);
    all.meta.impl("linear_int8", linear_int8_meta);
    return all;
  }();
}

}  // namespace lingua
