#include "runtime/planner/search/annealing.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "runtime/planner/search/chain_bounds.h"
#include "runtime/planner/search/label_setting.h"
#include "runtime/planner/search/moves.h"
#include "runtime/predict/estimate.h"
#include "runtime/predict/estimated_value.h"
#include "runtime/predict/mean_value.h"
#include "runtime/predict/request_steps.h"

namespace lingua {
namespace {

using Chain = std::vector<Run>;

struct Judged {
  double value = kNoLimit;
  Chain chain;
  RacePace pace;
};

// Chains by what playing the requests says of them, with a count of the effort.
class Judge {
 public:
  Judge(const PlanCosts& costs, const AnnealingParts& parts) : costs_(costs), parts_(parts) {
    if (costs.request().variants != nullptr) {
      plays_ = static_cast<double>(costs.request().variants->clusters.size());
      slack_ = 1 + costs.request().variants->share;
    }
  }

  bool has_effort(double share = 1) const {
    return effort() < share * most_effort() && !costs_.out_of_time();
  }
  double used() const { return effort() / most_effort(); }

  // A value of kNoLimit where it is no chain, breaks a rule, does not fit, is worse than `most`, or most
  // likely would be, by its prediction or for it falls behind the pace of the chain to beat.
  Judged judge(Chain chain, double most, const RacePace& to_beat = {}) {
    effort_ += kBoundEffort;
    if (chain.empty() || !possible(chain) || costs_.objective(chain) > most * slack_) return {};
    Known& known = known_[chain];
    if (known.judged.value < kNoLimit) return known.judged;
    if (most <= known.worse_than) return {};
    PlayLimits limits = kQuick;
    limits.most_s = seconds_of(chain, most);
    const double predicted_s = parts_.exclusions ? predicted_request_s(costs_, chain) : 0;
    if (parts_.exclusions && record_.excludes(predicted_s, limits.most_s)) return {};
    limits.race = &race_;
    if (parts_.races && costs_.request().variants == nullptr) race_.to_beat = to_beat;
    effort_ += plays_ * kPlayEffort;
    const double value = estimated_value(costs_, chain, limits);
    if (value == kNoLimit) {
      known.worse_than = most;
    } else {
      if (parts_.exclusions) record_.add(seconds_of(chain, value), predicted_s);
      known.judged = {value, std::move(chain), race_.last};
    }
    return known.judged;
  }

  // The same by the prediction alone.
  double guess(const Chain& chain) {
    effort_ += kBoundEffort;
    if (chain.empty() || !possible(chain)) return kNoLimit;
    return costs_.other_goals(chain) + costs_.busy_price() * predicted_request_s(costs_, chain);
  }

 private:
  struct Known {
    Judged judged;
    double worse_than = 0;
  };

