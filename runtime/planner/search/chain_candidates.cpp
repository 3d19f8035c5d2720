#include "runtime/planner/search/chain_candidates.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "runtime/planner/search/chain_bounds.h"
#include "runtime/planner/search/chain_solver.h"

namespace lingua {
namespace {

class Finder {
 public:
  Finder(const PlanCosts& costs, const ChainLimits& limits) : costs_(costs), limits_(limits) {}

  // One sweep over the segments in order: all ways to reach a segment come before those that leave
  // it.
  void add_chains_from(int header) {
    header_ = header;
    const ChainBounds rest(costs_, header, limits_.busiest);
    if (!(rest.value() < limits_.cutoff)) return;
    reach_.assign(static_cast<std::size_t>(costs_.segments()) * costs_.devices(), kNoLimit);
    reach(0, header) = 0;
    for (int first = 0; first < costs_.segments(); ++first) {
      for (int device = 0; device < costs_.devices(); ++device) {
        if (reach(first, device) < kNoLimit) add_runs(first, device, rest);
      }
    }
  }

  ChainCandidates take() const {
    ChainCandidates result;
    for (const auto& [device, first, last] : runs_) result.runs.push_back({device, first, last});
    result.handovers.assign(handovers_.begin(), handovers_.end());
    return result;
  }

 private:
  void add_runs(int first, int device, const ChainBounds& rest) {
    for (int last = first; last < costs_.segments(); ++last) {
      const Run run{device, first, last};
      if (!costs_.fits(run) || costs_.compute(run) > limits_.busiest) return;
      if (!costs_.allowed(run)) continue;
      const double end = reach(first, device) + costs_.price(run).cost;
      if (last + 1 < costs_.segments()) {
        add_handovers(run, end, rest);
      } else if (costs_.answer_busy(run, header_) <= limits_.busiest &&
                 hopeful(end + costs_.answer_price(run, header_).cost)) {
        keep(run);
      }
    }
  }

  void add_handovers(const Run& run, double end, const ChainBounds& rest) {
    const int cut = run.last + 1;
    const int start = costs_.same_message(run.first, cut);
    for (int next = 0; next < costs_.devices(); ++next) {
      if (next == run.device || next == header_) continue;
      if (costs_.busy(run.device, next, start, cut) > limits_.busiest) continue;
      const double arrival = end + costs_.transfer_price(run.device, next, start, cut).cost;
      reach(cut, next) = std::min(reach(cut, next), arrival);
      if (!hopeful(arrival + rest.price(cut, next).cost)) continue;
      keep(run);
      handovers_.insert({cut, start, run.device, next});
    }
  }

  bool hopeful(double cost) const { return cost < limits_.cutoff; }
  void keep(const Run& run) { runs_.insert({run.device, run.first, run.last}); }
  double& reach(int segment, int device) {
    return reach_[static_cast<std::size_t>(segment) * costs_.devices() + device];
  }

  const PlanCosts& costs_;
  const ChainLimits& limits_;
  int header_ = 0;
  std::vector<double> reach_;  // the cheapest way to start a segment on a device
  std::set<std::tuple<int, int, int>> runs_;
  std::set<Handover> handovers_;
};

}  // namespace

ChainCandidates chain_candidates(const PlanCosts& costs, const ChainLimits& limits) {
  Finder finder(costs, limits);
  for (int header : possible_headers(costs)) {
    if (costs.out_of_time()) break;
    finder.add_chains_from(header);
  }
  return finder.take();
}

}  // namespace lingua
