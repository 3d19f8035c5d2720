#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/partition/rules.h"
#include "runtime/partition/segments.h"

namespace lingua::internal {
namespace {

// Shares of the model's work: FLOPs of the step, and bytes of weights. What any segment can compute
// again from the step alone is no work.
class Work {
 public:
  Work(const Graph& graph, const Liveness& live, const Step& step)
      : flops_(1, 0.0), weights_(1, 0.0) {
    for (const Node& node : graph.nodes) {
      const bool again = !node.outputs.empty() && live.recomputable[node.outputs.front()] &&
                         live.norm_chain[node.outputs.front()].empty();
      if (again) {
        flops_.push_back(flops_.back());
        weights_.push_back(weights_.back());
        continue;
      }
      double bytes = 0;
      for (ValueId id : node.inputs) {
        if (graph.values[id].kind == ValueKind::kWeight) bytes += graph.values[id].bytes().at({});
      }
      flops_.push_back(flops_.back() + node.flops.at(step));
      weights_.push_back(weights_.back() + bytes);
    }
  }

  // Of the nodes first .. last: the larger and the mean of the two shares.
  double largest(NodeId first, NodeId last) const {
    return std::max(share(flops_, first, last), share(weights_, first, last));
  }
  double mean(NodeId first, NodeId last) const {
    return (share(flops_, first, last) + share(weights_, first, last)) / 2;
  }

 private:
  static double share(const std::vector<double>& sums, NodeId first, NodeId last) {
    return sums.back() > 0 ? (sums[last + 1] - sums[first]) / sums.back() : 0.0;
  }

  std::vector<double> flops_;
  std::vector<double> weights_;
};

struct Candidate {
  NodeId after = 0;
  double bytes = 0;          // at compared_step
  double prefill_bytes = 0;  // when all its tokens are new

  // Cheaper first; of equals the later, which leaves small operations with what feeds them.
  bool operator<(const Candidate& other) const {
    return std::tuple(bytes, prefill_bytes, -after) <
           std::tuple(other.bytes, other.prefill_bytes, -other.after);
  }
};

// Where bytes are compared: one new token, whatever the step. In a longer one what is done for the last
// position alone, before a head, would be so much cheaper than all else that nothing else is cut.
// The step itself where the graph has no such step.
Step compared_step(const std::vector<Cut>& cuts, const Step& step) {
  const Step single{1, step.cached_tokens + step.new_tokens - 1};
  const bool has_it = std::all_of(cuts.begin(), cuts.end(), [&](const Cut& cut) {
    return !cut.allowed || cut.live_bytes.at(single) > 0;
  });
  return has_it ? single : step;
}

constexpr double kClose = 0.02;  // of the model's work
constexpr double kWide = 0.2;

class BytesRule {
 public:
  BytesRule(const Graph& graph, const Liveness& live, const std::vector<Cut>& cuts,
            const PartitionOptions& options)
      : graph_(graph),
        live_(live),
        options_(options),
        work_(graph, live, compared_step(cuts, options.step)),
        last_node_(static_cast<NodeId>(graph.nodes.size()) - 1) {
    const Step step = compared_step(cuts, options.step);
    const Step prefill{step.new_tokens + step.cached_tokens, 0};
    const std::vector<NodeId> between = cuts_between_pieces(graph);
    for (const Cut& cut : cuts) {
      if (!cut.allowed) continue;
      allowed_.push_back({cut.after, cut.live_bytes.at(step), cut.live_bytes.at(prefill)});
      if (std::binary_search(between.begin(), between.end(), cut.after))
        demanded_.push_back(allowed_.back());
    }
  }

  std::vector<NodeId> choose() {
    std::vector<Candidate> cuts = without_small_pieces(without_plateaus());
    cuts = with_demanded(without_hills(cuts));
    if (options_.max_segment_bytes > 0) cuts = split_heavy(cuts, true);
    join_down(cuts);
    if (too_many(cuts)) cuts = split_heavy(demanded_, false);
    if (too_many(cuts)) throw too_few_segments(cuts.size() + 1);
    std::vector<NodeId> after;
    for (const Candidate& cut : cuts) after.push_back(cut.after);
    return after;
  }

 private:
  static std::string text(double bytes) { return format_quantity(bytes, Unit::kBytes); }

  InfeasibleError too_few_segments(std::size_t needed) const {
    const std::string bound =
        options_.max_segment_bytes > 0
            ? fmt::format(" of at most {} (max_segment_bytes)", text(options_.max_segment_bytes))
            : "";
    const std::string pieces =
        demanded_.empty() ? ""
                          : fmt::format("; pieces of matrices are {} of them", demanded_.size());
    return InfeasibleError(fmt::format(
        "{} has weights of {} and cannot be cut into {} segments (max_segments){}; it takes {}{}",
        graph_.model, text(graph_.weights_bytes()), options_.max_segments, bound, needed, pieces));
  }

  bool too_many(const std::vector<Candidate>& cuts) const {
    return static_cast<int>(cuts.size()) >= options_.max_segments;
  }

