#pragma once
// Operations that files by other versions of PyTorch use and this LibTorch may lack, in terms of
// operations that every version has.
//
// Internal to torch/.
// Precision: what PyTorch 2 computes in fp32 inside one operation (attention, norms of half types) is
// computed in fp32 here as well; the order of summation may differ.
// Source: PyTorch's documentation of the operations, torch.nn.functional in 2.6.

#include <torch/csrc/jit/ir/ir.h>

#include <memory>

namespace lingua {

// Makes the operations known to LibTorch's loader, so that a file that names them can be read and
// run. More than once does no harm.
void register_newer_ops();

// Replaces them by what they are made of: programs hold operations of every version only. An
// attention with dropout is left as it is.
void expand_newer_ops(const std::shared_ptr<torch::jit::Graph>& graph);

}  // namespace lingua
