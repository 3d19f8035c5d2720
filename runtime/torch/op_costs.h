#pragma once
// What one execution of a TorchScript operation costs, from its operands and results.
//
// Internal to torch/. Units: FLOPs, bytes.
// FLOPs: matrix products, convolutions, attention and the matrices of recurrent layers, a
// multiplication and an addition each; all other operations count 0, as in the published counts for
// transformers.
// Bytes: operands read and results written. Views and everything that is no tensor: 0. Look-ups
// read only the rows that they fetch. An operand expanded over a dimension is read once.

#include <torch/csrc/jit/ir/ir.h>

#include <vector>

namespace lingua {

struct OpCost {
  double flops = 0;
  double bytes = 0;
  double copied_bytes = 0;  // the same, had the views among its results been copies

  OpCost& operator+=(const OpCost& other) {
    flops += other.flops;
    bytes += other.bytes;
    copied_bytes += other.copied_bytes;
    return *this;
  }
};

OpCost op_cost(const torch::jit::Node& node, const std::vector<c10::IValue>& operands,
               const std::vector<c10::IValue>& results);

// The operation multiplies matrices and its operands must be of one type (int8 weights are not).
bool is_matrix_product(const torch::jit::Node& node);

}  // namespace lingua
