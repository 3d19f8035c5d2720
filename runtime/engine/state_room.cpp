#include "runtime/engine/state_room.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/engine/request_state.h"
#include "runtime/schedule/schedule.h"

namespace lingua {

StateRoom::StateRoom(const Deployment& deployment, const std::map<DeviceName, double>& free_bytes)
    : model_inputs_(&deployment.segmentation->model_inputs),
      scheduling_(allowed_by(deployment.segmentation->freedom, deployment.scheduling)),
      stages_(static_cast<int>(deployment.plan.stages.size())) {
  for (const Stage& stage : deployment.plan.stages) {
    Share& share = shares_[stage.device];
    share.free_bytes = free_bytes.at(stage.device);
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id)
      share.segments.push_back(&deployment.segment(id));
  }
}

double StateRoom::states(const Share& share, const Submit& submit) const {
  double bytes = 0;
  if (submit.max_tokens == 0) return bytes;  // a single pass keeps none
  for (const Segment* segment : share.segments) bytes += segment->state_bytes(submit.capacity);
  return bytes;
}

std::vector<Step> StateRoom::largest_steps(const Submit& submit) const {
  const Step whole = first_step(submit, *model_inputs_);
  if (!submit.kv_cache) {
    return {whole, {whole.new_tokens + std::max<std::int64_t>(submit.max_tokens - 1, 0), 0}};
  }
  if (submit.max_tokens == 0) return {whole};
  const std::int64_t pieces = prompt_pieces(whole.new_tokens, scheduling_, stages_);
  return {prompt_piece(whole.new_tokens, pieces, 0),
          prompt_piece(whole.new_tokens, pieces, pieces - 1)};
}

double StateRoom::activations(const Share& share, const Submit& submit) const {
  double bytes = 0;
  for (const Step& step : largest_steps(submit)) {
    for (const Segment* segment : share.segments)
      bytes = std::max(bytes, segment->activation_bytes(step));
  }
  return bytes;
}

bool StateRoom::fits(const Submit& submit) const {
  return std::all_of(shares_.begin(), shares_.end(), [&](const auto& item) {
    const Share& share = item.second;
    const double largest = std::max(activations(share, submit), share.largest());
    return states(share, submit) + largest <= share.free_bytes;
  });
}

void StateRoom::take(const Submit& submit) {
  for (auto& [name, share] : shares_) {
    share.free_bytes -= states(share, submit);
    share.activations.insert(activations(share, submit));
  }
}

void StateRoom::add(const DeviceName& device, double bytes) {
  const auto share = shares_.find(device);
  if (share != shares_.end()) share->second.free_bytes += bytes;
}

void StateRoom::give_back(const Submit& submit) {
  for (auto& [name, share] : shares_) {
    share.free_bytes += states(share, submit);
    const auto step = share.activations.find(activations(share, submit));
    LINGUA_CHECK(step != share.activations.end(), "request {}", submit.request);
    share.activations.erase(step);
  }
}

std::string StateRoom::hold_weights(const std::map<DeviceName, double>& bytes) {
  for (const auto& [device, more] : bytes) {
    const auto place = shares_.find(device);
    if (place == shares_.end() || more == 0) continue;
    const double room = std::max(0.0, place->second.free_bytes - place->second.largest());
    if (more <= room) continue;
    const auto [needed, has] = format_apart(more, room, Unit::kBytes);
    return fmt::format(
        "{} has no room for {} of weights beside the requests that run there: {} of its memory are "
        "left",
        device, needed, has);
  }
  for (const auto& [device, more] : bytes) add(device, -more);
  return "";
}

void StateRoom::give_back_weights(const std::map<DeviceName, double>& bytes) {
  for (const auto& [device, more] : bytes) add(device, more);
}

void StateRoom::take_beside(const StateRoom& other, const Submit& submit) {
  for (auto& [device, share] : shares_) {
    const auto theirs = other.shares_.find(device);
    if (theirs == other.shares_.end()) continue;
    const Beside need{other.states(theirs->second, submit),
                      other.activations(theirs->second, submit)};
    share.free_bytes -= need.states;
    share.activations.insert(need.activations);
    beside_[submit.request][device] = need;
  }
}

void StateRoom::end_beside(RequestId request) {
  const auto place = beside_.find(request);
  if (place == beside_.end()) return;
  for (const auto& [device, need] : place->second) {
    Share& share = shares_.at(device);
    share.free_bytes += need.states;
    share.activations.erase(share.activations.find(need.activations));
  }
  beside_.erase(place);
}

}  // namespace lingua
