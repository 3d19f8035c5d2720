#pragma once
// The part of the header, the device of the first segment, that holds requests: prompt, tokens so far,
// and which step comes next.
//
// A role without I/O; one for each epoch. What it returns is the request whose next step is to be started
// on the stage of this device; null when there is none.
// Errors: RequestRefused for a request that the model does not take; WorldError for what contradicts.

#include <map>
#include <set>
#include <vector>

#include "runtime/engine/effects.h"
#include "runtime/engine/request_state.h"

namespace lingua {

class Header {
 public:
  explicit Header(const Prepare& prepare)
      : self_(prepare.header),
        inputs_(prepare.model_inputs),
        has_data_(prepare.has_data),
        scheduling_(prepare.scheduling),
        stages_(prepare.stages) {}

  const RequestState* submit(const Submit& submit, Seconds arrived);
  // The first segments have run for its current step: the next piece of its prompt follows at once, or when
  // an earlier one has left the pipeline.
  const RequestState* next_piece(RequestId request);
  // What the tailer made of a step, or that a piece of a prompt has reached it. Sends TokenMade, and Done
  // at the end of the request.
  const RequestState* take(StepResult result, Seconds now, Effects& effects);
  void cancel(RequestId request);
  // As RequestState::cached(); 0 of one that it does not hold.
  std::int64_t cached(RequestId request) const {
    const auto place = requests_.find(request);
    return place == requests_.end() ? 0 : place->second.cached();
  }
  bool holds(RequestId request) const { return requests_.contains(request); }
  // Forgets a request, wherever it stands.
  void drop(RequestId request) {
    requests_.erase(request);
    held_.erase(request);
  }

  // A result that it waits for, for people; empty when there is none.
  std::string waits_for() const;

 private:
  DeviceName self_;
  std::vector<TensorSpec> inputs_;
  bool has_data_;
  Scheduling scheduling_;
  int stages_;
  std::map<RequestId, RequestState> requests_;
  std::set<RequestId> held_;  // whose next piece waits for an earlier one
};

}  // namespace lingua
