#pragma once
// What every value of a forward is at the sample steps, found by running it without contents.
//
// Internal to torch/. Tensors live on the meta device; an operation that LibTorch cannot run there
// runs on zeros of the same shapes. Tensors that depend on nothing but the step and constants have
// their real contents, so that sizes may be computed through them.
// Shapes: at fit_steps(); a state has room for n + p tokens.
// Errors: InputError names the model and the operation that fails, or whose result depends on the
// contents of tensors.

#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/torch/op_costs.h"
#include "runtime/torch/script_graph.h"

namespace lingua {

struct StepSample {
  std::unordered_map<const torch::jit::Value*, c10::IValue> values;
  std::unordered_map<const torch::jit::Node*, OpCost> costs;  // nested blocks' in their node's
};

// One for each of fit_steps().
std::vector<StepSample> sample_steps(const ScriptModel& model, const ScriptForward& forward);

// An operation that LibTorch has no kernel for in fp16 on a CPU, found by running each kind on zeros of
// the sample's shapes; empty when there is none.
std::string missing_half_kernel(const ScriptForward& forward, const StepSample& sample);

// Replaces numbers that are the same at every step (sizes of constant dimensions, and what is
// computed from nothing else) by constants. Returns how many.
int fold_constants(ScriptForward& forward, const std::vector<StepSample>& samples);

}  // namespace lingua
