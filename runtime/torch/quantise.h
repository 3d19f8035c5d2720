#pragma once
// Which weights are held in int8, and their bytes (the layout is in int8_ops.h).
//
// A mixed model takes some segments from the graph with int8 weights and the others from the one
// without: both graphs have the same nodes and values, so the borders fit.
// Internal to torch/ but for mix_segments and MixedSource.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "runtime/model/model_source.h"
#include "runtime/model/segment.h"

namespace lingua {

// The same cuts, with the segments of `chosen` from `int8`. The plain weights that a chosen segment
// shares with one that is not chosen (a tied embedding) are then held in both forms.
// REQUIRES: both are cut at the same nodes of graphs that differ in int8 alone.
Segmentation mix_segments(const Segmentation& plain, const Segmentation& int8,
                          const std::set<SegmentId>& chosen);

// Weights and programs of a mixed model. REQUIRES: both sources outlive it.
std::unique_ptr<ModelSource> make_mixed_source(ModelSource& plain, ModelSource& int8,
                                               const std::set<SegmentId>& chosen);

}  // namespace lingua
