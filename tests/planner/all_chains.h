#pragma once
// Every chain of runs that fits a problem's memory: the plain meaning of what planners search.

#include <functional>
#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua::testing {

class AllChains {
 public:
  using Visit = std::function<void(const std::vector<Run>&)>;

  AllChains(const PlanCosts& costs, Visit visit) : costs_(costs), visit_(std::move(visit)) {
    used_.assign(costs.devices(), false);
    place(0);
  }

 private:
  void place(int first) {
    if (first == costs_.segments()) {
      visit_(runs_);
      return;
    }
    for (int device = 0; device < costs_.devices(); ++device) {
      if (used_[device] || (first == 0 && costs_.header() >= 0 && device != costs_.header()))
        continue;
      used_[device] = true;
      for (int last = first; last < costs_.segments(); ++last) {
        if (!costs_.fits({device, first, last})) break;
        runs_.push_back({device, first, last});
        place(last + 1);
        runs_.pop_back();
      }
      used_[device] = false;
    }
  }

  const PlanCosts& costs_;
  Visit visit_;
  std::vector<bool> used_;
  std::vector<Run> runs_;
};

// The least of a quantity over all chains; kNoLimit when there is no chain.
inline double least_of_all_chains(const PlanCosts& costs,
                                  const std::function<double(const std::vector<Run>&)>& quantity) {
  double least = kNoLimit;
  AllChains(costs, [&](const std::vector<Run>& runs) { least = std::min(least, quantity(runs)); });
  return least;
}

}  // namespace lingua::testing
