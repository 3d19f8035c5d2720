// What the coordinator does when the plan changes while all devices are there.
//
// The new deployment is prepared beside the running one. When it is ready it takes new requests, and those that run
// cross to it (crossing.cpp), or end where they run.

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/engine/coordinator.h"
#include "runtime/engine/request_state.h"

namespace lingua {
namespace {

std::string text_of(const Plan& plan) {
  std::vector<std::string> stages;
  for (const Stage& stage : plan.stages)
    stages.push_back(
        fmt::format("{} {}-{}", stage.device, stage.first_segment, stage.last_segment));
  return fmt::format("{}", fmt::join(stages, " | "));
}

}  // namespace

// Those of devices that have been told to retire it meanwhile are late.
void Coordinator::take_report(const Message& message, Seconds now, Effects& effects) {
  if (gathering_ || services_.empty()) return;
  const auto& report = std::get<WorkReport>(message.body);
  if (report.epoch != current().epoch) return;
  if (job_.on_report) job_.on_report(message.from, report, now);
  consider_move(false, now, effects);
}

RunState Coordinator::run_state(Seconds now) const {
  RunState state;
  state.now = now;
  state.ended = table_.ended();
  state.deployment = &current();
  state.membership = &membership_;
  state.requests = [this, now] { return requests_left(now); };
  return state;
}

void Coordinator::consider_move(bool between, Seconds now, Effects& effects) {
  if (!job_.rebalance || coming_ || crossing_ || gathering_ || services_.empty()) return;
  RunState state = run_state(now);
  state.between = between;
  state.joined = std::exchange(newcomers_, {});
  std::optional<Move> move = job_.rebalance(state);
  if (!move) return;
  moving_ = MoveRecord{};
  moving_->why = one_line(move->why);
  moving_->forecast = move->forecast;
  moving_->epoch = last_epoch_ + 1;
  moving_->plan = text_of(move->deployment.plan);
  moving_->decided = now;
  move->deployment.epoch = last_epoch_ + 1;
  move->deployment.replaces_all = false;
  if (const std::string no_room = hold_room_for(move->deployment); !no_room.empty()) {
    end_move(no_room, now);
    return;
  }
  deploy(std::move(move->deployment), effects);
  choices_ = std::move(move->crossings);
  choose_anew_ = std::move(move->cross);
  stall_.moved(now);
}

std::vector<RunState::Request> Coordinator::requests_left(Seconds now) const {
  std::vector<RunState::Request> requests;
  for (const auto& [id, entry] : table_.entries()) {
    const std::vector<TensorSpec>& inputs = job_.deployment.segmentation->model_inputs;
    const auto made =
        entry.admitted ? static_cast<std::int64_t>(checks_.tokens(id).size()) : std::int64_t{0};
    Submit whole = entry.submit;
    whole.made.clear();
    requests.push_back({id, first_step(whole, inputs).new_tokens, made, entry.submit.max_tokens,
                        entry.admitted.has_value(), now - entry.admitted.value_or(now)});
  }
  return requests;
}

void Coordinator::end_move(const std::string& failed, Seconds now) {
  if (!moving_) return;
  moving_->failed = one_line(failed);
  moving_->switched = now;
  if (failed.empty()) {
    const EventRow row{
        kCoordinator,   event::kMove,          -1, -1, moving_->epoch, moving_->decided,
        moving_->ready, moving_->weights_bytes};
    keep(row);
  }
  result_.moves.push_back(*std::exchange(moving_, std::nullopt));
  show();
}

// Of a request that goes on; one that crosses stops with it.
void Coordinator::note_token(RequestId request, Seconds now, Effects& effects) {
  if (!job_.rebalance) return;
  const auto crossed = crossed_.find(request);
  if (crossed != crossed_.end()) {
    double& pause_s = result_.moves[crossed->second].pause_s;
    const auto last = last_token_.find(request);
    if (last != last_token_.end()) pause_s = std::max(pause_s, (now - last->second).count());
    crossed_.erase(crossed);
  }
  last_token_[request] = now;
  if (!crossing_ || checks_.ending(request)) return;
  const auto crosses = crossing_->requests.find(request);
  if (crosses == crossing_->requests.end()) return;
  if (crosses->second.phase == RequestThatCrosses::Phase::kRunning) stop(request, effects);
  if (crosses->second.phase == RequestThatCrosses::Phase::kCopying)
    copy_states(request, crosses->second, effects);
}

}  // namespace lingua
