#pragma once
// Tuples that branches and loops of a TorchScript graph hand on, as values of their own.

#include <torch/csrc/jit/ir/ir.h>

namespace lingua {

// What a prim::If or a prim::Loop gives or carries as a tuple becomes a value for each element, put
// together again where it is used: the state of a scripted LSTM, a loop over (h, c).
void split_carried_tuples(torch::jit::Graph& graph);

}  // namespace lingua
