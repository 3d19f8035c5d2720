#pragma once
// The assignment as one would first write it down, to compare with the interval formulation: a binary for
// each segment and device, and a product of two of them for each transfer.
//
//   x_ds: device d runs segment s;  y_dep: d hands segment p's output to e;  b_ds: d's run begins at s
//   y_dep >= x_dp + x_e,p+1 - 1;  b_ds >= x_ds - x_d,s-1;  sum_s b_ds <= 1;  sum_d x_ds = 1
//   memory_d >= sum_s (weights and states of s) x_ds
//   latency:    min sum compute_ds x_ds + sum transfer_dep y_dep + answer
//   throughput: min T, T >= all of these over the overlap, T >= each device's and each link's sum
// Source: LinguaLinked's published formulation (arXiv 2312.00388) with its products linearised.
// It costs a message as if the sender's run were as long as can be, and takes the header as pinned.

#include "runtime/predict/plan_costs.h"

namespace lingua {

struct ObviousResult {
  bool proven = false;
  double value = 0;  // of the best solution, 0 for none
  double bound = 0;  // no solution is better
};

// REQUIRES: the header is pinned; the objective is latency or throughput.
ObviousResult solve_obvious(const PlanCosts& costs, Seconds time_limit);

}  // namespace lingua
