// How requests cross from the deployments that they run in to one that serves beside them, each on its own.
//
// States that are to be kept twice are copied first, round by round, while the request runs: from its first token on,
// for how far a prompt has come only its devices know. When its next token comes, so that nothing is lost that was computed, its devices are told to stop it and say so: what its header had
// sent has come by then, and nothing comes after it. States that are missing at their new places follow, and the
// request goes on from the tokens that it has. A request that is rebuilt, and one that moves while its prompt is under
// way, stop at once.

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/engine/coordinator.h"
#include "runtime/engine/request_state.h"

namespace lingua {
namespace {

using Phase = RequestThatCrosses::Phase;

constexpr int kMostRounds = 4;          // of copying
constexpr std::int64_t kFewTokens = 2;  // so many may be missing of what was copied

bool keeps_states(Crossing crossing) {
  return crossing == Crossing::kMove || crossing == Crossing::kKeepTwice;
}

}  // namespace

Crossing Coordinator::crossing_of(const RequestTable::Entry& entry) const {
  const Crossing crossing = choices_.of(entry.submit.request);
  const bool has_states = entry.submit.kv_cache && entry.submit.max_tokens > 0 &&
                          current().segmentation->freedom.chunks;
  return keeps_states(crossing) && !has_states ? Crossing::kRebuild : crossing;
}

// Of a request that runs: the first tokens that are surely computed. With one that its epoch has made, all but
// that; else those that were computed when it was admitted.
std::int64_t Coordinator::computed_tokens(const RequestTable::Entry& entry) const {
  const auto made = static_cast<std::int64_t>(checks_.tokens(entry.submit.request).size());
  if (made == entry.before) return entry.cached;
  return first_step(entry.submit, current().segmentation->model_inputs).new_tokens + made - 1;
}

// REQUIRES: the deployment that they cross to serves.
void Coordinator::begin_crossing(Seconds now, Effects& effects) {
  if (const auto choose = std::exchange(choose_anew_, nullptr)) {
    CrossingPlan crossing = choose(run_state(now));
    choices_ = std::move(crossing.crossings);
    moving_->forecast.copy_s = crossing.copy_s;
    moving_->forecast.pause_s = crossing.pause_s;
  }
  crossing_.emplace(current(), result_.moves.size());
  for (const auto& [id, entry] : table_.entries()) {
    if (!entry.running) continue;
    const Crossing how = crossing_of(entry);
    if (how == Crossing::kEnd) {
      ++moving_->ended;
      continue;
    }
    services_.back().room.take(entry.submit);
    RequestThatCrosses& request = crossing_->requests[id];
    request.how = how;
    request.phase = how == Crossing::kKeepTwice ? Phase::kCopying : Phase::kRunning;
  }
  end_move("", now);
  for (const auto& [id, request] : crossing_->requests) {
    const bool waits_for_token =
        request.how == Crossing::kMove && has_token_of_its_epoch(*table_.find(id));
    if (request.phase == Phase::kRunning && !waits_for_token) stop(id, effects);
  }
  go_on_crossing(now, effects);
}

bool Coordinator::has_token_of_its_epoch(const RequestTable::Entry& entry) const {
  return static_cast<std::int64_t>(checks_.tokens(entry.submit.request).size()) > entry.before;
}

void Coordinator::go_on_crossing(Seconds now, Effects& effects) {
  if (!crossing_) return;
  std::vector<RequestId> requests;
  for (const auto& [id, request] : crossing_->requests) requests.push_back(id);
  for (const RequestId id : requests) {
    RequestThatCrosses& request = crossing_->requests.at(id);
    if (request.phase == Phase::kCopying) copy_states(id, request, effects);
    if (request.phase == Phase::kCarrying && crossing_->states.complete(id))
      go_on_there(id, effects);
  }
  if (crossing_->requests.empty()) end_crossing(now, effects);
}

// From its first token on, until few enough are missing.
void Coordinator::copy_states(RequestId id, RequestThatCrosses& request, Effects& effects) {
  const RequestTable::Entry& entry = *table_.find(id);
  if (!has_token_of_its_epoch(entry)) return;
  const Deployment& before = service_of(entry.submit.epoch).deployer->deployment();
  while (crossing_->states.complete(id)) {
    const std::int64_t tokens = computed_tokens(entry);
    const std::int64_t missing = tokens - crossing_->states.tokens(id);
    const std::int64_t few = request.rounds == 0 ? 0 : kFewTokens;
    if (missing <= few || request.rounds == kMostRounds) {
      request.phase = Phase::kRunning;
      return;
    }
    ++request.rounds;
    crossing_->states.send(before, {id, entry.submit.capacity, tokens}, true, effects);
  }
}

void Coordinator::stop(RequestId id, Effects& effects) {
  RequestThatCrosses& request = crossing_->requests.at(id);
  request.phase = Phase::kStopping;
  const Deployer& deployer = *service_of(table_.find(id)->submit.epoch).deployer;
  for (const DeviceName& worker : deployer.workers()) {
    if (membership_.lost.contains(worker)) continue;  // it only stored
    request.asked.insert(worker);
    effects.send(worker, Suspend{deployer.deployment().epoch, id, keeps_states(request.how),
                                 current().epoch});
  }
}

// One that is not waited for is of a request that has ended meanwhile.
void Coordinator::take_suspended(const Message& message, Seconds now, Effects& effects) {
  const auto& suspended = std::get<Suspended>(message.body);
  if (!crossing_) return;
  const auto place = crossing_->requests.find(suspended.request);
  if (place == crossing_->requests.end() || place->second.asked.erase(message.from) == 0) return;
  const RequestTable::Entry& entry = *table_.find(suspended.request);
  RequestThatCrosses& request = place->second;
  const Deployment& deployment = service_of(entry.submit.epoch).deployer->deployment();
  if (message.from == deployment.plan.header()) {
    const std::int64_t all =
        first_step(entry.submit, deployment.segmentation->model_inputs).new_tokens +
        static_cast<std::int64_t>(checks_.tokens(suspended.request).size());
    if (suspended.cached < 0 || suspended.cached >= all) {
      throw WorldError(
          fmt::format("{} answers nonsense: {} tokens of request {} are computed, which has {}; {}",
                      message.from, suspended.cached, suspended.request, all, progress()));
    }
    request.cached = suspended.cached;
  }
  if (!request.asked.empty()) return;
  request.phase = Phase::kCarrying;
  if (keeps_states(request.how)) {
    crossing_->states.send(deployment, {suspended.request, entry.submit.capacity, request.cached},
                           false, effects);
  }
  go_on_crossing(now, effects);
}

void Coordinator::go_on_there(RequestId id, Effects& effects) {
  const RequestThatCrosses request = crossing_->requests.at(id);
  crossing_->requests.erase(id);
  const std::int64_t cached =
      keeps_states(request.how) ? std::min(request.cached, crossing_->states.tokens(id)) : 0;
  MoveRecord& move = result_.moves[crossing_->move];
  move.states_bytes = crossing_->states.bytes();
  ++(cached == 0                           ? move.rebuilt
     : request.how == Crossing::kKeepTwice ? move.kept_twice
                                           : move.moved);
  const Submit& before = table_.find(id)->submit;
  Service& left = service_of(before.epoch);
  left.room.give_back(before);
  services_.back().room.end_beside(id);
  if (keeps_states(request.how)) {
    for (const DeviceName& worker : left.deployer->workers())
      effects.send(worker, Suspend{before.epoch, id, false, current().epoch});
  }
  Submit submit = table_.go_on(id, current().epoch, checks_.tokens(id), cached);
  if (submit.max_tokens > 0 && checks_.ending(id)) {  // it was cancelled on the way
    services_.back().room.give_back(table_.find(id)->submit);
    finish_if_complete(id, effects);
    return;
  }
  checks_.resumed(id);
  crossed_[id] = crossing_->move;
  effects.send(current().plan.header(), std::move(submit));
}

void Coordinator::end_crossing(Seconds now, Effects& effects) {
  const MoveRecord& move = result_.moves[crossing_->move];
  if (move.requests() > 0)
    keep({kCoordinator, event::kSwitch, -1, -1, move.epoch, move.ready, now, 0});
  crossing_.reset();
  retire_unused(effects);
  admit(now, effects);
  gather_when_all_is_answered(now, effects);
  if (!newcomers_.empty()) consider_move(false, now, effects);
}

// It ends, and crosses no more. Its states can go, wherever it has some.
void Coordinator::release(RequestId id, Effects& effects) {
  const Submit& submit = table_.find(id)->submit;
  std::vector<const Deployer*> deployers = {service_of(submit.epoch).deployer.get()};
  if (crossing_ && crossing_->requests.erase(id) == 1) {
    crossing_->states.forget(id);
    ++result_.moves[crossing_->move].ended;  // on its way
    services_.back().room.give_back(submit);
    deployers.push_back(services_.back().deployer.get());
  }
  std::set<DeviceName> told;
  for (const Deployer* deployer : deployers) {
    for (const DeviceName& worker : deployer->workers()) {
      if (told.insert(worker).second) effects.send(worker, Release{id});
    }
  }
}

}  // namespace lingua
