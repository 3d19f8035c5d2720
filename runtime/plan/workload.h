#pragma once
// What a plan is made for: requests, their lengths and how many are inside the pipeline at once.
//
// Units: tokens. A plain value.

#include <cstdint>
#include <map>
#include <vector>

#include "runtime/device/communication.h"
#include "runtime/device/scheduling.h"
#include "runtime/model/step.h"
#include "runtime/plan/message_sizes.h"

namespace lingua {

struct Workload {
  std::int64_t prompt_tokens = 16;  // of the longest prompt
  std::int64_t max_tokens = 16;     // generated per request; 0: a single pass
  bool kv_cache = true;
  int in_flight = 1;  // requests inside the pipeline at once
  int requests = 1;   // to answer in all; fewer than in_flight: as many
  // Of the prompts in turn, where they differ: request r has number r modulo their count.
  std::vector<std::int64_t> prompt_lengths = {};
  Scheduling scheduling = {};  // as far as the model allows it
  Communication communication = {};
  // As the encoding at hand has them; none: contents alone travel.
  MessageSizes messages = {};

  std::int64_t capacity() const { return prompt_tokens + max_tokens; }  // of the longest
  bool is_mixed() const { return !prompt_lengths.empty(); }
  std::int64_t prompt_length(std::size_t request) const {
    return is_mixed() ? prompt_lengths[request % prompt_lengths.size()] : prompt_tokens;
  }
  int total_requests() const { return requests > in_flight ? requests : in_flight; }
  // No plan answers all requests in less than their number times the latency of one over this: some
  // request is the last of at least total / in flight, rounded up, that follow each other. Of requests
  // that differ, with the mean latency, no more is certain than that in_flight of them overlap.
  double overlap() const {
    if (is_mixed()) return in_flight;
    return static_cast<double>(total_requests()) / ((total_requests() + in_flight - 1) / in_flight);
  }
};

// The steps of the longest request of the workload, in order; others have as many.
std::vector<Step> steps_of(const Workload& workload);

// How many of the workload's requests have which length.
std::map<std::int64_t, double> length_counts(const Workload& workload);

}  // namespace lingua
