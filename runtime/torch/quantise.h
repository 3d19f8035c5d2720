#pragma once
// Which weights are held in int8, and their bytes (the layout is in int8_ops.h).
//
// Rows are quantised from float32 while they are read, so that a bfloat16 and a float32 model hold
// the same int8 weights. A row of zeros has scale 0. A row with a NaN or an infinity has no scale:
// reading it is an InputError that names weight and row.
// A mixed model takes some segments from the graph with int8 weights and the others from the one
// without: both graphs have the same nodes and values, so the borders fit.
// Internal to torch/ but for mix_segments and make_mixed_source.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/model/model_source.h"
#include "runtime/model/segment.h"

namespace lingua {

class WeightReader;

// The matrix [out, in] as it is held: int8 [out, in + 4], named NAME:int8.
WeightSpec int8_weight(const WeightSpec& matrix);

// The matrix that a weight holds in int8, in the float32 that it is quantised from; nothing when the
// weight is none of int8_weight's.
std::optional<WeightSpec> matrix_of_int8(const WeightSpec& weight);

// Reads `weights`: those of int8_weight from the matrices (float32) of `plain`, the others as they
// are. `origin` names the file for errors.
std::unique_ptr<WeightReader> make_int8_reader(std::unique_ptr<WeightReader> plain,
                                               const std::vector<WeightSpec>& weights,
                                               const std::string& origin);

// The same cuts, with the segments of `chosen` from `int8`. The plain weights that a chosen segment
// shares with one that is not chosen (a tied embedding) are then held in both forms.
// REQUIRES: both are cut at the same nodes of graphs that differ in int8 alone.
Segmentation mix_segments(const Segmentation& plain, const Segmentation& int8,
                          const std::set<SegmentId>& chosen);

// Weights and programs of a mixed model. REQUIRES: both sources outlive it.
std::unique_ptr<ModelSource> make_mixed_source(ModelSource& plain, ModelSource& int8,
                                               const std::set<SegmentId>& chosen);

}  // namespace lingua
