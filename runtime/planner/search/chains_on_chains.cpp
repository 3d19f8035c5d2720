#include "runtime/planner/search/chains_on_chains.h"

#include <algorithm>

namespace lingua {

std::vector<Run> least_busy_cuts(const PlanCosts& costs, const std::vector<int>& order) {
  const int segments = costs.segments();
  const std::size_t width = static_cast<std::size_t>(segments) + 1;
  struct Best {
    double busiest = kNoLimit;
    int start = -1;
  };
  std::vector<Best> best((order.size() + 1) * width);  // of the first k devices up to a segment
  best[0].busiest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const int reach = segments - static_cast<int>(order.size() - k - 1);
    for (int start = static_cast<int>(k); start < reach; ++start) {
      double before = best[k * width + start].busiest;
      if (before == kNoLimit) continue;
      if (k > 0) before = std::max(before, costs.busy(order[k - 1], order[k], start - 1, start));
      for (int end = start + 1; end <= reach; ++end) {
        const Run run{order[k], start, end - 1};
        if (!costs.fits(run)) break;
        Best& here = best[(k + 1) * width + end];
        const double busiest = std::max(before, costs.compute(run));
        if (busiest < here.busiest && costs.allowed(run)) here = {busiest, start};
      }
    }
  }
  std::vector<Run> chain(order.size());
  int end = segments;
  for (std::size_t k = order.size(); k > 0; --k) {
    const int start = best[k * width + end].start;
    if (start < 0) return {};
    chain[k - 1] = {order[k - 1], start, end - 1};
    end = start;
  }
  return chain;
}

}  // namespace lingua
