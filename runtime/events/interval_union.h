#pragma once
// The time that intervals cover together, which come in any order.
//
// Memory: 16 bytes for each gap that is left, and a share more for what comes far out of its order.
// Determinism: the same intervals in another order give the same length, to the last bit.

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "runtime/base/units.h"

namespace lingua {

class IntervalUnion {
 public:
  // One that does not end after its start covers nothing.
  void add(Seconds start, Seconds end);
  void add(const IntervalUnion& other);
  // Of what is covered between two instants.
  double length_s(Seconds from, Seconds to) const;

 private:
  using Interval = std::pair<Seconds, Seconds>;
  void settle();

  std::deque<Interval> settled_;  // ascending, with a gap between each and the next
  std::vector<Interval> fresh_;
  std::size_t most_fresh_ = 0;  // before they are settled: more where many have to move for it
};

}  // namespace lingua
