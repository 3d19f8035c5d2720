#pragma once
// Planners: from segments, cluster and workload to a plan, by name.
//
// Determinism: the same input gives the same plan (random planners take their seed from options).
// Errors: InfeasibleError says which limit binds, in numbers; UsageError for an unknown name and for
// rules that name no device or contradict each other.
// A new planner is one file that defines a function and registers it in planner.cpp.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"

namespace lingua {

// What a plan must keep besides memory.
struct PlanRules {
  std::vector<DeviceName> excluded = {};  // run nothing
  DeviceName header = {};                 // runs the first segment; empty: as the cluster says
  DeviceName tailer = {};                 // runs the last segment; empty: any
  // So many first segments stay on the header, and it runs exactly so many last ones too unless it runs
  // everything (privacy: nobody else sees the prompt, the logits or a token).
  int header_keeps = 1;
  int header_keeps_last = 0;
  // Computing all requests leaves each battery with this share of a full charge, at least.
  double battery_floor = 0;
};

// Clusters of the same devices and links, every speed different by up to a share of it (robust.h).
struct Variants {
  double share = 0;
  std::vector<ClusterSpec> clusters;
};

struct PlanRequest {
  const Segmentation* segmentation = nullptr;
  const ClusterSpec* cluster = nullptr;
  Workload workload;
  Objective objective = Objective::kLatency;
  PlanRules rules;
  double time_limit_s = 60;
  std::uint64_t seed = 1;
  // The plan that runs now, or another good one, to begin the search with and to look near it;
  // planners that prove nothing ignore it.
  const std::vector<Stage>* running = nullptr;
  // The caller has another plan, and would rather have none than one after the time limit.
  bool only_in_time = false;
  // Where there are some, the estimate that plans are judged by is the mean over them, and nothing is
  // proven. Planners that do not judge by the estimate ignore them.
  const Variants* variants = nullptr;
};

// Whether the devices that rules name are there and the rules agree: what make_plan checks first, and what
// can be known before there is a model. Errors: UsageError.
void check_rules(const PlanRules& rules, const ClusterSpec& cluster);

// The rules of a request as they are kept: a header that is the tailer too keeps the last segments, one
// at least, and then `tailer` is empty; if it keeps any, it keeps all first ones that are given a token.
PlanRules resolved_rules(const PlanRequest& request);

// The stages only; make_plan adds the rest. Empty optimality fields mean a heuristic.
struct PlannerResult {
  std::vector<Stage> stages;
  Optimality optimality = Optimality::kHeuristic;
  double gap = 0;
};

struct PlannerEntry {
  const char* name;
  const char* summary;  // one line, with its source
  PlannerResult (*run)(const PlanRequest& request);
  bool proves = false;  // that nothing is better, where it can
};

const std::vector<PlannerEntry>& planners();

// What a plan breaks of resolved rules, in words, batteries aside; empty when it keeps them all.
std::string broken_rule(const std::vector<Stage>& stages, const PlanRules& rules);

// The same for a request's rules, the battery floor included. REQUIRES: check_stages accepts the stages.
std::string broken_rule(const std::vector<Stage>& stages, const PlanRequest& request);

// Runs the named planner (where there are variants, with and without them) on the devices that the rules leave, derives the transfers, estimates and
// checks the plan. A planner that does not know the rules and breaks them ends with InfeasibleError.
Plan make_plan(const std::string& planner, const PlanRequest& request);

}  // namespace lingua
