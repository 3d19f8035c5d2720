#include "runtime/plan/improve_chain.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/plan/chain_search.h"
#include "runtime/plan/estimate.h"

namespace lingua {
namespace {

using Chain = std::vector<Run>;

// All chains that are one change away.
class Neighbours {
 public:
  Neighbours(const PlanCosts& costs, const Chain& chain) : costs_(costs), chain_(chain) {
    used_.assign(costs.devices(), false);
    for (const Run& run : chain) used_[run.device] = true;
    for (std::size_t s = 0; s < chain.size(); ++s) {
      move_cut(s);
      change_device(s);
      leave_out(s);
      split(s);
    }
  }

  // Those that fit and could be better than `value`, the most promising first.
  std::vector<Chain> hopeful(double value) const {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const Chain& chain = all_[i];
      if (costs_.header() >= 0 && chain.front().device != costs_.header()) continue;
      if (!std::all_of(chain.begin(), chain.end(),
                       [&](const Run& r) { return costs_.fits(r) && costs_.allowed(r); }))
        continue;
      const double bound = costs_.objective(chain);
      if (bound < value * (1 - kSameValue)) order.emplace_back(bound, i);
    }
    std::sort(order.begin(), order.end());
    std::vector<Chain> chains;
    for (const auto& [bound, i] : order) chains.push_back(all_[i]);
    return chains;
  }

 private:
  void move_cut(std::size_t s) {
    if (s == 0) return;
    for (int by : {1, -1, 2, -2, 4, -4, 8, -8}) {
      Chain next = chain_;
      next[s - 1].last += by;
      next[s].first += by;
      if (next[s - 1].last >= next[s - 1].first && next[s].last >= next[s].first)
        all_.push_back(std::move(next));
    }
  }

  void change_device(std::size_t s) {
    for (int device = 0; device < costs_.devices(); ++device) {
      if (used_[device]) continue;
      all_.push_back(chain_);
      all_.back()[s].device = device;
    }
    for (std::size_t other = s + 1; other < chain_.size(); ++other) {
      all_.push_back(chain_);
      std::swap(all_.back()[s].device, all_.back()[other].device);
    }
  }

  void leave_out(std::size_t s) {
    const auto at = static_cast<std::ptrdiff_t>(s);
    if (s > 0) {
      Chain next = chain_;
      next[s - 1].last = next[s].last;
      next.erase(next.begin() + at);
      all_.push_back(std::move(next));
    }
    if (s + 1 < chain_.size()) {
      Chain next = chain_;
      next[s + 1].first = next[s].first;
      next.erase(next.begin() + at);
      all_.push_back(std::move(next));
    }
  }

  // A device that has nothing takes a part of a run, from its end or from its beginning.
  void split(std::size_t s) {
    const Run& run = chain_[s];
    const int length = run.last - run.first + 1;
    for (int part : {1, length / 4, length / 2}) {
      if (part < 1 || part >= length) continue;
      for (int device = 0; device < costs_.devices(); ++device) {
        if (used_[device]) continue;
        const auto at = static_cast<std::ptrdiff_t>(s);
        Chain end = chain_;
        end[s].last -= part;
        end.insert(end.begin() + at + 1, {device, run.last - part + 1, run.last});
        all_.push_back(std::move(end));
        Chain beginning = chain_;
        beginning[s].first += part;
        beginning.insert(beginning.begin() + at, {device, run.first, run.first + part - 1});
        all_.push_back(std::move(beginning));
      }
    }
  }

  const PlanCosts& costs_;
  const Chain& chain_;
  std::vector<bool> used_;
  std::vector<Chain> all_;
};

class Improvement {
 public:
  explicit Improvement(const PlanCosts& costs) : costs_(costs) {}

  bool has_effort() const { return estimates_ < kMostEstimates && !costs_.out_of_time(); }

  double quick_value(const Chain& chain) {
    ++estimates_;
    return estimated_value(costs_, chain, kQuickPlay);
  }

