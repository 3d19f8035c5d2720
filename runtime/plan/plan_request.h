#pragma once
// What a planner is asked: segments, cluster, workload, objective, and the rules that a plan must keep.
//
// Ownership: refers to segmentation, cluster, running plan and variants, which must outlive it.
// Errors: UsageError for rules that name no device or contradict each other.

#include <cstdint>
#include <functional>
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

// Clusters of the same devices and links, every speed different by up to a share of it (study/robust.h).
struct Variants {
  double share = 0;
  std::vector<ClusterSpec> clusters;
};

// Whether a device may run segments first .. last, its memory aside. What is part of a run that it may run, it
// may run too.
using MayRun = std::function<bool(const DeviceName&, SegmentId first, SegmentId last)>;

struct PlanRequest {
  const Segmentation* segmentation = nullptr;
  const ClusterSpec* cluster = nullptr;
  Workload workload;
  Objective objective = Objective::kLatency;
  PlanRules rules;
  MayRun may_run = {};       // empty: everything
  double time_limit_s = 60;  // an outer guard: searches count their effort
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

// What a plan breaks of resolved rules, in words, batteries aside; empty when it keeps them all.
std::string broken_rule(const std::vector<Stage>& stages, const PlanRules& rules);

}  // namespace lingua
