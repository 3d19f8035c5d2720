#pragma once
// Small messages to one device as one (Communication::share_frames): activations and results.
//
// A function of values. Order: messages to one receiver keep their order.

#include <vector>

#include "runtime/engine/effects.h"

namespace lingua {

// Joins letters to one receiver that follow each other (those to others aside) and are small, of one epoch,
// to Together. A letter that nothing joins stays as it is.
void share_frames(std::vector<Letter>& letters);

}  // namespace lingua
