#include <algorithm>
#include <chrono>
#include <optional>

#include "runtime/planner/overlap/overlap_problem.h"

namespace lingua {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSameGain = 1e-9;  // of the unchanged value; gains that close are the same
constexpr int kSteps[] = {1, 2, 4, 8};
constexpr int kChanges[] = {0, 1, -1, 2, -2, 4, -4, 8, -8};

// Storage that reaches at least and at most so far, and what each scenario would do within it if it were
// the only one.
struct Node {
  Storage least;
  Storage most;
  Storage reach;     // what all scenarios together would store
  double bound = 0;  // on the expected gain
  int broken = -1;   // a stage that cannot hold `reach`; -1: all can, and the bound is attained
};

class GainSearch {
 public:
  GainSearch(const OverlapProblem& problem, const OverlapLimits& limits)
      : problem_(problem),
        limits_(limits),
        same_(kSameGain * problem.expected_unchanged()),
        best_(problem.runs()) {}

  OverlapChoice run() {
    Node root = relax(problem_.runs(), problem_.widest());
    double bound = root.bound;
    if (!offer(root)) {
      grow();
      if (limits_.most_nodes > 0) bound = branch(std::move(root));
      if (bound > gain_ + same_) improve();
    }
    const double gain = gain_;
    shrink();
    return {best_, bound <= gain + same_, std::max(bound, gain)};
  }

 private:
  bool out_of_time() const { return Clock::now() > limits_.deadline; }

  Node relax(const Storage& least, const Storage& most) const {
    Node node{least, most, least, 0, -1};
    std::vector<std::vector<int>> starts;
    for (int i = 0; i < problem_.scenarios(); ++i) {
      const Boundaries found = problem_.reach_between(i, least, most);
      node.bound += problem_.slow_down(i).probability * (problem_.unchanged(i) - found.value);
      for (int s = 0; s < problem_.stages(); ++s) {
        node.reach[s] = hull(node.reach[s], {found.starts[s], found.starts[s + 1]});
      }
      starts.push_back(found.starts);
    }
    for (int s = 0; s < problem_.stages(); ++s) {
      for (const std::vector<int>& at : starts) {
        if (!problem_.holds(s, node.reach[s], {at[s], at[s + 1]})) node.broken = s;
      }
    }
    return node;
  }

  // Takes what a node would store where that can be; returns whether the node is done with.
  bool offer(const Node& node) {
    if (node.bound <= gain_ + same_) return true;
    if (node.broken < 0) take(node.reach, problem_.expected_gain(node.reach));
    return node.broken < 0;
  }

  void take(const Storage& storage, double gain) {
    best_ = storage;
    gain_ = gain;
  }

  // Depth first; returns what bounds the gain of all that was not looked at, or the best gain.
  double branch(Node root) {
    std::vector<Node> open;
    open.push_back(std::move(root));
    for (int nodes = 0; !open.empty() && nodes < limits_.most_nodes && !out_of_time(); ++nodes) {
      const Node node = std::move(open.back());
      open.pop_back();
      if (node.bound <= gain_ + same_) continue;
      // The broken stage stores no further than `reach` on one side, or at least as far.
      const int s = node.broken;
      Storage near = node.most;
      Storage far = node.least;
      if (node.reach[s].first < node.least[s].first) {
        near[s].first = node.reach[s].first + 1;
        far[s].first = node.reach[s].first;
      } else {
        near[s].end = node.reach[s].end - 1;
        far[s].end = node.reach[s].end;
      }
      for (Node& child : std::vector<Node>{relax(node.least, near), relax(far, node.most)}) {
        if (!offer(child)) open.push_back(std::move(child));
      }
    }
    double bound = gain_;
    for (const Node& node : open) bound = std::max(bound, node.bound);
    return bound;
  }

  // The best storage with one stage's changed, when it can be; negative numbers shorten it.
  std::optional<Storage> changed(int stage, int left, int right) const {
    Storage storage = best_;
    Span& span = storage[stage];
    const Span& run = problem_.runs()[stage];
    const Span& widest = problem_.widest()[stage];
    span.first = std::clamp(span.first - left, widest.first, run.first);
    span.end = std::clamp(span.end + right, run.end, widest.end);
    if (span == best_[stage] || !problem_.holds(stage, span, run)) return std::nullopt;
    return storage;
  }

  // Extends one side of one stage after the other, each time the one that gains most per byte.
  void grow() {
    while (true) {
      std::optional<Storage> next;
      double next_gain = 0;
      double best_rate = 0;
      for (int s = 0; s < problem_.stages(); ++s) {
        for (int step : kSteps) {
          for (const auto& storage : {changed(s, step, 0), changed(s, 0, step)}) {
            if (!storage || out_of_time()) continue;
            const double gain = problem_.expected_gain(*storage);
            const double bytes = problem_.stored_bytes(*storage) - problem_.stored_bytes(best_);
            const double rate = (gain - gain_) / std::max(bytes, 1.0);
            if (gain <= gain_ + same_ || rate <= best_rate) continue;
            next = storage;
            next_gain = gain;
            best_rate = rate;
          }
        }
      }
      if (!next) return;
      take(*next, next_gain);
    }
  }

  // Changes both sides of a stage at a time, as long as that gains.
  void improve() {
    for (bool better = true; better;) {
      better = false;
      for (int s = 0; s < problem_.stages(); ++s) {
        for (int left : kChanges) {
          for (int right : kChanges) better = try_change(s, left, right, gain_ + same_) || better;
        }
      }
    }
  }

  bool try_change(int stage, int left, int right, double least_gain) {
    const std::optional<Storage> storage = changed(stage, left, right);
    if (!storage || out_of_time()) return false;
    const double gain = problem_.expected_gain(*storage);
    if (gain <= least_gain) return false;
    take(*storage, gain);
    return true;
  }

  // Leaves out what gains nothing.
  void shrink() {
    const double least_gain = gain_ - same_;
    for (bool shorter = true; shorter;) {
      shorter = false;
      for (int s = 0; s < problem_.stages(); ++s) {
        for (int step : {8, 4, 2, 1}) {
          while (try_change(s, -step, 0, least_gain)) shorter = true;
          while (try_change(s, 0, -step, least_gain)) shorter = true;
        }
      }
    }
  }

  const OverlapProblem& problem_;
  OverlapLimits limits_;
  double same_;
  Storage best_;
  double gain_ = 0;
};

}  // namespace

OverlapChoice most_gain(const OverlapProblem& problem, const OverlapLimits& limits) {
  return GainSearch(problem, limits).run();
}

}  // namespace lingua
