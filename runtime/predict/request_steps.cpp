#include "runtime/predict/request_steps.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "runtime/predict/step_sum.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

// Requests of neighbouring lengths.
struct Group {
  double count = 0;
  double tokens = 0;  // of all their prompts
  std::vector<std::int64_t> lengths;

  double mean() const { return tokens / count; }
};

// How much less alike the requests are when two groups become one (Ward's criterion).
double spread_added(const Group& a, const Group& b) {
  const double apart = a.mean() - b.mean();
  return a.count * b.count / (a.count + b.count) * apart * apart;
}

std::vector<Group> groups_of(const Workload& workload) {
  std::vector<Group> groups;
  for (const auto& [length, count] : length_counts(workload)) {
    groups.push_back({count, count * static_cast<double>(length), {length}});
  }
  while (groups.size() > kMostKinds) {
    std::size_t best = 0;
    for (std::size_t g = 1; g + 1 < groups.size(); ++g) {
      if (spread_added(groups[g], groups[g + 1]) < spread_added(groups[best], groups[best + 1])) {
        best = g;
      }
    }
    Group& into = groups[best];
    const Group& from = groups[best + 1];
    into.count += from.count;
    into.tokens += from.tokens;
    into.lengths.insert(into.lengths.end(), from.lengths.begin(), from.lengths.end());
    groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  return groups;
}

}  // namespace

RequestSteps::RequestSteps(const Workload& workload) {
  if (!workload.is_mixed()) {
    kinds_ = {{1, steps_of(workload)}};
    turn_ = {0};
    return;
  }
  std::map<std::int64_t, int> kind_of;
  for (const Group& group : groups_of(workload)) {
    for (const std::int64_t length : group.lengths)
      kind_of[length] = static_cast<int>(kinds_.size());
    Workload alike = workload;
    alike.prompt_lengths.clear();
    alike.prompt_tokens = std::llround(group.mean());
    kinds_.push_back({group.count / workload.total_requests(), steps_of(alike)});
  }
  const std::size_t turn =
      std::min(workload.prompt_lengths.size(), static_cast<std::size_t>(workload.total_requests()));
  for (std::size_t i = 0; i < turn; ++i) turn_.push_back(kind_of.at(workload.prompt_lengths[i]));
}

RequestSteps::RequestSteps(const Workload& workload, const Scheduling& scheduling, int stages)
    : RequestSteps(workload) {
  if (!workload.kv_cache || workload.max_tokens == 0) return;
  for (RequestKind& kind : kinds_) {
    const std::int64_t tokens = kind.steps.front().new_tokens;
    const std::int64_t pieces = prompt_pieces(tokens, scheduling, stages);
    std::vector<Step> steps;
    for (std::int64_t i = 0; i < pieces; ++i) steps.push_back(prompt_piece(tokens, pieces, i));
    steps.insert(steps.end(), kind.steps.begin() + 1, kind.steps.end());
    kind.steps = std::move(steps);
    kind.pieces = static_cast<std::size_t>(pieces);
  }
}

std::size_t RequestSteps::most_steps() const {
  std::size_t most = 0;
  for (const RequestKind& kind : kinds_) most = std::max(most, kind.steps.size());
  return most;
}

double sum_over_request(const RequestKind& kind, const std::function<double(const Step&)>& f) {
  const auto last_piece = kind.steps.begin() + static_cast<std::ptrdiff_t>(kind.pieces) - 1;
  const double before =
      std::accumulate(kind.steps.begin(), last_piece, 0.0,
                      [&](double sum, const Step& step) { return sum + f(step); });
  return before + sum_over_steps({last_piece, kind.steps.end()}, f);
}

double RequestSteps::sum(const std::function<double(const Step&)>& f) const {
  double mean = 0;
  for (const RequestKind& kind : kinds_) mean += kind.share * sum_over_request(kind, f);
  return mean;
}

double RequestSteps::first(const std::function<double(const Step&)>& f) const {
  double mean = 0;
  for (const RequestKind& kind : kinds_) {
    for (std::size_t i = 0; i < kind.pieces; ++i) mean += kind.share * f(kind.steps[i]);
  }
  return mean;
}

int round_of(const Workload& workload) {
  if (!workload.is_mixed()) return workload.in_flight;
  const auto turn = static_cast<std::int64_t>(workload.prompt_lengths.size());
  const std::int64_t round = std::lcm(static_cast<std::int64_t>(workload.in_flight), turn);
  return static_cast<int>(std::min<std::int64_t>(round, workload.total_requests()));
}

}  // namespace lingua
