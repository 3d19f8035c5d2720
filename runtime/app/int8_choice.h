#pragma once
// Which segments hold their matrices in int8: "none", "all", "fit", or numbers ("0-3,7").
//
// "fit" takes as few groups of segments as make a plan fit, those that save most bytes first.
// Segments that share a matrix (a tied embedding) are one group: taken apart, the matrix would be
// held in both forms.
// Errors: UsageError for what is none of these, or a segment that does not exist.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "runtime/model/segment.h"

namespace lingua {

enum class Int8Kind { kNone, kAll, kFit, kListed };

// Does not look at the numbers.
Int8Kind int8_kind(const std::string& choice);

// The segments of a list of numbers, of a model with so many.
std::set<SegmentId> listed_segments(const std::string& choice, int segments);

// Groups that are chosen together, the largest saving first; groups that save nothing are left out.
// REQUIRES: both are cut at the same nodes.
std::vector<std::set<SegmentId>> int8_groups(const Segmentation& plain, const Segmentation& int8);

// Calls `fits` with unions of the first groups, none at first, and returns the smallest that fits;
// it was the last to be tried. When not even all fit, what the last call threw goes on.
// Errors: InfeasibleError, which is also how `fits` says no.
std::set<SegmentId> fewest_that_fit(const std::vector<std::set<SegmentId>>& groups,
                                    const std::function<void(const std::set<SegmentId>&)>& plan);

// "0-3, 7"
std::string segment_ranges(const std::set<SegmentId>& segments);

}  // namespace lingua
