#pragma once
// A segment's program run for several steps side by side, so that its weights are read once for all.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// The steps go through the program together: each instruction runs for one after the other, on values of its
// own, as it would alone. Products with one matrix of weights are computed once for the rows of all
// (linear_ops.h), which gives each row the bits that it has alone.
// Errors: a step that fails stops; the others go on. Threads: those of the numerics.

#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/mobile/function.h>

#include <string>
#include <vector>

namespace lingua {

struct JointStep {
  std::vector<c10::IValue> stack;  // the operands; then the result
  std::string error;               // of LibTorch's in one line; empty: none
};

// Whether run_jointly() knows all that a program does: a sequence of operations without branches.
bool can_run_jointly(const torch::jit::mobile::Function& program);

// REQUIRES: can_run_jointly(program).
void run_jointly(torch::jit::mobile::Function& program, std::vector<JointStep>& steps);

}  // namespace lingua
