// EdgeShard's joint device selection and partition, by dynamic programming.
//
// Source: Zhang et al., "EdgeShard", arXiv 2405.14371. Layer 0 stays on the source device (the header).
// Latency (its algorithm 1): DP(i, j), the least time until layer i has run on device j, keeps one
// value for each i and j, so that memory taken by a costlier way there is not considered. Throughput
// (its algorithm 2): g(m, S, j), the least slowest stage when the devices S run the first m layers and
// j the last of them; a transfer is a stage of its own, with its latency.
// Of other objectives, those without throughput count as latency. The paper lets a device return in the latency version; plans here have one run for each device.
// Beyond 9 devices only the best of the sets S are kept for each m and j. When the time is over, the best so far
// counts.

#include <algorithm>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/planner/named/planners.h"
#include "runtime/planner/search/label_setting.h"

namespace lingua {
namespace {

struct Label {
  double slowest = 0;
  int segment = 0;  // the next to run
  int device = 0;   // that will run it
  int parent = -1;
};

class SlowestStage {
 public:
  explicit SlowestStage(const PlanCosts& costs) : costs_(costs) {}

  // A narrow pass bounds the wide one.
  std::vector<Run> run() {
    at_leisure_ = !costs_.request().only_in_time;  // some plan is better than none
    const std::vector<Run> narrow = pass(2);
    at_leisure_ = false;
    const std::vector<Run> wide = pass(256);
    return wide.empty() ? narrow : wide;
  }

 private:
  using State = std::pair<int, std::uint64_t>;  // device, set of used devices
  // Labels before a segment, by state.
  struct Frontier {
    std::map<State, int> labels;
    double most = kNoLimit;  // what is slower is not among the best that are kept
    std::size_t room = 0;    // labels, until the slower ones go
  };

  // With so many sets for each device; empty when it finds nothing better than the pass before.
  std::vector<Run> pass(std::size_t width) {
    const int header = costs_.header();
    kept_ = width * static_cast<std::size_t>(costs_.devices());
    labels_.clear();
    end_ = -1;
    frontier_.assign(costs_.segments(), {{}, kNoLimit, 2 * kept_});
    labels_.push_back({0, 0, header, -1});
    frontier_[0].labels[{header, std::uint64_t{1} << header}] = 0;
    for (int segment = 0; segment < costs_.segments() && !is_over_; ++segment) {
      for (const auto& [state, label] : best_of(segment)) {
        if (out_of_time()) break;
        extend(label, state.second);
      }
      frontier_[segment] = {};
    }
    std::vector<Run> runs;
    int last = costs_.segments() - 1;
    for (int label = end_; label >= 0; label = labels_[label].parent) {
      runs.push_back({labels_[label].device, labels_[label].segment, last});
      last = labels_[label].segment - 1;
    }
    std::reverse(runs.begin(), runs.end());
    return runs;
  }

  bool out_of_time() {
    constexpr int kOften = 64;
    if (!at_leisure_ && ++looks_ % kOften == 0) is_over_ = costs_.out_of_time();
    return is_over_;
  }

  std::vector<std::pair<State, int>> best_of(int segment) {
    const std::map<State, int>& labels = frontier_[segment].labels;
    std::vector<std::pair<State, int>> all(labels.begin(), labels.end());
    std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
      return labels_[a.second].slowest < labels_[b.second].slowest;
    });
    all.resize(std::min(all.size(), kept_));
    return all;
  }

  // Lets go of labels that are slower than the best that are kept.
  void make_room(Frontier& frontier) {
    std::vector<double> slowest;
    for (const auto& [state, label] : frontier.labels) slowest.push_back(labels_[label].slowest);
    const auto last = slowest.begin() + static_cast<std::ptrdiff_t>(kept_) - 1;
    std::nth_element(slowest.begin(), last, slowest.end());
    frontier.most = *last;
    std::erase_if(frontier.labels,
                  [&](const auto& entry) { return labels_[entry.second].slowest > frontier.most; });
    frontier.room = 2 * frontier.labels.size();
  }

  void extend(int index, std::uint64_t used) {
    const Label from = labels_[index];
    for (int last = from.segment; last < costs_.segments(); ++last) {
      const Run run{from.device, from.segment, last};
      if (!costs_.fits(run)) return;
      const double slowest = std::max(from.slowest, costs_.compute(run));
      if (slowest >= best_) return;
      if (last + 1 == costs_.segments()) {
        const double value = std::max(slowest, costs_.answer(run, costs_.header()));
        if (value < best_) end_ = index;
        best_ = std::min(best_, value);
        return;
      }
      for (int device = 0; device < costs_.devices(); ++device) {
        const std::uint64_t bit = std::uint64_t{1} << device;
        if ((used & bit) != 0) continue;
        const double transfer = costs_.transfer(run.device, device, run.first, last + 1);
        offer({std::max(slowest, transfer), last + 1, device, index}, used | bit);
      }
    }
  }

  void offer(const Label& label, std::uint64_t used) {
    Frontier& frontier = frontier_[label.segment];
    if (label.slowest >= best_ || label.slowest > frontier.most) return;
    const auto [place, is_new] =
        frontier.labels.try_emplace({label.device, used}, static_cast<int>(labels_.size()));
    if (is_new) {
      labels_.push_back(label);
      if (frontier.labels.size() >= frontier.room) make_room(frontier);
    } else if (label.slowest < labels_[place->second].slowest) {
      labels_[place->second] = label;  // nothing was built on it: its segment is still to come
    }
  }

  const PlanCosts& costs_;
  std::vector<Label> labels_;
  std::vector<Frontier> frontier_;  // by segment
  std::size_t kept_ = 0;            // labels before each segment
  double best_ = kNoLimit;
  int end_ = -1;
  bool at_leisure_ = false;
  bool is_over_ = false;  // the time
  int looks_ = 0;
};

}  // namespace

PlannerResult plan_edgeshard(const PlanRequest& request) {
  ClusterSpec cluster = *request.cluster;
  cluster.header = cluster.devices[pipeline_order(request).front()].name;
  PlanRequest pinned = request;
  pinned.cluster = &cluster;
  if (request.objective.throughput == 0) pinned.objective = Objective::kLatency;
  const PlanCosts costs(pinned);
  check_chain_devices(costs.devices(), "edgeshard");
  std::vector<Run> runs;
  if (pinned.objective == Objective::kLatency) {
    runs = search_chain(costs, {}, 1).runs.value_or(std::vector<Run>{});
  } else {
    runs = SlowestStage(costs).run();
  }
  if (runs.empty()) {
    throw InfeasibleError(
        fmt::format("planner 'edgeshard' finds no plan that starts with device '{}'. Another "
                    "planner may find one that fits",
                    cluster.header));
  }
  return {costs.stages(runs), Optimality::kHeuristic, 0};
}

}  // namespace lingua