  // Of `cuts`, best first, those that leave at least `share` of the work between each other.
  std::vector<Candidate> spaced(std::vector<Candidate> cuts, double share) const {
    std::sort(cuts.begin(), cuts.end());
    std::vector<Candidate> kept;  // by position
    for (const Candidate& cut : cuts) {
      const auto right = std::lower_bound(kept.begin(), kept.end(), cut, earlier);
      const bool clear_left =
          right == kept.begin() || work_.largest((right - 1)->after + 1, cut.after) >= share;
      const bool clear_right =
          right == kept.end() || work_.largest(cut.after + 1, right->after) >= share;
      if (clear_left && clear_right) kept.insert(right, cut);
    }
    return kept;
  }

  std::vector<Candidate> without_plateaus() const {
    const double share = std::min(0.05, 1.0 / options_.max_segments);
    std::vector<Candidate> kept;
    for (std::size_t begin = 0; begin < allowed_.size();) {
      std::size_t end = begin + 1;
      while (end < allowed_.size() && allowed_[end].bytes == allowed_[begin].bytes &&
             allowed_[end].after == allowed_[end - 1].after + 1) {
        ++end;
      }
      const auto run = spaced({allowed_.begin() + static_cast<std::ptrdiff_t>(begin),
                               allowed_.begin() + static_cast<std::ptrdiff_t>(end)},
                              share);
      kept.insert(kept.end(), run.begin(), run.end());
      begin = end;
    }
    return kept;
  }

  std::vector<Candidate> without_small_pieces(const std::vector<Candidate>& cuts) const {
    const double share = std::min(0.001, 0.1 / options_.max_segments);
    std::vector<Candidate> inner;
    for (const Candidate& cut : cuts) {
      if (work_.largest(0, cut.after) >= share &&
          work_.largest(cut.after + 1, last_node_) >= share) {
        inner.push_back(cut);
      }
    }
    return spaced(inner, share);
  }

  // For each cut the nearest one on a side that is cheaper, or -1.
  static std::vector<int> nearest_cheaper(const std::vector<Candidate>& cuts, bool on_the_left) {
    const int count = static_cast<int>(cuts.size());
    const int step = on_the_left ? -1 : 1;
    std::vector<int> nearest(cuts.size(), -1);
    for (int n = 0; n < count; ++n) {
      const int i = on_the_left ? n : count - 1 - n;
      int other = i + step;
      while (other >= 0 && other < count && cuts[other].bytes >= cuts[i].bytes) {
        other = nearest[other];
      }
      nearest[i] = other >= 0 && other < count ? other : -1;
    }
    return nearest;
  }

  // How many times dearer one cut is than the dearer of two others.
  static double dearness(const Candidate& cut, const Candidate& a, const Candidate& b) {
    return cut.bytes / std::max({a.bytes, b.bytes, 1.0});
  }

  // True when a cheaper cut is close by, as in step 1 of rules.h.
  bool beside_cheaper(const std::vector<Candidate>& cuts, std::size_t i, int left,
                      int right) const {
    const auto close = [&](int other, NodeId first, NodeId last) {
      return work_.mean(first, last) <= kClose * (dearness(cuts[i], cuts[other], cuts[other]) - 1);
    };
    return (left >= 0 && close(left, cuts[left].after + 1, cuts[i].after)) ||
           (right >= 0 && close(right, cuts[i].after + 1, cuts[right].after));
  }

  std::vector<Candidate> without_hills(const std::vector<Candidate>& cuts) const {
    const auto left = nearest_cheaper(cuts, true);
    const auto right = nearest_cheaper(cuts, false);
    std::vector<Candidate> kept;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      bool hill = beside_cheaper(cuts, i, left[i], right[i]);
      for (int l = left[i]; l >= 0 && !hill; l = left[l]) {
        for (int r = right[i]; r >= 0 && !hill; r = right[r]) {
          hill = work_.mean(cuts[l].after + 1, cuts[r].after) <=
                 kWide * dearness(cuts[i], cuts[l], cuts[r]);
        }
      }
      if (!hill) kept.push_back(cuts[i]);
    }
    return kept;
  }

  std::vector<Candidate> with_demanded(const std::vector<Candidate>& cuts) const {
    std::vector<Candidate> all;
    std::set_union(cuts.begin(), cuts.end(), demanded_.begin(), demanded_.end(),
                   std::back_inserter(all), earlier);
    return all;
  }

  static bool earlier(const Candidate& a, const Candidate& b) { return a.after < b.after; }

  double weights(NodeId first, NodeId last) const {
    return weights_bytes(graph_, live_, first, last);
  }

  // Adds cuts until no segment has weights over the bound: cheap ones, or as few as can be.
  std::vector<Candidate> split_heavy(std::vector<Candidate> cuts, bool cheap) const {
    std::vector<Candidate> result;
    cuts.push_back({last_node_, 0, 0});
    NodeId first = 0;
    for (const Candidate& cut : cuts) {
      if (options_.max_segment_bytes > 0) split_range(first, cut.after, cheap, result);
      if (cut.after != last_node_) result.push_back(cut);
      first = cut.after + 1;
    }
    return result;
  }

