#pragma once
// What a seed stands for: a cluster, a model on it, requests, and the faults that strike.
//
// Determinism: by the seed alone.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/device/message.h"
#include "runtime/engine/move.h"
#include "runtime/plan/plan_request.h"
#include "sim/fault/fault_plan.h"

namespace lingua::testing {

struct Scenario {
  std::uint64_t seed = 0;
  Segmentation model;
  ClusterSpec cluster;
  std::string planner;
  PlanRules rules;
  Workload workload;  // what is planned for, and how devices order their work
  Plan plan;          // to begin with
  bool has_stall_watch = false;
  std::map<DeviceName, Seconds> late;  // devices that are not there before
  Seconds wait_for_devices{0};
  std::optional<Crossing>
      moves;  // when a device has joined, with what becomes of the requests that run
  std::vector<Submit> requests;
  std::vector<Seconds> arrivals;       // empty: all at once
  std::map<RequestId, int> cancelled;  // by the client, after so many tokens
  std::vector<std::vector<TokenId>>
      free;  // by request: what a plain loop makes of it without a stop token
  Seconds loss_timeout{1};
  FaultPlan faults;

  PlanRequest plan_request() const;
  Membership at_first() const;
};

// A model, and what it makes of prompts when nothing is split and nothing fails.
struct Subject {
  Segmentation model;
  std::function<std::vector<std::vector<TokenId>>(
      const std::vector<std::vector<std::int64_t>>& prompts, std::int64_t tokens)>
      plain_loop;
  bool takes_single_passes = false;  // a decoder with a KV cache takes none
};

// Of the toy model, with some number of segments and weights that make memory count.
Scenario draw_scenario(std::uint64_t seed);
Scenario draw_scenario(std::uint64_t seed, const Subject& subject);

// Several lines, the faults last.
std::string describe(const Scenario& scenario);

}  // namespace lingua::testing
