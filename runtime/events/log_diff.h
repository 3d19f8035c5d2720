#pragma once
// Where two event logs part.
//
// With times, an event of one log has its counterpart in the other when who, what, segment, request and
// step are the same; of several the first belongs to the first, the second to the second. Counterparts
// must have the same bytes, and the same start and end within the tolerance. So the order of events
// counts as far as their times say it.
// Without times, what each device and each link did must be the same in the same order (what, segment,
// request, step and bytes). Nothing is said of the order between devices: it differs from run to run.
// The first of all differences is the one with the earliest start.
//
// Threads: values without shared state.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "runtime/events/event_log.h"

namespace lingua {

struct LogComparison {
  bool times = true;
  Seconds tolerance{0};
  std::size_t before = 3;  // events to tell of before the first that differs
};

// One log's side of a difference.
struct LogSide {
  std::optional<EventRow> row;  // nothing where this log lacks the other's event
  // What came just before; without times of the same device or link.
  std::vector<EventRow> before;
};

struct LogDifference {
  std::string column;  // the first that differs; empty where one log lacks the event
  LogSide a;
  LogSide b;
};

// Nothing where the logs are equal. Takes rows in any order.
std::optional<LogDifference> first_difference(EventLog a, EventLog b,
                                              const LogComparison& comparison);

}  // namespace lingua
