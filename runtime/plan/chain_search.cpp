#include "runtime/plan/chain_search.h"

#include <algorithm>
#include <memory>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

// A chain up to where `device` starts with `segment`.
struct Label {
  double latency = 0;
  double medium = 0;
  std::uint64_t used = 0;
  int segment = 0;
  int device = 0;
  int parent = -1;  // index of the label before
};

bool dominates(const Label& a, const Label& b) {
  return a.latency <= b.latency && a.medium <= b.medium && (a.used & ~b.used) == 0;
}

class Search {
 public:
  Search(const PlanCosts& costs, const ChainLimits& limits, std::size_t width)
      : costs_(costs), limits_(limits), width_(width), best_value_(limits.cutoff) {}

  ChainResult run() {
    std::vector<std::pair<double, int>> headers;
    std::vector<std::unique_ptr<ChainBounds>> bounds(costs_.devices());
    for (int header : possible_headers(costs_)) {
      bounds[header] = std::make_unique<ChainBounds>(costs_, header, limits_.busiest);
      headers.emplace_back(bounds[header]->value(), header);
    }
    std::sort(headers.begin(), headers.end());
    for (const auto& [value, header] : headers) {
      if (value < best_value_) search_from(header, *bounds[header]);
    }
    return {std::move(best_), exact_, 0};
  }

 private:
  std::vector<int>& waiting(int segment, int device) {
    return waiting_[static_cast<std::size_t>(segment) * costs_.devices() + device];
  }

  void search_from(int header, const ChainBounds& bounds) {
    labels_.clear();
    waiting_.assign(static_cast<std::size_t>(costs_.segments()) * costs_.devices(), {});
    labels_.push_back({0, 0, std::uint64_t{1} << header, 0, header, -1});
    waiting(0, header).push_back(0);
    for (int segment = 0; segment < costs_.segments(); ++segment) {
      for (int device = 0; device < costs_.devices(); ++device) {
        for (int label : undominated(waiting(segment, device))) extend(label, header, bounds);
      }
    }
  }

  std::vector<int> undominated(std::vector<int>& candidates) {
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](int a, int b) { return labels_[a].latency < labels_[b].latency; });
    std::vector<int> kept;
    for (int candidate : candidates) {
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
      const double compute = costs_.compute(run);
      if (!costs_.fits(run) || compute > limits_.busiest) return;
      if (!costs_.allowed(run)) continue;
      Label next = label;
      next.latency += compute;
      next.parent = index;
      next.segment = last + 1;
      if (last + 1 == costs_.segments()) {
        finish(next, header);
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
      next.latency += costs_.transfer(from.device, device, from.segment, at.segment);
      next.medium += costs_.medium(from.segment, at.segment);
      const double value = chain_value(costs_, next.latency + bounds.latency(at.segment, device),
                                       next.medium + bounds.medium(at.segment, device));
      if (value >= best_value_) continue;
      waiting(at.segment, device).push_back(static_cast<int>(labels_.size()));
      labels_.push_back(next);
    }
  }

  void finish(const Label& end, int header) {
    if (costs_.answer_busy(end.device, header) > limits_.busiest) return;
    const double value = chain_value(costs_, end.latency + costs_.answer(end.device, header),
                                     end.medium + costs_.answer_medium(end.device, header));
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
  std::vector<Label> labels_;
  std::vector<std::vector<int>> waiting_;
};

}  // namespace

double chain_value(const PlanCosts& costs, double latency, double medium) {
  if (costs.request().objective == Objective::kLatency) return latency;
  return std::max(latency / costs.request().workload.overlap(), medium);
}

double chain_value(const PlanCosts& costs, const std::vector<Run>& runs) {
  double medium = costs.answer_medium(runs.back().device, runs.front().device);
  for (std::size_t r = 1; r < runs.size(); ++r) {
    medium += costs.medium(runs[r - 1].first, runs[r].first);
  }
  return chain_value(costs, costs.latency(runs), medium);
}

ChainBounds::ChainBounds(const PlanCosts& costs, int header, double busiest)
    : costs_(&costs), header_(header) {
  latency_.assign(static_cast<std::size_t>(costs.segments()) * costs.devices(), kNoLimit);
  medium_ = latency_;
  for (int segment = costs.segments() - 1; segment >= 0; --segment) {
    for (int device = 0; device < costs.devices(); ++device) fill(segment, device, busiest);
  }
}

void ChainBounds::fill(int segment, int device, double busiest) {
  double& latency = latency_[at(segment, device)];
  double& medium = medium_[at(segment, device)];
  for (int last = segment; last < costs_->segments(); ++last) {
    const Run run{device, segment, last};
    const double compute = costs_->compute(run);
    if (!costs_->fits(run) || compute > busiest) return;
    if (!costs_->allowed(run)) continue;
    const int cut = last + 1;
    if (cut == costs_->segments()) {
      if (costs_->answer_busy(device, header_) > busiest) return;
      latency = std::min(latency, compute + costs_->answer(device, header_));
      medium = std::min(medium, costs_->answer_medium(device, header_));
      return;
    }
    const double cut_medium = costs_->medium(segment, cut);
    for (int next = 0; next < costs_->devices(); ++next) {
      if (next == device || next == header_) continue;
      if (costs_->busy(device, next, segment, cut) > busiest) continue;
      latency = std::min(latency, compute + costs_->transfer(device, next, segment, cut) +
                                      latency_[at(cut, next)]);
      medium = std::min(medium, cut_medium + medium_[at(cut, next)]);
    }
  }
}

double ChainBounds::value() const {
  return chain_value(*costs_, latency(0, header_), medium(0, header_));
}

std::vector<int> possible_headers(const PlanCosts& costs) {
  if (costs.header() >= 0) return {costs.header()};
  std::vector<int> headers(costs.devices());
  for (int d = 0; d < costs.devices(); ++d) headers[d] = d;
  return headers;
}

ChainResult search_chain(const PlanCosts& costs, const ChainLimits& limits, std::size_t width) {
  LINGUA_CHECK(costs.devices() <= kMaxChainDevices);
  return Search(costs, limits, width).run();
}

}  // namespace lingua
