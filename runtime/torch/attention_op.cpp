#include "runtime/torch/attention_op.h"

#include <ATen/ops/empty.h>

#include "runtime/torch/kernels/attention.h"
#include "runtime/torch/row_tensors.h"

namespace lingua {
namespace {

void check(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
           const at::Tensor& slopes, std::int64_t window) {
  TORCH_CHECK(is_activation(query.scalar_type()),
              "attention: query must be float32 or bfloat16, not ", query.scalar_type());
  TORCH_CHECK(
      keys.scalar_type() == query.scalar_type() && values.scalar_type() == query.scalar_type(),
      "attention: keys and values must be ", query.scalar_type(), ", not ", keys.scalar_type(),
      " and ", values.scalar_type());
  TORCH_CHECK(query.dim() == 3 && keys.dim() == 3 && keys.sizes() == values.sizes() &&
                  query.size(2) == keys.size(2) && query.size(2) >= 1 && keys.size(0) >= 1 &&
                  query.size(0) % keys.size(0) == 0 && query.size(1) <= keys.size(1),
              "attention: query ", query.sizes(), " does not fit keys ", keys.sizes(),
              " and values ", values.sizes());
  TORCH_CHECK(!slopes.defined() || (slopes.dim() == 1 && slopes.size(0) == query.size(0) &&
                                    slopes.scalar_type() == at::kFloat),
              "attention: slopes must be float32 [", query.size(0), "]");
  TORCH_CHECK(window >= 0, "attention: window must be 0 or more, not ", window);
}

at::Tensor with_rows(const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); }

RowMatrix matrix_of(const at::Tensor& x, std::int64_t head) {
  const auto bytes = static_cast<std::int64_t>(x.element_size());
  return {bytes_of(x) + head * x.stride(0) * bytes, x.stride(1) * bytes, x.size(2),
          row_type(x.scalar_type())};
}

}  // namespace

at::Tensor attention_shape(const at::Tensor& query, const at::Tensor& keys,
                           const at::Tensor& values, const c10::optional<at::Tensor>& slopes,
                           double /*scale*/, std::int64_t window) {
  check(query, keys, values, slopes.value_or(at::Tensor()), window);
  return at::empty({query.size(1), query.size(0) * query.size(2)}, query.options());
}

at::Tensor attention(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                     const c10::optional<at::Tensor>& slopes_or_none, double scale,
                     std::int64_t window) {
  at::Tensor result = attention_shape(query, keys, values, slopes_or_none, scale, window);
  const at::Tensor q = with_rows(query), k = with_rows(keys), v = with_rows(values);
  const at::Tensor slopes =
      slopes_or_none.has_value() ? slopes_or_none->contiguous() : at::Tensor();
  const std::int64_t heads = q.size(0), group = heads / k.size(0), count = q.size(1);
  const std::int64_t blocks = (count + kGoodQueries - 1) / kGoodQueries;
  const auto bytes = static_cast<std::int64_t>(q.element_size());
  const std::int64_t work =
      std::min(count, kGoodQueries) * k.size(1) * q.size(2) / 8;  // a product is cheap
  for_each_row(heads * blocks, work, [&](std::int64_t task) {
    const std::int64_t head = task / blocks, first = task % blocks * kGoodQueries;
    const AttentionHead operands{matrix_of(q, head),
                                 matrix_of(k, head / group),
                                 matrix_of(v, head / group),
                                 k.size(1),
                                 count,
                                 window,
                                 static_cast<float>(scale),
                                 slopes.defined() ? slopes.data_ptr<float>()[head] : 0.0F};
    attend(operands, first, std::min(first + kGoodQueries, count),
           bytes_of(result) + (first * heads + head) * q.size(2) * bytes,
           heads * q.size(2) * bytes);
  });
  return result;
}

}  // namespace lingua
