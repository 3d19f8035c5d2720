#pragma once
// Matrices of weights and rows of activations, as the kernels take them.
//
// Internal to torch/; includes nothing of LibTorch. bfloat16 stands as the upper half of a float32.

#include <cstddef>
#include <cstdint>

namespace lingua {

enum class RowType { kFloat32, kBFloat16, kInt8 };

struct RowMatrix {
  const std::byte* data = nullptr;
  std::int64_t stride_bytes = 0;  // from row to row; rows need no alignment
  std::int64_t width = 0;         // elements in a row
  RowType type = RowType::kFloat32;

  const std::byte* row(std::int64_t i) const { return data + i * stride_bytes; }
};

}  // namespace lingua
