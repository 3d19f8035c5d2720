#pragma once
// What a plan must know again of a segmentation.

#include <string>

#include "runtime/model/segment.h"

namespace lingua {

// 16 hexadecimal digits: of each segment its name, the names and rows of its weights, its states, and the
// shapes of what goes in and out. The same on every machine and for every dtype, int8 included; another
// for another model, other cuts, with or without a KV cache, and for another head.
std::string digest_of(const Segmentation& segmentation);

}  // namespace lingua
