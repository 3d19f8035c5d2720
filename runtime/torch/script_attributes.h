#pragma once
// The attributes that a forward reads: modules on the way, tensors as weights, the rest as constants.
//
// Internal to torch/. Lists and tuples that hold tensors (the weights of an LSTM) are put together
// from weights. What is neither stays where it is: check_attributes (script_purity.h) names it when no
// dead branch took it away.

#include "runtime/torch/script_graph.h"

namespace lingua {

void resolve_attributes(const ScriptModel& model, ScriptForward& forward);

}  // namespace lingua
