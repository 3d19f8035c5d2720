#pragma once
// The runs and handovers that can be part of a chain within given limits: what an integer program
// needs variables for. Everything else is ruled out by the bounds of chain_bounds.h.

#include <compare>
#include <vector>

#include "runtime/planner/search/chain_solver.h"

namespace lingua {

// What the runs of a device that end before a cut and send the same there hand to another device.
struct Handover {
  int cut = 0;
  int start = 0;  // the first of those runs begins here
  int from = 0;
  int to = 0;

  auto operator<=>(const Handover&) const = default;
};

struct ChainCandidates {
  std::vector<Run> runs;            // by device, first and last segment
  std::vector<Handover> handovers;  // ascending
};

// Not all of them where the request's time limit is over.
ChainCandidates chain_candidates(const PlanCosts& costs, const ChainLimits& limits);

}  // namespace lingua
