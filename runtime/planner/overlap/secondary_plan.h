#pragma once
// The secondary plan: which segments each device stores besides those it runs, so that boundaries
// between neighbouring stages can move later without sending weights.
//
// Each stage may store a run of its left neighbour's last segments and one of its right neighbour's
// first, within its memory. When a device slows down, boundaries move at once to the best position where
// every stage has what it is to run: it keeps in memory all that it stores, and states and activations
// of its new run must fit beside it. Devices keep their order, each stage one segment at least, the
// header what PlanRules::header_keeps says. A gain is the value with the plan's boundaries minus that; it
// contains what moving would bring with nobody slow.
//
// Units: values and gains are those of PlanCosts::objective, in the objective's unit, smaller is better;
// bytes. Determinism: no randomness, no clock but for the request's time limit.
// Errors: UsageError for a rule, a device, a factor or a probability that is none, and for an objective
// that weighs throughput against other goals.
// Source: the rule `bytes` is LinguaLinked's secondary optimisation (arXiv 2312.00388 and its code);
// `gain` is ours.

#include <string>
#include <vector>

#include "runtime/planner/planner.h"

namespace lingua {

enum class OverlapRule {
  kGain,   // the highest expected gain over the scenarios; among equals few bytes
  kBytes,  // the most bytes stored twice, each segment on two devices at most
};
OverlapRule parse_overlap_rule(const std::string& name);  // "gain", "bytes"; UsageError
const char* overlap_rule_name(OverlapRule rule);

// A scenario: one device computes `factor` times as slowly as the cluster says.
struct SlowDown {
  DeviceName device;
  double factor = 2;
  double probability = 1;  // relative to those of the other scenarios
};
// Reads "DEVICE=FACTOR" or "DEVICE=FACTOR:PROBABILITY". Errors: UsageError.
SlowDown parse_slow_down(const std::string& text);

struct SecondaryOptions {
  OverlapRule rule = OverlapRule::kGain;
  // Empty: each device of the plan alone, by 2, equally likely.
  std::vector<SlowDown> slow_downs = {};
  int most_nodes = 5000;  // of the search that proves a gain; 0: the heuristic alone
};
// Errors: UsageError.
void check_slow_downs(const std::vector<SlowDown>& slow_downs, const ClusterSpec& cluster);

// What becomes of the plan in a scenario.
struct ScenarioOutcome {
  SlowDown slow_down;                     // its probability as a share of all
  double unchanged = 0;                   // boundaries stay
  double reachable = 0;                   // the best with what is stored
  double unlimited = 0;                   // the best if all devices stored everything at no cost
  std::vector<SegmentId> first_segments;  // of each stage, at the best reachable boundaries

  double gain() const { return unchanged - reachable; }
};

struct SecondaryPlan {
  OverlapRule rule = OverlapRule::kGain;
  Objective objective;
  std::vector<std::vector<SegmentId>> stored_segments;  // by stage, ascending
  std::vector<double> stored_bytes;                     // by stage, besides what it runs
  double expected_gain = 0;
  // No storage has a higher expected gain (`gain`), or a higher number of bytes (`bytes`). Otherwise
  // the best that a heuristic found.
  bool proven = false;
  double gain_bound = 0;  // of `gain`: no storage has a higher expected gain
  std::vector<ScenarioOutcome> scenarios;

  double total_bytes() const;
};

// The method of `gain`: branch and bound on how far each stage's storage reaches. The bound lets every
// scenario store for itself alone; where all that fits together, it is the optimum at once. A greedy
// search by gain per byte gives the first answer; local search improves it where the nodes do not
// suffice for a proof. The request's time limit ends the search with the best so far and what bounds it.
// `bytes` is a dynamic program and exact.
// REQUIRES: the plan was made for the request or checked against it.
SecondaryPlan secondary_plan(const Plan& plan, const PlanRequest& request,
                             const SecondaryOptions& options);

// Lets the plan store what the secondary plan says, and nothing else; renews the memory of its estimate.
void apply_secondary(const SecondaryPlan& secondary, const PlanRequest& request, Plan* plan);

}  // namespace lingua
