#pragma once
// How a device finds out how fast it computes and what memory it can have.
//
// Times are by the device's clock. One exertion is repeated as often as it takes to be long beside the slices in
// which an operating system shares processors, and several such are timed.
// Threads: blocks for the order's time, and for as long as a few exertions take besides; none begins after ten times
// the order's time.

#include <functional>
#include <vector>

#include "runtime/device/device.h"

namespace lingua {

// What memory there is after these bytes are left to others.
inline constexpr double kLeftToOthers = 1.0 / 8;  // of what is free at first

// Does what it is told to; of memory, no more than `most_bytes`, and in no time what it believes to have. What it
// cannot do is in the answer.
Exercised exercise(Device& device, const Exercise& order, double most_bytes);

// The same of a kind other than memory, by any clock. Errors: WorldError.
Exercised exercise(Executor& executor, const std::function<Seconds()>& now, const Exercise& order);

// What each of its exertions gave: FLOP/s of products, bytes/s of weights, of segments how many a second. Infinite
// where it took no time. REQUIRES: it is the answer to this order.
std::vector<double> rates(const Exercise& order, const Exercised& result);
double median(std::vector<double> values);  // 0 of none

}  // namespace lingua
