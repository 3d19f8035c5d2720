#pragma once
// Supplies that are made, from a specification and a seed.
//
//   slow:DEVICE:TIME:FACTOR                    from TIME on it computes at FACTOR of its speed
//   steps:DEVICE:TIME:EVERY:FACTOR:FLOOR       it gets hot: at TIME, and again whenever EVERY has passed, its
//                                              speed falls to FACTOR of what it was, down to FLOOR at least
//   floor:DEVICE:TIME:FLOOR:SPAN               at TIME it falls to FLOOR of its speed at once, until SPAN later
//   background:DEVICE:FACTOR:AWAY:THERE:UNTIL  an app comes and goes; while it is there, FACTOR of the speed
//                                              is left. How long it is away and there is drawn, exponential
//                                              with these means; UNTIL it has gone for good
//   bandwidth:DEVICE:TIME:FACTOR               from TIME on its links have FACTOR of their bandwidth
//   fading:DEVICE:EVERY:LEAST:UNTIL            UNTIL then its links have a share of their bandwidth that is
//                                              drawn anew EVERY so often, evenly from LEAST to 1
//   leaves:DEVICE:TIME                         at TIME it is gone
//   joins:DEVICE:TIME                          it is not there before TIME
//   away:DEVICE:TIME:SPAN                      at TIME it is gone, and it is back SPAN later
//
// Times carry a unit (20s, 1.5 min). Only what is drawn depends on the seed.
// Determinism: a seed gives the same supply to the last bit with every compiler, library and machine.
// Errors: UsageError that names the text, the field and what would be accepted.

#include <cstdint>
#include <string_view>

#include "runtime/supply/supply.h"

namespace lingua {

// Whether a text begins as a specification does, and so is no name of a file.
bool is_supply_spec(std::string_view text);

SupplyTrace generate_supply(std::string_view text, const ClusterSpec& cluster, std::uint64_t seed);

}  // namespace lingua
