#pragma once
// A tensor as it crosses the seam between the control plane and a world.
//
// Shapes: concrete and contiguous (row-major). A plain number is a tensor of dtype int64 or float64
// without dimensions. In the simulated world tensors have shapes and no data.
// Ownership: the data is shared and never changed after the tensor was made; copies are cheap.
// Threads: reading from several threads is safe.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/model/graph.h"

namespace lingua {

struct Tensor {
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::shared_ptr<const std::byte> data;  // bytes() of them, or null

  std::int64_t elements() const;
  std::int64_t bytes() const { return elements() * dtype_bytes(dtype); }
  bool has_data() const { return data != nullptr; }
};

// Uninitialised memory for `bytes` bytes, 64-byte aligned. Errors: WorldError when there is not that
// much memory.
std::shared_ptr<std::byte> allocate_bytes(std::int64_t bytes);

// A one-dimensional int64 tensor (token ids).
Tensor make_int64_tensor(const std::vector<std::int64_t>& values);

// A plain int64 number.
Tensor make_number(std::int64_t value);

// Bytes from a string, as a one-dimensional uint8 tensor.
Tensor make_bytes_tensor(const void* data, std::int64_t bytes);

}  // namespace lingua