  void split_range(NodeId first, NodeId last, bool cheap, std::vector<Candidate>& result) const {
    while (first <= last && weights(first, last) > options_.max_segment_bytes) {
      const std::vector<Candidate> reachable = reach(first, last);
      if (reachable.empty()) throw too_heavy(first, last);
      Candidate best = reachable.back();
      for (const Candidate& cut : reachable) {
        const bool far =
            2 * work_.mean(first, cut.after) >= work_.mean(first, reachable.back().after);
        if (cheap && far && cut < best) best = cut;
      }
      result.push_back(best);
      first = best.after + 1;
    }
  }

  // The allowed cuts up to which the weights from `first` on are within the bound.
  std::vector<Candidate> reach(NodeId first, NodeId last) const {
    std::vector<Candidate> reachable;
    NodeRange range(graph_, live_, first);
    auto cut = first_allowed(first);
    for (NodeId n = first; n < last; ++n) {
      range.add(n);
      if (range.weights_bytes() > options_.max_segment_bytes) break;
      if (cut == allowed_.end() || cut->after != n) continue;
      reachable.push_back(*cut++);
    }
    return reachable;
  }

  std::vector<Candidate>::const_iterator first_allowed(NodeId from) const {
    return std::lower_bound(allowed_.begin(), allowed_.end(), from,
                            [](const Candidate& cut, NodeId node) { return cut.after < node; });
  }

  InfeasibleError too_heavy(NodeId first, NodeId last) const {
    const auto next = first_allowed(first);
    const NodeId end = next == allowed_.end() ? last : std::min(next->after, last);
    NodeId heaviest = first;
    for (NodeId n = first; n <= end; ++n) {
      if (weights(n, n) > weights(heaviest, heaviest)) heaviest = n;
    }
    const Node& node = graph_.nodes[heaviest];
    const bool alone = weights(heaviest, heaviest) > options_.max_segment_bytes;
    const double bytes = alone ? weights(heaviest, heaviest) : weights(first, end);
    const std::string where = node.scope.empty() ? "" : fmt::format(" in {}", node.scope);
    const std::string what = alone
                                 ? fmt::format("node {} ({}{})", heaviest, node.kind, where)
                                 : fmt::format("what cannot be separated around node {} ({}{}; {})",
                                               heaviest, node.kind, where, live_.why_not[first]);
    return InfeasibleError(fmt::format("{} of {} has weights of {}; max_segment_bytes is {}", what,
                                       graph_.model, text(bytes),
                                       text(options_.max_segment_bytes)));
  }

  // Takes cuts away, the least useful first, until there are not too many or the weights forbid it.
  void join_down(std::vector<Candidate>& cuts) const {
    while (too_many(cuts)) {
      double lowest = INFINITY;
      std::size_t victim = cuts.size();
      for (std::size_t i = 0; i < cuts.size(); ++i) {
        const double value = usefulness(cuts, i);
        if (value < lowest && fits_joined(cuts, i)) {
          lowest = value;
          victim = i;
        }
      }
      if (victim == cuts.size()) return;
      cuts.erase(cuts.begin() + static_cast<std::ptrdiff_t>(victim));
    }
  }

  static NodeId begin_of(const std::vector<Candidate>& cuts, std::size_t i) {
    return i == 0 ? 0 : cuts[i - 1].after + 1;
  }
  NodeId end_of(const std::vector<Candidate>& cuts, std::size_t i) const {
    return i + 1 == cuts.size() ? last_node_ : cuts[i + 1].after;
  }

  // The work that would be joined; a cut as cheap as its neighbours counts double.
  double usefulness(const std::vector<Candidate>& cuts, std::size_t i) const {
    double cheapest = cuts[i].bytes;
    if (i > 0) cheapest = std::min(cheapest, cuts[i - 1].bytes);
    if (i + 1 < cuts.size()) cheapest = std::min(cheapest, cuts[i + 1].bytes);
    const double cheapness = cuts[i].bytes > 0 ? cheapest / cuts[i].bytes : 1.0;
    return work_.mean(begin_of(cuts, i), end_of(cuts, i)) * (1 + cheapness);
  }

  bool fits_joined(const std::vector<Candidate>& cuts, std::size_t i) const {
    if (std::binary_search(demanded_.begin(), demanded_.end(), cuts[i], earlier)) return false;
    return options_.max_segment_bytes <= 0 ||
           weights(begin_of(cuts, i), end_of(cuts, i)) <= options_.max_segment_bytes;
  }

  const Graph& graph_;
  const Liveness& live_;
  const PartitionOptions& options_;
  Work work_;
  NodeId last_node_;
  std::vector<Candidate> allowed_;
  std::vector<Candidate> demanded_;  // of these
};

}  // namespace

std::vector<NodeId> cuts_by_bytes(const Graph& graph, const Liveness& live,
                                  const std::vector<Cut>& cuts, const PartitionOptions& options) {
  return BytesRule(graph, live, cuts, options).choose();
}

}  // namespace lingua::internal
