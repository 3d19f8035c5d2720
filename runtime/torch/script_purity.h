#pragma once
// What a forward must not do, as every execution of a segment has to give the same: draw random
// numbers, change what belongs to the module, or use what no tensor holds.
//
// Internal to torch/.
// Errors: InputError names model and operation or attribute, and what to do.

#include <torch/csrc/jit/ir/ir.h>

#include <vector>

#include "runtime/torch/script_graph.h"

namespace lingua {

// Dropout that never drops anything (p = 0) passes its operand on.
void remove_idle_dropout(torch::jit::Graph& graph);

// Refuses attributes that are written, and those that are neither tensors nor constants.
void check_attributes(const ScriptModel& model, const torch::jit::Graph& graph);

// Refuses operations that draw random numbers, and normalisations that update their statistics.
void check_is_deterministic(const ScriptModel& model, const torch::jit::Graph& graph);

}  // namespace lingua
