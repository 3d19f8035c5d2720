#include "runtime/planner/search/local_search.h"

#include <algorithm>
#include <utility>

#include "runtime/planner/search/chain_bounds.h"

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

}  // namespace

std::vector<Run> descend(const PlanCosts& costs, std::vector<Run> runs) {
  while (!costs.out_of_time()) {
    std::vector<Chain> better = Neighbours(costs, runs).hopeful(costs.objective(runs));
    if (better.empty()) break;
    runs = std::move(better.front());
  }
  return runs;
}

}  // namespace lingua
