#include "runtime/planner/search/label_setting.h"

#include <algorithm>
#include <memory>

#include "runtime/base/errors.h"
#include "runtime/planner/search/chain_bounds.h"

namespace lingua {
namespace {

// A chain up to where `device` starts with `segment`.
struct Label {
  Price price;
  std::uint64_t used = 0;
  int segment = 0;
  int device = 0;
  int parent = -1;  // index of the label before
};

bool dominates(const Label& a, const Label& b) {
  return a.price.cost <= b.price.cost && a.price.medium <= b.price.medium &&
         (a.used & ~b.used) == 0;
}

class Search {
 public:
  Search(const PlanCosts& costs, const ChainLimits& limits, std::size_t width)
      : costs_(costs), limits_(limits), width_(width), best_value_(limits.cutoff) {}

  ChainResult run() {
    std::vector<std::pair<double, int>> headers;
    std::vector<std::unique_ptr<ChainBounds>> bounds(costs_.devices());
    for (int header : possible_headers(costs_)) {
      if (!limits_.at_leisure && time_is_over()) {
        exact_ = false;
        break;
      }
      bounds[header] = std::make_unique<ChainBounds>(costs_, header, limits_.busiest);
      headers.emplace_back(bounds[header]->value(), header);
    }
    std::sort(headers.begin(), headers.end());
    for (const auto& [value, header] : headers) {
      if (best_ && time_is_over()) exact_ = timely_ = false;
      if (made_ > limits_.effort) break;
      if (value < best_value_) search_from(header, *bounds[header]);
    }
    return {std::move(best_), exact_, 0, made_};
  }

 private:
  std::vector<int>& waiting(int segment, int device) {
    return waiting_[static_cast<std::size_t>(segment) * costs_.devices() + device];
  }

  void search_from(int header, const ChainBounds& bounds) {
    labels_.clear();
    waiting_.assign(static_cast<std::size_t>(costs_.segments()) * costs_.devices(), {});
    labels_.push_back({{}, std::uint64_t{1} << header, 0, header, -1});
    waiting(0, header).push_back(0);
    for (int segment = 0; segment < costs_.segments(); ++segment) {
      for (int device = 0; device < costs_.devices(); ++device) {
        for (int label : undominated(waiting(segment, device))) {
          if (out_of_time()) return;
          extend(label, header, bounds);
        }
      }
    }
  }

  bool time_is_over() const { return costs_.out_of_time() || costs_.elapsed_s() > limits_.until_s; }

  bool out_of_time() {
    constexpr int kOften = 16;
    if (++looks_ % kOften == 0 && !limits_.at_leisure && time_is_over()) exact_ = timely_ = false;
    return !timely_;
  }

  bool dearer(int a, int b) const {
    const double cost_a = labels_[a].price.cost;
    const double cost_b = labels_[b].price.cost;
    return cost_a != cost_b ? cost_a > cost_b : a > b;
  }

  // The cheapest first; a heap, for where few are kept most are never looked at.
  std::vector<int> undominated(std::vector<int>& candidates) {
    const auto first = [&](int a, int b) { return dearer(a, b); };
    std::make_heap(candidates.begin(), candidates.end(), first);
    std::vector<int> kept;
    for (auto end = candidates.end(); end != candidates.begin();) {
      if (out_of_time()) break;
      std::pop_heap(candidates.begin(), end--, first);
      const int candidate = *end;
      const bool dominated = std::any_of(kept.begin(), kept.end(), [&](int other) {
        return dominates(labels_[other], labels_[candidate]);
      });
      if (dominated) continue;
      if (kept.size() == width_) {
        exact_ = false;
        break;
      }
      kept.push_back(candidate);
    }
    return kept;
  }

  void extend(int index, int header, const ChainBounds& bounds) {
    const Label label = labels_[index];
    for (int last = label.segment; last < costs_.segments(); ++last) {
      const Run run{label.device, label.segment, last};
      if (!costs_.fits(run) || costs_.compute(run) > limits_.busiest) return;
      if (!costs_.allowed(run)) continue;
      Label next = label;
      next.price = label.price + costs_.price(run);
      next.parent = index;
      next.segment = last + 1;
      if (last + 1 == costs_.segments()) {
        finish(run, next, header);
      } else {
        hand_over(next, label, bounds);
      }
    }
  }

  // From the end of a run of `from` to every device that could go on.
  void hand_over(const Label& at, const Label& from, const ChainBounds& bounds) {
    for (int device = 0; device < costs_.devices(); ++device) {
      const std::uint64_t bit = std::uint64_t{1} << device;
      if ((at.used & bit) != 0) continue;
      if (costs_.busy(from.device, device, from.segment, at.segment) > limits_.busiest) continue;
      Label next = at;
      next.device = device;
      next.used |= bit;
      next.price = at.price + costs_.transfer_price(from.device, device, from.segment, at.segment);
      if ((next.price + bounds.price(at.segment, device)).value() >= best_value_) continue;
      if (++made_ > limits_.effort) {
        exact_ = timely_ = false;
        return;
      }
      labels_.push_back(next);
      wait(at.segment, device, static_cast<int>(labels_.size()) - 1);
    }
  }

  // In a narrow search only the cheapest wait, if they are many more than will be kept.
  void wait(int segment, int device, int label) {
    constexpr std::size_t kNarrow = 100;
    constexpr std::size_t kWaiting = 4;
    std::vector<int>& candidates = waiting(segment, device);
    candidates.push_back(label);
    if (width_ > kNarrow || candidates.size() < 2 * kWaiting * width_) return;
    const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(kWaiting * width_);
    std::nth_element(candidates.begin(), end, candidates.end(),
                     [&](int a, int b) { return dearer(b, a); });
    candidates.erase(end, candidates.end());
    exact_ = false;
  }

  void finish(const Run& final_run, const Label& end, int header) {
    if (costs_.answer_busy(final_run, header) > limits_.busiest) return;
    const double value = (end.price + costs_.answer_price(final_run, header)).value();
    if (value >= best_value_) return;
    best_value_ = value;
    std::vector<Run> runs;
    int last = costs_.segments() - 1;
    for (int index = end.parent; index >= 0; index = labels_[index].parent) {
      runs.push_back({labels_[index].device, labels_[index].segment, last});
      last = labels_[index].segment - 1;
    }
    std::reverse(runs.begin(), runs.end());
    best_ = std::move(runs);
  }

  const PlanCosts& costs_;
  const ChainLimits& limits_;
  std::size_t width_;
  double best_value_;
  std::optional<std::vector<Run>> best_;
  bool exact_ = true;
  bool timely_ = true;
  int looks_ = 0;          // at the time
  std::int64_t made_ = 0;  // labels
  std::vector<Label> labels_;
  std::vector<std::vector<int>> waiting_;
};

}  // namespace

void check_chain_devices(int devices, const char* planner) {
  if (devices <= kMaxChainDevices) return;
  throw UsageError(
      fmt::format("planner '{}' takes at most {} devices; here are {}: cbc, dp and the simple "
                  "planners take more",
                  planner, kMaxChainDevices, devices));
}

ChainResult search_chain(const PlanCosts& costs, const ChainLimits& limits, std::size_t width) {
  LINGUA_CHECK(costs.devices() <= kMaxChainDevices);
  return Search(costs, limits, width).run();
}

}  // namespace lingua
