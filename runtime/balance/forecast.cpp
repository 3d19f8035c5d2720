#include "runtime/balance/forecast.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "runtime/device/roofline.h"
#include "runtime/plan/run_memory.h"
#include "runtime/predict/estimate.h"

namespace lingua {
namespace {

std::map<DeviceName, std::set<SegmentId>> held_by(const Plan& plan) {
  std::map<DeviceName, std::set<SegmentId>> held;
  for (const Stage& stage : plan.stages) {
    std::set<SegmentId>& segments = held[stage.device];
    segments.insert(stage.stored_segments.begin(), stage.stored_segments.end());
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id) segments.insert(id);
  }
  return held;
}

std::map<std::string, double> weights_of(const std::set<SegmentId>& segments,
                                         const Segmentation& segmentation) {
  std::map<std::string, double> weights;
  for (const SegmentId id : segments) {
    for (const WeightSpec& weight : segmentation.segments[static_cast<std::size_t>(id)].weights)
      weights.emplace(weight.name, static_cast<double>(weight.bytes()));
  }
  return weights;
}

double sum_of(const std::map<std::string, double>& weights) {
  double bytes = 0;
  for (const auto& [name, size] : weights) bytes += size;
  return bytes;
}

}  // namespace

Forecast::Forecast(const PlanRequest& request, const ClusterSpec& present,
                   const std::vector<RequestLeft>& requests, double move_bytes_per_s)
    : request_(request),
      present_(present),
      move_bytes_per_s_(move_bytes_per_s),
      running_(group_of(requests, true)),
      waiting_(group_of(requests, false)) {}

Forecast::Group Forecast::group_of(const std::vector<RequestLeft>& requests, bool runs) {
  Group group;
  for (const RequestLeft& request : requests) {
    if (request.runs != runs) continue;
    ++group.requests;
    group.context += request.prompt_tokens + request.made;
    group.left += request.max_tokens - request.made;
  }
  if (group.requests > 0) {
    group.context = std::max<std::int64_t>(1, group.context / group.requests);
    group.left = std::max<std::int64_t>(0, (group.left + group.requests - 1) / group.requests);
  }
  return group;
}

double Forecast::play_s(const Plan& plan, int requests, std::int64_t prompt,
                        std::int64_t tokens) const {
  if (requests == 0) return 0;
  Workload workload = request_.workload;
  workload.prompt_tokens = prompt;
  workload.max_tokens = tokens;
  workload.prompt_lengths.clear();
  workload.requests = requests;
  workload.in_flight = std::min(requests, request_.workload.in_flight);
  return requests * played_request_s(plan, *request_.segmentation, present_, workload, {});
}

double Forecast::rest_s(const Plan& plan) const {
  const bool passes = request_.workload.max_tokens == 0;  // each of which is one step
  double rest_s = play_s(plan, waiting_.requests, waiting_.context, passes ? 0 : waiting_.left);
  if (passes) return rest_s + play_s(plan, running_.requests, running_.context, 0);
  if (running_.left == 0) return rest_s;
  const double until_next_s = play_s(plan, running_.requests, running_.context, 1);
  return rest_s + play_s(plan, running_.requests, running_.context, running_.left + 1) -
         until_next_s;
}

double Forecast::token_s(const Plan& plan) const {
  constexpr std::int64_t kTokens = 8;
  if (running_.requests == 0 || request_.workload.max_tokens == 0) return 0;
  return (play_s(plan, running_.requests, running_.context, kTokens + 1) -
          play_s(plan, running_.requests, running_.context, 1)) /
         kTokens;
}

double Forecast::rebuild_s(const Plan& plan) const {
  const std::int64_t tokens = request_.workload.max_tokens == 0 ? 0 : 1;
  return play_s(plan, running_.requests, running_.context, tokens);
}

std::vector<WeightNeed> Forecast::lacking(const Plan& before, const Plan& after) const {
  std::map<DeviceName, std::map<std::string, double>> held;
  std::map<std::string, std::vector<DeviceName>> holders;
  for (const auto& [device, segments] : held_by(before)) {
    held[device] = weights_of(segments, *request_.segmentation);
    if (present_.index_of(device) < 0) continue;
    for (const auto& [name, bytes] : held[device]) holders[name].push_back(device);
  }
  std::vector<WeightNeed> needs;
  for (const auto& [device, segments] : held_by(after)) {
    for (const auto& [name, bytes] : weights_of(segments, *request_.segmentation)) {
      if (!held[device].contains(name)) needs.push_back({device, bytes, holders[name]});
    }
  }
  return needs;
}

double Forecast::missing_bytes(const Plan& before, const Plan& after) const {
  double sum = 0;
  for (const WeightNeed& need : lacking(before, after)) sum += need.bytes;
  return sum;
}

double Forecast::sending_s(const Plan& before, const Plan& after) const {
  const std::vector<WeightNeed> needs = lacking(before, after);
  const WeightWays ways{&present_, move_bytes_per_s_};
  return weights_sending_s(needs, weight_sources(needs, ways), ways) + round_trip_s(after);
}

double Forecast::round_trip_s(const Plan& plan) const {
  double longest_s = 0;
  for (const Stage& stage : plan.stages) {
    longest_s = std::max(longest_s, (present_.link(kCoordinator, stage.device).latency +
                                     present_.link(stage.device, kCoordinator).latency)
                                        .count());
  }
  return longest_s;
}

bool Forecast::fits_beside(const Plan& before, const Plan& after) const {
  const auto held = held_by(before);
  const auto work = stages_memory(before, *request_.segmentation, request_.workload);
  const auto next_work = stages_memory(after, *request_.segmentation, request_.workload);
  std::map<DeviceName, double> states;
  for (const auto* rows : {&work, &next_work}) {
    std::map<DeviceName, double> own;
    for (const StageEstimate& row : *rows)
      own[row.device] += row.state_bytes + row.activation_bytes;
    for (const auto& [device, bytes] : own) states[device] = std::max(states[device], bytes);
  }
  for (const auto& [device, segments] : held_by(after)) {
    std::set<SegmentId> both = segments;
    const auto place = held.find(device);
    if (place != held.end()) both.insert(place->second.begin(), place->second.end());
    const double weights = sum_of(weights_of(both, *request_.segmentation));
    if (weights + states[device] > present_.device(device).memory_bytes) return false;
  }
  return true;
}

}  // namespace lingua
