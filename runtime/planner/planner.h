#pragma once
// Planners: from segments, cluster and workload to a plan, by name.
//
// Determinism: the same input gives the same plan (random planners take their seed from options), unless the
// request's time limit, an outer guard, ends a search before its effort does.
// Errors: InfeasibleError says which limit binds, in numbers; UsageError for an unknown name and for
// rules that name no device or contradict each other.
// A new planner is a function: registered in planner.cpp, from elsewhere by register_planner(), or in a file of its
// own, whose path is its name (planner_module.h).

#include <string>
#include <vector>

#include "runtime/plan/plan_request.h"

namespace lingua {

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
// Adds one from outside of this folder, so that make_plan knows its name. It changes no plan of the others.
// Errors: UsageError for a name that is taken. Threads: before plans are made.
void register_planner(const PlannerEntry& entry);

// What a plan breaks of a request's rules, in words, the battery floor included; empty when it keeps them all.
// REQUIRES: check_stages accepts the stages.
std::string broken_rule(const std::vector<Stage>& stages, const PlanRequest& request);

// Runs the named planner (where there are variants, with and without them) on the devices that the rules leave, derives the transfers, estimates and
// checks the plan. A planner that does not know the rules and breaks them ends with InfeasibleError.
Plan make_plan(const std::string& planner, const PlanRequest& request);

}  // namespace lingua
