#pragma once
// Rows of the event log that a device has written and not sent.
//
// They travel a few at a time, for what is sent next waits for them.

#include <algorithm>
#include <deque>
#include <iterator>
#include <optional>
#include <vector>

#include "runtime/events/event_log.h"

namespace lingua {

class PendingRows {
 public:
  void add(std::vector<EventRow>& rows) {
    rows_.insert(rows_.end(), std::make_move_iterator(rows.begin()),
                 std::make_move_iterator(rows.end()));
    rows.clear();
  }
  // The oldest ones, when there are too many to be kept until the end.
  std::optional<std::vector<EventRow>> overflow() {
    if (rows_.size() < kMany) return std::nullopt;
    return take(kAtOnce);
  }
  std::vector<EventRow> take_all() { return take(rows_.size()); }

 private:
  static constexpr std::size_t kMany = 4096;
  static constexpr std::size_t kAtOnce = 256;

  std::vector<EventRow> take(std::size_t count) {
    const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<EventRow> rows(std::make_move_iterator(rows_.begin()),
                               std::make_move_iterator(end));
    rows_.erase(rows_.begin(), end);
    return rows;
  }

  std::deque<EventRow> rows_;
};

}  // namespace lingua
