#pragma once
// Tensors as the kernels take them. Internal to torch/.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/torch/kernels/elements.h"

namespace lingua {

inline bool is_activation(at::ScalarType type) {
  return type == at::kFloat || type == at::kBFloat16;
}

// REQUIRES: is_activation(type).
inline RowType row_type(at::ScalarType type) {
  return type == at::kFloat ? RowType::kFloat32 : RowType::kBFloat16;
}

inline std::byte* bytes_of(const at::Tensor& tensor) {
  return static_cast<std::byte*>(tensor.data_ptr());
}

inline constexpr std::int64_t kScaleBytes = sizeof(float);

// That it is a matrix in int8 with a scale behind each row, as int8_ops.h says. Errors: c10::Error.
inline void check_int8_rows(const char* operation, const at::Tensor& rows) {
  TORCH_CHECK(rows.dim() == 2 && rows.scalar_type() == at::kChar && rows.is_contiguous() &&
                  rows.size(1) > kScaleBytes,
              operation, ": rows must be contiguous int8 [out, in + 4], not ", rows.scalar_type(),
              " ", rows.sizes());
}

// Calls visit(i) for 0 .. count - 1 on LibTorch's threads; what one works on has `elements` numbers.
template <class Visit>
void for_each_row(std::int64_t count, std::int64_t elements, const Visit& visit) {
  constexpr std::int64_t kGrainElements = 1 << 14;  // of one thread's work
  const std::int64_t grain =
      std::max<std::int64_t>(1, kGrainElements / std::max<std::int64_t>(1, elements));
  at::parallel_for(0, count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) visit(i);
  });
}

}  // namespace lingua
