#pragma once
// Which numbers the integer inputs of a forward may be, as far as its operations tell: what is drawn
// at random has to be something that they take.
//
// Internal to torch/. A look-up bounds its indices by the rows of its table; offsets and lengths have
// an order that random numbers lack. A table that grows with the tokens counts as its smallest. Inputs
// are followed through views and conversions only.

#include <map>
#include <string>
#include <vector>

#include "runtime/torch/import.h"
#include "runtime/torch/script_graph.h"
#include "runtime/torch/shape_inference.h"

namespace lingua {

std::map<std::string, IndexRange> index_ranges(const ScriptModel& model,
                                               const ScriptForward& forward,
                                               const std::vector<StepSample>& samples);

}  // namespace lingua
