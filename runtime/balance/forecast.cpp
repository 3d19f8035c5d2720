#include "runtime/balance/forecast.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "runtime/device/roofline.h"
#include "runtime/plan/run_memory.h"
#include "runtime/plan/weight_sources.h"
#include "runtime/predict/estimate.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

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
                   const std::vector<RequestLeft>& requests, double move_bytes_per_s,
                   std::map<DeviceName, std::int64_t> queued)
    : request_(request),
      present_(present),
      move_bytes_per_s_(move_bytes_per_s),
      requests_(requests),
      running_(group_of(requests, true)),
      waiting_(group_of(requests, false)),
      queued_(std::move(queued)) {}

Forecast::Group Forecast::group_of(const std::vector<RequestLeft>& requests, bool runs) {
  Group group;
  for (const RequestLeft& request : requests) {
    if (request.runs != runs) continue;
    ++group.requests;
    group.prompting += runs && request.made == 0;
    group.prompt += request.prompt_tokens;
    group.context += request.prompt_tokens + request.made;
    group.left += request.max_tokens - request.made;
  }
  if (group.requests > 0) {
    group.prompt = std::max<std::int64_t>(1, group.prompt / group.requests);
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

double Forecast::rebuild_s(const Plan& plan, const std::vector<RequestLeft>& requests,
                           std::int64_t more) const {
  const std::int64_t tokens = request_.workload.max_tokens == 0 ? 0 : 1;
  const Group group = group_of(requests, true);
  return play_s(plan, group.requests, std::max<std::int64_t>(1, group.context + more), tokens);
}

double Forecast::states_s(const Plan& before, const Plan& after, double tokens) const {
  const std::vector<Segment>& segments = request_.segmentation->segments;
  const auto runners = [&](const Plan& plan) {
    std::vector<DeviceName> runners(segments.size());
    for (const Stage& stage : plan.stages) {
      for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id)
        runners[static_cast<std::size_t>(id)] = stage.device;
    }
    return runners;
  };
  const std::vector<DeviceName> from = runners(before);
  const std::vector<DeviceName> to = runners(after);
  std::map<std::pair<DeviceName, DeviceName>, double> bytes;
  for (std::size_t id = 0; id < segments.size(); ++id) {
    const double own = segments[id].state_bytes(1) * tokens;
    if (from[id] != to[id] && own > 0) bytes[{from[id], to[id]}] += own;
  }
  std::vector<WeightNeed> needs;
  std::vector<DeviceName> sources;
  for (const auto& [way, size] : bytes) {
    needs.push_back({way.second, size, {way.first}});
    sources.push_back(way.first);
  }
  return weights_sending_s(needs, sources, {&present_, move_bytes_per_s_, {}});
}

bool Forecast::can_carry_states(const Plan& before, const Plan& after) const {
  const auto is_there = [&](const Stage& stage) { return present_.index_of(stage.device) >= 0; };
  return request_.workload.kv_cache && request_.workload.max_tokens > 0 &&
         request_.segmentation->freedom.chunks &&
         std::all_of(before.stages.begin(), before.stages.end(), is_there) &&
         has_room(before, after, true);
}

double Forecast::computing_s(const Stage& stage, const Step& step) const {
  const int device = present_.index_of(stage.device);
  if (device < 0) return 0;
  double sum_s = 0;
  for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id)
    sum_s += compute_time(request_.segmentation->segments[static_cast<std::size_t>(id)],
                          present_.devices[static_cast<std::size_t>(device)], step)
                 .count();
  return sum_s;
}

double Forecast::slow_header_s(const Plan& plan) const {
  if (running_.requests == 0) return 0;
  std::map<DeviceName, double> token_s;
  for (const Stage& stage : plan.stages)
    token_s[stage.device] += computing_s(stage, {1, running_.context});
  const double header_s = token_s[plan.header()];
  const auto is_slower = [&](const auto& item) { return item.second > header_s; };
  return std::any_of(token_s.begin(), token_s.end(), is_slower) ? 0 : header_s;
}

Forecast::Prompts Forecast::prompts_under_way(const Plan& plan) const {
  Prompts prompts;
  if (running_.prompting == 0) return prompts;
  const std::int64_t pieces = prompt_pieces(running_.prompt, request_.workload.scheduling,
                                            static_cast<int>(plan.stages.size()));
  const Step piece = prompt_piece(running_.prompt, pieces, 0);
  for (const Stage& stage : plan.stages) {
    const double piece_s = computing_s(stage, piece);
    if (piece_s <= prompts.piece_s) continue;
    const auto queued = queued_.find(stage.device);
    prompts.piece_s = piece_s;
    prompts.waiting = running_.prompting;
    if (queued != queued_.end())
      prompts.waiting = static_cast<int>(std::min<std::int64_t>(prompts.waiting, queued->second));
  }
  return prompts;
}

