#include "runtime/events/log_diff.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using Rows = std::vector<EventRow>;

class Comparison {
 public:
  Comparison(const Rows& a, const Rows& b, const LogComparison& how) : a_(a), b_(b), how_(how) {}

  std::optional<LogDifference> first() {
    const std::vector<std::size_t> of_a = by_key(a_);
    const std::vector<std::size_t> of_b = by_key(b_);
    auto a = of_a.begin();
    auto b = of_b.begin();
    while (a != of_a.end() || b != of_b.end()) {
      const bool only_a = b == of_b.end() || (a != of_a.end() && before(a_[*a], b_[*b]));
      const bool only_b = !only_a && (a == of_a.end() || before(b_[*b], a_[*a]));
      if (only_a) {
        note(*a++, {}, "");
      } else if (only_b) {
        note({}, *b++, "");
      } else {
        const char* column = different_column(a_[*a], b_[*b]);
        if (column != nullptr) note(*a, *b, column);
        ++a;
        ++b;
      }
    }
    return difference();
  }

 private:
  // Whether x's key is before y's. Rows of one key are compared in the order of the log.
  bool before(const EventRow& x, const EventRow& y) const {
    if (!how_.times) return x.who < y.who;
    return std::tie(x.who, x.what, x.segment, x.request, x.step) <
           std::tie(y.who, y.what, y.segment, y.request, y.step);
  }

  std::vector<std::size_t> by_key(const Rows& rows) const {
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t x, std::size_t y) { return before(rows[x], rows[y]); });
    return order;
  }

  // Of rows with the same key; null where they are the same.
  const char* different_column(const EventRow& x, const EventRow& y) const {
    if (x.what != y.what) return "what";
    if (x.segment != y.segment) return "segment";
    if (x.request != y.request) return "request";
    if (x.step != y.step) return "step";
    if (how_.times && !near(x.start, y.start)) return "start";
    if (how_.times && !near(x.end, y.end)) return "end";
    return x.bytes != y.bytes ? "bytes" : nullptr;
  }

  bool near(Seconds x, Seconds y) const { return x == y || abs(x - y) <= how_.tolerance; }

  void note(std::optional<std::size_t> a, std::optional<std::size_t> b, const char* column) {
    Seconds start = a ? a_[*a].start : b_[*b].start;
    if (b) start = std::min(start, b_[*b].start);
    if (found_ && start_ <= start) return;
    found_ = true;
    start_ = start;
    column_ = column;
    place_a_ = a;
    place_b_ = b;
  }

  std::optional<LogDifference> difference() const {
    if (!found_) return std::nullopt;
    const DeviceName& who = place_a_ ? a_[*place_a_].who : b_[*place_b_].who;
    return LogDifference{column_, side(a_, place_a_, who), side(b_, place_b_, who)};
  }

  LogSide side(const Rows& rows, std::optional<std::size_t> place, const DeviceName& who) const {
    LogSide side;
    if (place) side.row = rows[*place];
    std::size_t at = place ? *place : gap(rows);
    while (at > 0 && side.before.size() < how_.before) {
      --at;
      if (how_.times || rows[at].who == who) side.before.push_back(rows[at]);
    }
    std::reverse(side.before.begin(), side.before.end());
    return side;
  }

  // Where the missing event would stand: by its time, or, without times, at the end.
  std::size_t gap(const Rows& rows) const {
    if (!how_.times) return rows.size();
    const auto place = std::partition_point(
        rows.begin(), rows.end(), [&](const EventRow& row) { return row.start < start_; });
    return static_cast<std::size_t>(place - rows.begin());
  }

  const Rows& a_;
  const Rows& b_;
  const LogComparison& how_;
  bool found_ = false;
  Seconds start_{0};
  const char* column_ = "";
  std::optional<std::size_t> place_a_;
  std::optional<std::size_t> place_b_;
};

}  // namespace

std::optional<LogDifference> first_difference(EventLog a, EventLog b,
                                              const LogComparison& comparison) {
  LINGUA_CHECK(comparison.tolerance >= Seconds(0));
  a.sort();
  b.sort();
  return Comparison(a.rows(), b.rows(), comparison).first();
}

}  // namespace lingua
