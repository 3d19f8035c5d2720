#include "runtime/engine/header.h"

#include "runtime/base/errors.h"
#include "runtime/engine/refusal.h"
#include "runtime/events/event_log.h"

namespace lingua {

const RequestState* Header::submit(const Submit& submit, Seconds arrived) {
  if (requests_.contains(submit.request)) {
    throw WorldError(fmt::format("request {} was submitted twice", submit.request));
  }
  check_submit(submit, inputs_);
  for (std::size_t i = 0; i < submit.inputs.size(); ++i) {
    if (has_data_ && !submit.inputs[i].has_data()) {
      throw RequestRefused(submit.request,
                           fmt::format("input {} has no contents", inputs_[i].name));
    }
  }
  RequestState request(submit, inputs_, arrived, scheduling_, stages_);
  return &requests_.try_emplace(submit.request, std::move(request)).first->second;
}

const RequestState* Header::next_piece(RequestId id) {
  const auto place = requests_.find(id);
  if (place == requests_.end() || !place->second.prompt_goes_on()) return nullptr;
  if (!place->second.has_room_for_piece()) {
    held_.insert(id);
    return nullptr;
  }
  place->second.next_piece();
  return &place->second;
}

const RequestState* Header::take(StepResult result, Seconds now, Effects& effects) {
  const auto place = requests_.find(result.request);
  const bool is_empty = result.token == kNoToken && result.outputs.empty();
  if (place != requests_.end() && is_empty && place->second.piece_done(result.step_index))
    return held_.erase(result.request) > 0 ? next_piece(result.request) : nullptr;
  if (place == requests_.end() || place->second.step_index() != result.step_index ||
      place->second.prompt_goes_on()) {
    throw WorldError(fmt::format("a result for step {} of request {} came, which is not under way",
                                 result.step_index, result.request));
  }
  RequestState& request = place->second;
  effects.rows.push_back(
      {self_, event::kStep, -1, request.id(), request.step_index(), request.step_start(), now, 0});
  bool ended = true;
  if (request.generates()) {
    const auto index = static_cast<std::int64_t>(request.tokens().size());
    ended = request.take(result.token, now);
    effects.send(kCoordinator, TokenMade{request.id(), index, result.token});
  }
  if (!ended) return &request;
  effects.rows.push_back({self_, event::kRequest, -1, request.id(), -1, request.start(), now, 0});
  effects.send(kCoordinator,
               Done{request.id(), request.tokens(), std::move(result.outputs), request.ending()});
  requests_.erase(place);
  return nullptr;
}

void Header::cancel(RequestId request) {
  const auto place = requests_.find(request);
  if (place != requests_.end()) place->second.cancel();
}

std::string Header::waits_for() const {
  if (requests_.empty()) return "";
  const auto& [id, request] = *requests_.begin();
  return fmt::format("waits for the result of step {} of request {}", request.step_index(), id);
}

}  // namespace lingua