  static constexpr PlayLimits kQuick{30'000, 32};
  // In steps on stages: what comes before a play, and looking at a chain that is not played.
  static constexpr double kPlayEffort = 1500;
  static constexpr double kBoundEffort = 20;

  // What a value leaves each request.
  double seconds_of(const Chain& chain, double value) const {
    return (value - costs_.other_goals(chain)) / costs_.busy_price();
  }

  double effort() const { return effort_ + race_.stage_steps; }
  double most_effort() const {
    const double devices = std::min(costs_.devices(), 16);
    const double most = costs_.request().running == nullptr ? 3e6 * devices : 1e5 * devices;
    return parts_.effort * (plays_ > 1 ? kRobustEffort * most : most);
  }

  bool possible(const Chain& chain) const {
    return (costs_.header() < 0 || chain.front().device == costs_.header()) &&
           std::all_of(chain.begin(), chain.end(),
                       [&](const Run& run) { return costs_.fits(run) && costs_.allowed(run); });
  }

  static constexpr double kRobustEffort = 4;  // times that for one cluster

  const PlanCosts& costs_;
  const AnnealingParts& parts_;
  double plays_ = 1;   // for each chain
  double slack_ = 1;   // by which a bound can be above the mean of several clusters
  double effort_ = 0;  // beside plays
  Race race_;
  PredictionRecord record_;
  std::map<Chain, Known> known_;
};

// What counts as no worse than `value`: one in e of those that are worse by the temperature does.
double accepted_most(double value, double temperature, Rng& rng) {
  return value * (1 - temperature * std::log(1 - rng.uniform()));
}

// Takes what is better and, ever more rarely, what is a little worse. Ends with the share of the effort.
Judged anneal(const PlanCosts& costs, Judge& judge, Rng& rng, const MoveParts& moves,
              const Judged& start, double hottest, double until) {
  constexpr double kColdest = 2e-4;
  const double from = judge.used();
  Judged best = start;
  Judged now = start;
  while (judge.has_effort(until)) {
    const double passed = (judge.used() - from) / (until - from);
    const double temperature = hottest * std::pow(kColdest / hottest, passed);
    const double most = accepted_most(now.value, temperature, rng);
    Judged next = judge.judge(random_move(costs, now.chain, rng, moves), most, now.pace);
    if (next.value > most) continue;
    now = std::move(next);
    if (now.value < best.value * (1 - kSameValue)) best = now;
  }
  return best;
}

// The same by predictions, of which there are many in the time of a play; in a part of what time is left.
Chain anneal_prediction(const PlanCosts& costs, Judge& judge, Rng& rng, const MoveParts& moves,
                        Chain now) {
  constexpr int kMoves = 20'000;
  constexpr double kHottest = 0.05;
  constexpr double kColdest = 1e-3;
  constexpr double kTimeShare = 0.1;
  const double until_s = costs.elapsed_s() + kTimeShare * costs.left_s();
  double value = judge.guess(now);
  Chain best = now;
  double best_value = value;
  for (int move = 0; move < kMoves && costs.elapsed_s() < until_s; ++move) {
    const double temperature =
        kHottest * std::pow(kColdest / kHottest, static_cast<double>(move) / kMoves);
    Chain next = random_move(costs, now, rng, moves);
    const double next_value = judge.guess(next);
    if (next_value > accepted_most(value, temperature, rng)) continue;
    now = std::move(next);
    value = next_value;
    if (value >= best_value) continue;
    best = now;
    best_value = value;
  }
  return best;
}

// Between the least latency and the least bottleneck, whatever the requests in flight: for some limits
// on what is busiest, a chain of little latency.
std::vector<Chain> compromises(const PlanCosts& costs, const Chain& least_busy) {
  constexpr std::size_t kWidth = 2;
  std::vector<Chain> chains;
  for (double slack : {1.0, 1.1, 1.3, 2.0}) {
    if (costs.out_of_time()) break;
    const double busiest = slack * costs.bottleneck(least_busy) * (1 + kSameValue);
    if (auto runs = search_chain(costs, {busiest, kNoLimit}, kWidth).runs) {
      chains.push_back(std::move(*runs));
    }
  }
  return chains;
}

std::vector<Chain> starts_from(const PlanCosts& costs, const std::vector<Run>& runs,
                               const ChainStarts& more, bool with_compromises) {
  std::vector<Chain> starts = {runs};
  if (costs.request().running == nullptr) {
    for (Chain& chain : more(costs)) starts.push_back(std::move(chain));
  }
  if (with_compromises && costs.devices() <= kMaxChainDevices && !costs.out_of_time()) {
    for (Chain& chain : compromises(costs, runs)) starts.push_back(std::move(chain));
  }
  return starts;
}

}  // namespace

std::vector<Run> improve_chain(const PlanCosts& costs, const std::vector<Run>& runs,
                               const ChainStarts& starts, const AnnealingParts& parts) {
  const std::size_t kept = parts.warm_starts ? 4 : 1;
  constexpr double kStartShare = 0.1;  // of the effort, for each start
  constexpr double kWarm = 0.02;
  std::vector<double> hot = {0.05, 0.025};  // rounds from the best so far
  if (!parts.reheating) hot = {0.025};
  if (costs.out_of_time()) return runs;
  Judge judge(costs, parts);
  Rng rng(parts.seed);
  std::vector<Judged> found;
  const auto best_first = [&] {
    std::stable_sort(found.begin(), found.end(),
                     [](const Judged& a, const Judged& b) { return a.value < b.value; });
  };
  const auto start_from = [&](Chain chain) {
    Judged start = judge.judge(std::move(chain), kNoLimit);
    if (start.value < kNoLimit) found.push_back(std::move(start));
  };
  for (Chain& chain : starts_from(costs, runs, starts, parts.compromises))
    start_from(std::move(chain));
  if (found.empty()) return runs;
  best_first();
  if (parts.predictions && costs.request().running == nullptr &&
      costs.devices() <= kMaxChainDevices) {
    for (std::size_t i = 0, count = std::min(kept, found.size()); i < count; ++i) {
      start_from(anneal_prediction(costs, judge, rng, parts.moves, found[i].chain));
    }
    best_first();
  }
  found.resize(std::min(kept, found.size()));
  const double share =
      costs.request().running == nullptr ? kStartShare : 1.0 / static_cast<double>(kept);
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i] =
        anneal(costs, judge, rng, parts.moves, found[i], kWarm, share * static_cast<double>(i + 1));
  }
  best_first();
  for (std::size_t round = 0; round < hot.size() && judge.has_effort(); ++round) {
    const double from = judge.used();
    const double until = from + (1 - from) / static_cast<double>(hot.size() - round);
    found.push_back(anneal(costs, judge, rng, parts.moves, found.front(), hot[round], until));
    best_first();
  }
  // A quick play can be wrong where it plays a part only.
  Judged best{estimated_value(costs, runs), runs, {}};
  for (const Judged& one : found) {
    const double value = estimated_value(costs, one.chain);
    if (value < best.value * (1 - kSameValue)) best = {value, one.chain, {}};
    if (costs.out_of_time()) break;
  }
  return best.chain;
}

}  // namespace lingua
