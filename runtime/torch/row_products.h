#pragma once
// Dot products of the rows of a matrix with few vectors: what decoding spends its time on.
//
// Internal to torch/; includes nothing of LibTorch.
// Precision: the vectors are float32 and so are the sums; weights are widened, which is exact.
// Threads: none of its own; different ranges of rows may be computed at once.
// Determinism: a product depends on the two vectors and the machine's vector width, and not on the
// range of rows, the other vectors, or anything that runs beside.

#include <cstddef>
#include <cstdint>

namespace lingua {

enum class RowType { kFloat32, kBFloat16, kInt8 };

struct RowMatrix {
  const std::byte* data = nullptr;
  std::int64_t stride_bytes = 0;  // from row to row; rows need no alignment
  std::int64_t width = 0;         // elements in a row
  RowType type = RowType::kFloat32;
};

// products[v * (end - begin) + r - begin] = row r times vector v, for the rows begin .. end - 1.
// Vector v begins at vectors + v * matrix.width. Each row is read from memory once.
void row_products(const RowMatrix& matrix, std::int64_t begin, std::int64_t end,
                  const float* vectors, std::int64_t count, float* products);

}  // namespace lingua
