#include "runtime/events/interval_union.h"

#include <algorithm>

namespace lingua {
namespace {

constexpr std::size_t kManyFresh = 256;

// Gives the intervals of two ascending lists in their order, those that touch as one.
template <class A, class B, class Take>
void for_each_joined(const A& a, const B& b, Take take) {
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
  if (fresh_.size() >= std::max(kManyFresh, most_fresh_)) settle();
}

void IntervalUnion::add(const IntervalUnion& other) {
  for (const auto& [start, end] : other.settled_) add(start, end);
  for (const auto& [start, end] : other.fresh_) add(start, end);
}

void IntervalUnion::settle() {
  std::sort(fresh_.begin(), fresh_.end());
  const auto touched = std::partition_point(
      settled_.begin(), settled_.end(),
      [&](const Interval& interval) { return interval.second < fresh_.front().first; });
  const std::vector<Interval> moved(touched, settled_.end());
  settled_.erase(touched, settled_.end());
  for_each_joined(moved, fresh_, [&](const Interval& interval) { settled_.push_back(interval); });
  fresh_.clear();
  most_fresh_ = moved.size() / 8;
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