// Of those that run then: where these have ended, of some that wait now.
std::int64_t Forecast::context_after(double seconds, const Plan& plan) const {
  const double token_s = this->token_s(plan);
  if (token_s <= 0) return running_.context;
  const auto tokens = static_cast<std::int64_t>(seconds / token_s);
  if (tokens <= running_.left || waiting_.requests == 0)
    return running_.context + std::min(tokens, running_.left);
  const double prompts_s = play_s(plan, running_.requests, waiting_.context, 1);
  const auto whole = waiting_.left + static_cast<std::int64_t>(prompts_s / token_s);
  const std::int64_t late = (tokens - running_.left) % std::max<std::int64_t>(1, whole);
  return waiting_.context + std::max<std::int64_t>(0, late - (whole - waiting_.left));
}

double Forecast::prepare_s(const Plan& before, const Plan& after) const {
  const double step_s = token_s(before) / std::max(1, running_.requests);
  const Prompts prompts = prompts_under_way(before);
  const double piece_s = prompts.waiting > 0 ? prompts.piece_s : 0;
  return sending_s(before, after) + std::max(2 * step_s, piece_s + step_s);
}

std::int64_t Forecast::tokens_meanwhile(const Plan& before, const Plan& after) const {
  return context_after(sending_s(before, after), before) - running_.context;
}

double Forecast::stop_s(const Plan& before, const Plan& after) const {
  const double token_s = this->token_s(before);
  const double step_s = token_s / std::max(1, running_.requests);
  // The tokens that are under way are lost: of the request that waits for longest nearly all of its time.
  const double share = running_.requests / (running_.requests + 1.0);
  return share * token_s + step_s + prompts_s(before, after);
}

double Forecast::prompts_s(const Plan& before, const Plan& after, int over) const {
  const Prompts prompts = prompts_under_way(before);
  // Weights that have to be sent first outlast the prompts.
  const bool are_gone = sending_s(before, after) > prompts.piece_s * running_.prompting;
  int pieces = are_gone ? 0 : std::min(prompts.waiting, 2);
  // The first token of all comes when the first prompt has gone.
  if (pieces > 0 && running_.prompting == running_.requests) --pieces;
  return std::max(0, pieces - over) * prompts.piece_s;
}

std::vector<WeightNeed> Forecast::lacking(const Plan& before, const Plan& after,
                                          bool keep_all) const {
  std::map<DeviceName, std::map<std::string, double>> held;
  std::map<DeviceName, std::map<std::string, double>> needed;
  for (const auto& [device, segments] : held_by(after))
    needed[device] = weights_of(segments, *request_.segmentation);
  std::map<std::string, std::vector<DeviceName>> holders;
  for (const auto& [device, segments] : held_by(before)) {
    held[device] = weights_of(segments, *request_.segmentation);
    if (present_.index_of(device) < 0) continue;
    for (const auto& [name, bytes] : held[device]) {
      if (keep_all || needed[device].contains(name)) holders[name].push_back(device);
    }
  }
  std::vector<WeightNeed> needs;
  for (const auto& [device, weights] : needed) {
    for (const auto& [name, bytes] : weights) {
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
  if (weights_are_there_) return 0;
  const std::vector<WeightNeed> needs = lacking(before, after);
  const WeightWays ways{&present_, move_bytes_per_s_};
  return weights_sending_s(needs, weight_sources(needs, ways), ways) + round_trip_s(after);
}

double Forecast::sending_after_loss_s(
    const Plan& before, const Plan& after,
    const std::set<std::pair<DeviceName, DeviceName>>& cut) const {
  const std::vector<WeightNeed> needs = lacking(before, after, false);
  const WeightWays ways{&present_, 0, cut};
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
  return has_room(before, after, false);
}

bool Forecast::has_room(const Plan& before, const Plan& after, bool with_both_states) const {
  const auto held = held_by(before);
  const auto work = stages_memory(before, *request_.segmentation, request_.workload);
  const auto next_work = stages_memory(after, *request_.segmentation, request_.workload);
  std::map<DeviceName, double> states;
  for (const auto* rows : {&work, &next_work}) {
    std::map<DeviceName, double> own;
    for (const StageEstimate& row : *rows)
      own[row.device] += row.state_bytes + row.activation_bytes;
    for (const auto& [device, bytes] : own)
      states[device] = with_both_states ? states[device] + bytes : std::max(states[device], bytes);
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
