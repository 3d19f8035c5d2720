#include "runtime/engine/state_room.h"

#include <algorithm>

#include "runtime/base/errors.h"
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
    double largest = activations(share, submit);
    if (!share.activations.empty()) largest = std::max(largest, *share.activations.rbegin());
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

}  // namespace lingua
