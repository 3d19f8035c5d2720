#pragma once
// What LibTorch computes on this machine, with operands of its own: see device/exertion.h.
//
// Internal to torch/; builds with LibTorch's mobile part alone. The operations are those that the built-in
// families' segments call. Threads: one at a time; the numerics use those of LibTorch.
// Memory: operands (up to 128 MiB) and what was taken stay until another kind is asked for.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/device/exertion.h"
#include "runtime/torch/kernels/elements.h"

namespace lingua {

class Exertions {
 public:
  // Errors: WorldError. REQUIRES: the operations are registered (make_torch_executor).
  Work exert(const Exertion& exertion);

 private:
  void prepare(const Exertion& exertion);
  void next_product();
  Work take_memory(std::int64_t blocks);

  std::optional<Exertion> prepared_;  // but for its repeats
  at::Tensor rows_;                   // of activations
  at::Tensor weights_;
  RowMatrix matrix_;            // all of weights_
  std::int64_t first_row_ = 0;  // of the matrix that is next
  std::vector<std::shared_ptr<std::byte>> memory_;
};

}  // namespace lingua
