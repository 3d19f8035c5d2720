#include "runtime/planner/search/chain_bounds.h"

#include <algorithm>

namespace lingua {

ChainBounds::ChainBounds(const PlanCosts& costs, int header, double busiest)
    : costs_(&costs), header_(header) {
  price_.assign(static_cast<std::size_t>(costs.segments()) * costs.devices(),
                {kNoLimit, costs.weighs_medium() ? kNoLimit : 0});
  for (int segment = costs.segments() - 1; segment >= 0; --segment) {
    for (int device = 0; device < costs.devices(); ++device) fill(segment, device, busiest);
  }
}

void ChainBounds::fill(int segment, int device, double busiest) {
  Price& best = price_[at(segment, device)];
  const auto offer = [&](const Price& price) {
    best.cost = std::min(best.cost, price.cost);
    best.medium = std::min(best.medium, price.medium);
  };
  for (int last = segment; last < costs_->segments(); ++last) {
    const Run run{device, segment, last};
    if (!costs_->fits(run) || costs_->compute(run) > busiest) return;
    if (!costs_->allowed(run)) continue;
    const int cut = last + 1;
    const Price price = costs_->price(run);
    if (cut == costs_->segments()) {
      if (costs_->answer_busy(run, header_) > busiest) return;
      offer(price + costs_->answer_price(run, header_));
      return;
    }
    for (int next = 0; next < costs_->devices(); ++next) {
      if (next == device || next == header_) continue;
      if (costs_->busy(device, next, segment, cut) > busiest) continue;
      offer(price + costs_->transfer_price(device, next, segment, cut) + price_[at(cut, next)]);
    }
  }
}

std::vector<int> possible_headers(const PlanCosts& costs) {
  if (costs.header() >= 0) return {costs.header()};
  std::vector<int> headers(costs.devices());
  for (int d = 0; d < costs.devices(); ++d) headers[d] = d;
  return headers;
}

}  // namespace lingua
