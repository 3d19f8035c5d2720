#pragma once
// What is to happen when in a played pipeline (pipeline_model.h). Internal to predict/.
//
// Order: by time, at one time in the order in which the events were numbered.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lingua {

enum class What { kDue, kArrived, kComputed };

struct Event {
  double time_s = 0;
  int number = 0;
  What what = What::kDue;
  int index = 0;    // channel or place
  int version = 0;  // of kArrived
  bool operator<(const Event& other) const {
    return time_s != other.time_s ? time_s < other.time_s : number < other.number;
  }
};

// Events to come, the next one last. Most often few, so that a sorted list is quicker than a heap.
class Agenda {
 public:
  bool empty() const { return events_.empty(); }
  void add(const Event& event) {
    constexpr std::size_t kFew = 64;
    auto at = events_.end();
    if (events_.size() > kFew) {
      at = std::partition_point(events_.begin(), events_.end(),
                                [&](const Event& other) { return event < other; });
    } else {
      while (at != events_.begin() && *(at - 1) < event) --at;
    }
    events_.insert(at, event);
  }
  Event take() {
    const Event event = events_.back();
    events_.pop_back();
    return event;
  }

 private:
  std::vector<Event> events_;
};

}  // namespace lingua
