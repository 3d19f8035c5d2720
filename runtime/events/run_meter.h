#pragma once
// Measures a run while its events come, without keeping them.
//
// Order: rows may come in any order, and give the same metrics to the last bit; only those of a device's
// computing that have the same start come one after the other, as devices send them and as a sorted log
// has them (they tell batches). Of several rows for one request the last in the log's order counts.
// Memory: of each request what metrics.h says of it; of each device 32 bytes for each gap in its work.
// REQUIRES: rows such as read_event_log() would accept.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/events/exact_sum.h"
#include "runtime/events/interval_union.h"
#include "runtime/events/metrics.h"

namespace lingua {

class RunMeter {
 public:
  void take(const EventRow& row);
  // A request that began again has so many tokens, of which the rows of a lost device do not tell.
  void made(RequestId request, std::int64_t tokens) { requests_[request].tokens = tokens; }

  // Without energy.
  Metrics metrics() const;

 private:
  struct Request {
    std::optional<Seconds> arrival;
    std::optional<std::pair<Seconds, Seconds>> span;
    std::int64_t steps = 0;
    std::optional<std::int64_t> tokens;  // where they are not as many as steps
    std::int64_t first_step = 0;         // the lowest: further ones may be of the prompt
    Seconds first_start{0};
    Seconds first_end{0};
    Seconds last_end{0};
  };
  struct Activity {
    bool is_device = false;  // and not merely where messages go
    IntervalUnion computing;
    IntervalUnion either;       // computing or receiving
    std::int64_t segments = 0;  // computed
    std::int64_t batches = 0;
    Seconds start{0};  // of the last one, and which have this start
    std::set<std::pair<SegmentId, Seconds>> at_start;
  };
  struct Link {
    DeviceName from;
    DeviceName to;
    ExactSum<40> bytes;
    ExactSum<40> result_bytes;
    std::int64_t messages = 0;
    ExactSum<60> time_s;
  };

  void take_step(const EventRow& row);
  void take_computing(const EventRow& row);
  void take_message(const EventRow& row);
  void add_requests(Metrics& metrics) const;
  void add_devices(Metrics& metrics) const;
  void add_links(Metrics& metrics) const;

  IntervalUnion no_room_;  // for the next request's states
  std::unordered_map<RequestId, Request> requests_;
  std::unordered_map<DeviceName, Activity> devices_;
  std::unordered_map<std::string, Link> links_;  // by what the log calls them
};

}  // namespace lingua
