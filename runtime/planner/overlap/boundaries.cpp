#include "runtime/planner/overlap/boundaries.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr double kSame = 1e-9;  // relative; values that close are the same

double chain_value(const Price& price, double busiest) { return std::max(busiest, price.value()); }

}  // namespace

BoundarySearch::BoundarySearch(const PlanCosts& costs, std::vector<int> devices,
                               std::vector<Range> ranges)
    : costs_(costs), devices_(std::move(devices)), widest_(std::move(ranges)) {
  LINGUA_CHECK(widest_.size() == devices_.size() + 1, "a range for each start and for the end");
  for (const Range& range : widest_) {
    labels_.emplace_back(static_cast<std::size_t>(range.high - range.low + 1));
  }
  for (int s = 0; s < stages(); ++s) {
    parts_.emplace_back();
    for (int first = widest_[s].low; first <= widest_[s].high; ++first) {
      for (int end = widest_[s + 1].low; end <= widest_[s + 1].high; ++end) {
        parts_.back().push_back(first < end ? part(s, first, end) : Part{});
      }
    }
  }
}

BoundarySearch::Part BoundarySearch::part(int stage, int first, int end) const {
  const bool last = stage + 1 == stages();
  const int from = devices_[stage];
  const int to = devices_[last ? 0 : stage + 1];
  const Run run{from, first, end - 1};
  const double sending = last ? costs_.answer_busy(run, to) : costs_.busy(from, to, first, end);
  const Price price = costs_.price(run) + (last ? costs_.answer_price(run, to)
                                                : costs_.transfer_price(from, to, first, end));
  return {price, costs_.busy_price() * std::max(costs_.compute(run), sending), 0};
}

double BoundarySearch::value(const std::vector<int>& starts) const {
  std::vector<Run> runs;
  for (int s = 0; s < stages(); ++s) runs.push_back({devices_[s], starts[s], starts[s + 1] - 1});
  return costs_.objective(runs);
}

BoundarySearch::Part& BoundarySearch::part_at(int stage, int first, int end) {
  const Range& ends = widest_[stage + 1];
  const int row = first - widest_[stage].low;
  return parts_[stage][static_cast<std::size_t>(row) * (ends.high - ends.low + 1) + end - ends.low];
}

std::vector<BoundarySearch::Label>& BoundarySearch::labels_at(int stage, int start) {
  return labels_[stage][start - widest_[stage].low];
}

void BoundarySearch::open(const std::vector<Range>& ranges, const StoredBytes& stored_bytes) {
  for (int s = 0; s < stages(); ++s) {
    for (int first = ranges[s].low; first <= ranges[s].high; ++first) {
      for (int end = std::max(first + 1, ranges[s + 1].low); end <= ranges[s + 1].high; ++end) {
        part_at(s, first, end).bytes = stored_bytes(s, first, end);
      }
    }
  }
}

// Continues all chains that reach a stage's start to every end that the limits allow.
void BoundarySearch::extend(int stage, int first, const Range& ends, const Limits& limits) {
  const auto no_worse = [](const Part& a, const Part& b) {
    return a.price.cost <= b.price.cost && a.price.medium <= b.price.medium && a.bytes <= b.bytes;
  };
  const std::vector<Label>& chains = labels_at(stage, first);
  if (chains.empty()) return;
  for (int end = std::max(first + 1, ends.low); end <= ends.high; ++end) {
    const Part& step = part_at(stage, first, end);
    if (step.bytes == kNoLimit) continue;
    if (step.busiest > limits.busiest) {
      next_busiest_ = std::min(next_busiest_, step.busiest);
      continue;
    }
    std::vector<Label>& there = labels_at(stage + 1, end);
    for (std::size_t c = 0; c < chains.size(); ++c) {
      const Part& before = chains[c].sum;
      const Part sum{before.price + step.price, std::max(before.busiest, step.busiest),
                     limits.lean ? before.bytes + step.bytes : 0};
      if (sum.price.value() > limits.value) continue;
      if (std::any_of(there.begin(), there.end(),
                      [&](const Label& other) { return no_worse(other.sum, sum); })) {
        continue;
      }
      std::erase_if(there, [&](const Label& other) { return no_worse(sum, other.sum); });
      there.push_back({sum, first - widest_[stage].low, static_cast<int>(c)});
    }
  }
}

