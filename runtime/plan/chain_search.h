#pragma once
// Searches the chains of plan_costs.h for the cheapest: a dynamic program over (next segment, its
// device, set of used devices).
//
// Source: label setting for shortest paths on which no device may stand twice (Feillet et al.,
// Networks 44(3), 2004), with the path that may use devices twice as the lower bound that prunes.
// Determinism: no randomness, and no clock but for the request's time limit.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/plan/estimate.h"
#include "runtime/plan/plan_costs.h"

namespace lingua {

// The most devices that a search can tell apart.
inline constexpr int kMaxChainDevices = 64;
// For a planner that has no other way. Errors: UsageError.
void check_chain_devices(int devices, const char* planner);

// What a solver may use and must beat.
struct ChainLimits {
  double busiest = kNoLimit;  // of each device and link
  double cutoff = kNoLimit;   // only chains of a lower value count
  bool at_leisure = false;    // the request's time limit does not end the search
  double until_s = kNoLimit;  // of the request's time; this does
};

// Values closer than this, relatively, are the same.
inline constexpr double kSameValue = 1e-9;

// The value of a chain here is that of its price: whatever is not bound by its busiest device or link.
struct ChainResult {
  std::optional<std::vector<Run>> runs;
  bool exact = true;  // the best within the limits, or proof that there is none
  double bound = 0;   // when not exact: no chain within the limits has a lower value
};
using ChainSolver = std::function<ChainResult(const ChainLimits&)>;

// Lower bounds on what remains from a segment that starts on a device, with devices used freely.
class ChainBounds {
 public:
  ChainBounds(const PlanCosts& costs, int header, double busiest);

  const Price& price(int segment, int device) const { return price_[at(segment, device)]; }
  // Of a whole chain that begins on the header.
  double value() const { return price(0, header_).value(); }

 private:
  std::size_t at(int segment, int device) const {
    return static_cast<std::size_t>(segment) * costs_->devices() + device;
  }
  void fill(int segment, int device, double busiest);

  const PlanCosts* costs_;
  int header_;
  std::vector<Price> price_;
};

// The headers that a plan may have.
std::vector<int> possible_headers(const PlanCosts& costs);

// The chain of the lowest value within the limits. At most `width` labels are kept for each segment
// and device; a search that had to drop some, or that the request's time limit ended, is not exact.
// REQUIRES: devices() <= kMaxChainDevices.
ChainResult search_chain(const PlanCosts& costs, const ChainLimits& limits, std::size_t width);

// The best chain for the request's objective, by calls of a solver; `incumbent` may be empty.
struct ChainOptimum {
  std::vector<Run> runs;  // empty: none found
  double bound = 0;       // no chain is better than this
  bool exact = true;
};
ChainOptimum optimise_chain(const PlanCosts& costs, const ChainSolver& solver,
                            const std::vector<Run>& incumbent);

// A good chain at once, by a narrow search, so that an exact solver has only to do better or to prove
// that nothing is; the plan that runs with small changes, where there is one. Empty when it finds none.
std::vector<Run> quick_chain(const PlanCosts& costs);

// What the estimate says of a chain: residual transfers included.
double estimated_value(const PlanCosts& costs, const std::vector<Run>& runs,
                       const PlayLimits& limits = {});

// Where residual transfers make the best chain dearer than its bound: tries the other chains that could
// be better by the estimate, as many as a fixed effort allows. REQUIRES: optimum.runs is not empty.
ChainOptimum refine_chain(const PlanCosts& costs, ChainOptimum optimum);

// What a planner returns for an optimum, refined: proven only where the estimate agrees with the bound.
// Errors: InfeasibleError when there is no chain; WorldError when the search ended too early to
// know.
PlannerResult planner_result(const PlanCosts& costs, const ChainOptimum& optimum);

}  // namespace lingua
