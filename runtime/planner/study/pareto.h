#pragma once
// Plans between several goals: those that no other known plan beats in all of them.
//
// Method: each goal alone, then weighted sums with the weights that two neighbours on the front are
// worth the same for, until these give nothing new (Aneja, Nair, Management Science 25(1), 1979); for
// three goals each pair of them, and sums of all three. The other planners' plans are candidates too.
// So every point that is best for some weighted sum of two goals is found, as far as the planner proves
// its plans; points in the dents of the front can be missing.
// Units: values are those of objective_value for the goal alone, smaller is better.
// Determinism: as the planner's.

#include <string>
#include <vector>

#include "runtime/planner/planner.h"

namespace lingua {

struct ParetoPoint {
  Plan plan;
  std::vector<double> values;  // by goal
};

struct ParetoFront {
  std::vector<Objective> goals;        // one weight of 1 each
  std::vector<ParetoPoint> points;     // not beaten, ascending in the first goal
  std::vector<ParetoPoint> dominated;  // of the named planners, by their order
};

// What a front lies between: the goals of the objective when it has several; else latency, throughput
// and, where every device states its power, energy.
std::vector<Objective> goals_of(const Objective& objective, const ClusterSpec& cluster);

// `planner` makes the plans on the front, within the request's time limit for all of them.
// REQUIRES: two goals or more. Errors: those of make_plan.
ParetoFront pareto_front(const std::string& planner, const PlanRequest& request,
                         const std::vector<Objective>& goals);

}  // namespace lingua