  // Climbs again and again from the best chain with some changes by chance.
  Chain wander(Chain best) {
    Rng rng(1);
    double value = quick_value(best);
    for (int tries = 0; has_effort() && tries < most_tries(); ++tries) {
      Chain chain = best;
      for (auto changes = 2 + rng.below(3); changes > 0; --changes) {
        const std::vector<Chain> near = Neighbours(costs_, chain).hopeful(kNoLimit);
        if (!near.empty()) chain = near[rng.below(near.size())];
      }
      chain = climb(std::move(chain));
      const double next_value = quick_value(chain);
      if (next_value >= value * (1 - kSameValue)) continue;
      best = std::move(chain);
      value = next_value;
      tries = 0;
    }
    return best;
  }

  // Takes the first better neighbour, until there is none.
  Chain climb(Chain chain) {
    double value = quick_value(chain);
    for (bool better = true; better && has_effort();) {
      better = false;
      for (const Chain& next : Neighbours(costs_, chain).hopeful(value)) {
        const double next_value = quick_value(next);
        if (next_value < value * (1 - kSameValue)) {
          chain = next;
          value = next_value;
          better = true;
          break;
        }
        if (!has_effort()) break;
      }
    }
    return chain;
  }

 private:
  static constexpr PlayLimits kQuickPlay{6'000, 32};
  static constexpr int kMostEstimates = 5'000;

  // Without success; fewer from a plan that was good already.
  int most_tries() const { return costs_.request().running == nullptr ? 40 : 10; }

  const PlanCosts& costs_;
  int estimates_ = 0;
};

std::vector<Chain> plans_of_others(const PlanCosts& costs) {
  std::vector<Chain> chains;
  for (const PlannerEntry& entry : planners()) {
    if (entry.proves) continue;
    try {
      Chain chain = costs.runs(entry.run(costs.request()).stages);
      if (!chain.empty()) chains.push_back(std::move(chain));
    } catch (const InfeasibleError&) {  // then it is no plan to start from
    }
  }
  return chains;
}

// Between the least latency and the least bottleneck, whatever the requests in flight: for some limits
// on what is busiest, a chain of little latency.
std::vector<Chain> compromises(const PlanCosts& costs, const Chain& least_busy) {
  constexpr std::size_t kWidth = 8;
  std::vector<Chain> chains;
  for (double slack : {1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0}) {
    if (costs.out_of_time()) break;
    const double busiest = slack * costs.bottleneck(least_busy) * (1 + kSameValue);
    if (auto runs = search_chain(costs, {busiest, kNoLimit}, kWidth).runs) {
      chains.push_back(std::move(*runs));
    }
  }
  return chains;
}

}  // namespace

std::vector<Run> descend(const PlanCosts& costs, std::vector<Run> runs) {
  while (!costs.out_of_time()) {
    std::vector<Chain> better = Neighbours(costs, runs).hopeful(costs.objective(runs));
    if (better.empty()) break;
    runs = std::move(better.front());
  }
  return runs;
}

std::vector<Run> improve_chain(const PlanCosts& costs, const std::vector<Run>& runs) {
  constexpr std::size_t kStarts = 4;
  if (costs.out_of_time()) return runs;
  std::vector<Chain> starts = {runs};
  if (costs.request().running == nullptr) {
    for (Chain& chain : plans_of_others(costs)) starts.push_back(std::move(chain));
  }
  if (costs.devices() <= kMaxChainDevices && !costs.out_of_time()) {
    for (Chain& chain : compromises(costs, runs)) starts.push_back(std::move(chain));
  }
  Improvement improvement(costs);
  std::vector<std::pair<double, Chain>> chains;  // by their value when played in full
  const auto note = [&](const Chain& chain) {
    chains.emplace_back(estimated_value(costs, chain), chain);
  };
  const auto best_first = [&] {
    std::stable_sort(chains.begin(), chains.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    chains.erase(std::unique(chains.begin(), chains.end()), chains.end());
  };
  for (const Chain& chain : starts) {
    if (!chains.empty() && costs.out_of_time()) break;
    note(chain);
  }
  best_first();
  const std::size_t count = std::min(kStarts, chains.size());
  for (std::size_t i = 0; i < count && improvement.has_effort(); ++i)
    note(improvement.climb(chains[i].second));
  best_first();
  if (improvement.has_effort()) note(improvement.wander(chains.front().second));
  best_first();
  return chains.front().second;
}

}  // namespace lingua
