#include "runtime/events/interval_union.h"

#include <algorithm>

namespace lingua {
namespace {

constexpr std::size_t kLeastFresh = 4096;

// Gives the intervals of two ascending lists in their order, those that touch as one.
template <class Intervals, class Take>
void for_each_joined(const Intervals& a, const Intervals& b, Take take) {
  auto x = a.begin();
  auto y = b.begin();
  const auto next = [&] { return y == b.end() || (x != a.end() && *x < *y) ? *x++ : *y++; };
  if (x == a.end() && y == b.end()) return;
  auto joined = next();
  while (x != a.end() || y != b.end()) {
    const auto interval = next();
    if (interval.first <= joined.second) {
      joined.second = std::max(joined.second, interval.second);
    } else {
      take(joined);
      joined = interval;
    }
  }
  take(joined);
}

}  // namespace

void IntervalUnion::add(Seconds start, Seconds end) {
  if (start >= end) return;
  if (!fresh_.empty() && fresh_.back().first <= start && start <= fresh_.back().second) {
    fresh_.back().second = std::max(fresh_.back().second, end);
    return;
  }
  fresh_.emplace_back(start, end);
  if (fresh_.size() >= std::max(kLeastFresh, settled_.size() / 8)) settle();
}

void IntervalUnion::settle() {
  std::sort(fresh_.begin(), fresh_.end());
  std::size_t count = 0;
  for_each_joined(settled_, fresh_, [&](const Interval&) { ++count; });
  std::vector<Interval> joined;
  joined.reserve(count);
  for_each_joined(settled_, fresh_, [&](const Interval& interval) { joined.push_back(interval); });
  settled_ = std::move(joined);
  fresh_.clear();
}

double IntervalUnion::length_s(Seconds from, Seconds to) const {
  std::vector<Interval> fresh = fresh_;
  std::sort(fresh.begin(), fresh.end());
  Seconds sum{0};
  for_each_joined(settled_, fresh, [&](const Interval& interval) {
    const Seconds start = std::max(interval.first, from);
    const Seconds end = std::min(interval.second, to);
    if (start < end) sum += end - start;
  });
  return sum.count();
}

}  // namespace lingua
