#pragma once
// How a device gives another the states that it has of requests, in pieces.
//
// A role without I/O; one for each SendStates. What was read is a copy: requests may run on meanwhile.

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/engine/effects.h"
#include "runtime/engine/send_window.h"
#include "runtime/model/segment.h"

namespace lingua {

class StateSender {
 public:
  // The states of a segment for some tokens of a request (Executor::read_states); nothing where there are none.
  using Read = std::function<std::optional<std::vector<Tensor>>(
      SegmentId segment, RequestId request, std::int64_t first, std::int64_t end)>;

  // `token_bytes`: of each of the segments of the job, the states of one token.
  StateSender(SendStates job, std::vector<double> token_bytes);

  // Sends what may be sent now, no more than so many pieces. Of a request whose states are not here the coordinator
  // hears so.
  void go_on(Seconds now, const Read& read, std::int64_t most, Effects& effects);
  std::int64_t under_way() const { return static_cast<std::int64_t>(under_way_.size()); }
  bool is_for(Epoch epoch, const DeviceName& to) const {
    return epoch == job_.epoch && to == job_.to;
  }
  // It is the answer to the next piece under way.
  bool is_answer(const StateAck& ack) const;
  // REQUIRES: is_answer().
  void acknowledge(Seconds now);
  const SendStates& job() const { return job_; }
  // Nothing more is sent: the coordinator hears of each request that is not done.
  void give_up(const std::string& why, Effects& effects);
  bool done() const { return range_ == job_.ranges.size() && under_way_.empty(); }
  // When go_on() is to be called at the latest.
  Seconds next() const;

 private:
  void next_range();
  void next_segment();

  const SendStates job_;
  const std::vector<double> token_bytes_;
  std::size_t range_ = 0;
  std::size_t segment_ = 0;  // of the range
  std::int64_t offset_ = 0;  // tokens that were sent of the segment
  std::deque<StateAck> under_way_;
  SendWindow window_;
};

}  // namespace lingua