std::optional<BoundarySearch::Chain> BoundarySearch::shortest(const std::vector<Range>& ranges,
                                                              const Limits& limits) {
  next_busiest_ = kNoLimit;
  for (auto& of_stage : labels_) {
    for (auto& labels : of_stage) labels.clear();
  }
  labels_at(0, ranges[0].low).push_back({});
  for (int s = 0; s < stages(); ++s) {
    for (int first = ranges[s].low; first <= ranges[s].high; ++first) {
      extend(s, first, ranges[s + 1], limits);
    }
  }
  const std::vector<Label>& ends = labels_at(stages(), costs_.segments());
  if (ends.empty()) return std::nullopt;
  const auto best = std::min_element(ends.begin(), ends.end(), [&](const Label& a, const Label& b) {
    return limits.lean ? a.sum.bytes < b.sum.bytes : a.sum.price.value() < b.sum.price.value();
  });
  return chain_to(static_cast<int>(best - ends.begin()));
}

BoundarySearch::Chain BoundarySearch::chain_to(int label) {
  Chain chain;
  chain.starts.assign(devices_.size() + 1, 0);
  chain.starts.back() = costs_.segments();
  chain.sum = labels_at(stages(), costs_.segments())[label].sum;
  for (int s = stages(); s > 0; --s) {
    const Label& at = labels_at(s, chain.starts[s])[label];
    chain.starts[s - 1] = widest_[s - 1].low + at.start;
    label = at.previous;
  }
  return chain;
}

// No chain has a lower value than `low`: it rises to the next busiest part as limits lead to nothing.
BoundarySearch::Chain BoundarySearch::narrow(const std::vector<Range>& ranges, Chain best) {
  const auto value = [](const Chain& chain) {
    return chain_value(chain.sum.price, chain.sum.busiest);
  };
  double low = best.sum.price.value();
  double high = value(best);
  double limit = low;
  while (low < high * (1 - kSame)) {
    Limits limits;
    limits.busiest = limit;
    std::optional<Chain> chain = shortest(ranges, limits);
    if (!chain || chain->sum.price.value() > limit) low = next_busiest_;
    if (chain && value(*chain) < high) {
      high = value(*chain);
      best = std::move(*chain);
    }
    limit = low + (high - low) / 2;
  }
  return best;
}

std::optional<BoundarySearch::Chain> BoundarySearch::best_chain(const std::vector<Range>& ranges) {
  std::optional<Chain> chain = shortest(ranges, {});
  if (chain && costs_.busy_price() > 0) chain = narrow(ranges, std::move(*chain));
  return chain;
}

Boundaries BoundarySearch::boundaries(const Chain& chain) const {
  return {chain.starts, value(chain.starts)};
}

std::optional<Boundaries> BoundarySearch::best(const std::vector<Range>& ranges,
                                               const StoredBytes& stored_bytes) {
  open(ranges, stored_bytes);
  const std::optional<Chain> chain = best_chain(ranges);
  if (!chain) return std::nullopt;
  return boundaries(*chain);
}

std::optional<Boundaries> BoundarySearch::leanest(const std::vector<Range>& ranges,
                                                  const StoredBytes& stored_bytes) {
  open(ranges, stored_bytes);
  const std::optional<Chain> chain = best_chain(ranges);
  if (!chain) return std::nullopt;
  Limits limits;
  limits.lean = true;
  limits.value = chain_value(chain->sum.price, chain->sum.busiest) * (1 + kSame);
  limits.busiest = limits.value;
  const std::optional<Chain> lean = shortest(ranges, limits);
  LINGUA_CHECK(lean.has_value(), "a chain is not within its own limits");
  return boundaries(*lean);
}

}  // namespace lingua
