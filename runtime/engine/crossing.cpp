// How requests cross from the deployments that they run in to one that is ready beside them.
//
// States that are to be kept twice are copied first, round by round, while requests run. Then the devices stop the
// requests and say so: what their headers had sent has come by then, and nothing comes after it. States that are
// missing at their new places follow, the old deployments are retired, and the requests go on from the tokens that
// they have.

#include "runtime/engine/crossing.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/engine/coordinator.h"
#include "runtime/engine/request_state.h"

namespace lingua {
namespace {

using Phase = RequestsThatCross::Phase;

constexpr int kMostRounds = 4;          // of copying
constexpr std::int64_t kFewTokens = 2;  // of a request: so many may be missing when it stops

bool keeps_states(Crossing crossing) {
  return crossing == Crossing::kMove || crossing == Crossing::kKeepTwice;
}

}  // namespace

Crossing Coordinator::crossing_of(const RequestTable::Entry& entry) const {
  const Crossing crossing = choices_.of(entry.submit.request);
  const bool has_states = entry.submit.kv_cache && entry.submit.max_tokens > 0 &&
                          coming_->deployment().segmentation->freedom.chunks;
  return keeps_states(crossing) && !has_states ? Crossing::kRebuild : crossing;
}

// Of a request that runs: as far as its tokens tell.
std::int64_t Coordinator::computed_tokens(const RequestTable::Entry& entry) const {
  const auto made = static_cast<std::int64_t>(checks_.tokens(entry.submit.request).size());
  if (made == entry.before) return entry.cached;
  return first_step(entry.submit, coming_->deployment().segmentation->model_inputs).new_tokens +
         made - 1;
}

void Coordinator::begin_crossing(Seconds now, Effects& effects) {
  crossing_.emplace(coming_->deployment());
  copy_states(effects);
  go_on_crossing(now, effects);
}

void Coordinator::copy_states(Effects& effects) {
  ++crossing_->rounds;
  for (const Service& service : services_) {
    const Deployment& before = service.deployer->deployment();
    std::vector<StateMoves::Request> requests;
    for (const auto& [id, entry] : table_.entries()) {
      const bool is_here = entry.running && entry.submit.epoch == before.epoch;
      if (is_here && crossing_of(entry) == Crossing::kKeepTwice)
        requests.push_back({id, entry.submit.capacity, computed_tokens(entry)});
    }
    crossing_->states.send(before, requests, true, effects);
  }
}

// Of a request that is kept twice, too much would be missing.
bool Coordinator::lags_behind() const {
  return std::any_of(table_.entries().begin(), table_.entries().end(), [&](const auto& item) {
    const RequestTable::Entry& entry = item.second;
    return entry.running && crossing_of(entry) == Crossing::kKeepTwice &&
           computed_tokens(entry) - crossing_->states.tokens(item.first) > kFewTokens;
  });
}

void Coordinator::go_on_crossing(Seconds now, Effects& effects) {
  if (!crossing_ || !crossing_->states.complete()) return;
  if (crossing_->phase == Phase::kCopying) {
    if (crossing_->rounds < kMostRounds && lags_behind()) copy_states(effects);
    if (crossing_->states.complete()) suspend(now, effects);
  } else if (crossing_->phase == Phase::kCarrying) {
    end_crossing(now, effects);
  }
}

void Coordinator::suspend(Seconds now, Effects& effects) {
  crossing_->phase = Phase::kSuspending;
  cached_.clear();  // those that still wait are rebuilt
  for (const Service& service : services_) {
    const Epoch epoch = service.deployer->deployment().epoch;
    Suspend suspend{epoch, {}, {}, coming_->deployment().epoch};
    for (const auto& [id, entry] : table_.entries()) {
      if (!entry.running || entry.submit.epoch != epoch) continue;
      const Crossing crossing = crossing_of(entry);
      if (crossing == Crossing::kEnd) {
        ++moving_->ended;
        continue;
      }
      crossing_->how[id] = crossing;
      suspend.requests.push_back(id);
      if (keeps_states(crossing)) suspend.kept.push_back(id);
    }
    if (suspend.requests.empty()) continue;
    for (const DeviceName& worker : service.deployer->workers()) {
      crossing_->asked.emplace(epoch, worker);
      effects.send(worker, suspend);
    }
  }
  if (crossing_->asked.empty()) serve_coming(now, effects);
}

void Coordinator::take_suspended(const Message& message, Seconds now, Effects& effects) {
  const auto& suspended = std::get<Suspended>(message.body);
  const auto refuse = [&](const std::string& what) {
    throw WorldError(fmt::format("{} answers nonsense: {}; {}", message.from, what, progress()));
  };
  if (!crossing_ || crossing_->asked.erase({suspended.epoch, message.from}) == 0)
    refuse(describe(message.body) + " is not expected now");
  RequestsThatCross::Memory& memory = crossing_->memory[message.from];
  memory.free = suspended.free_bytes;  // the last of several epochs is right
  memory.states += suspended.states_bytes;
  memory.weights[suspended.epoch] = suspended.weights_bytes;
  const Deployment& deployment = service_of(suspended.epoch).deployer->deployment();
  if (message.from == deployment.plan.header()) {
    for (const auto& [id, tokens] : suspended.progress) {
      const RequestTable::Entry* entry = table_.find(id);
      if (entry == nullptr || !entry->running || entry->submit.epoch != suspended.epoch) continue;
      const std::int64_t all =
          first_step(entry->submit, deployment.segmentation->model_inputs).new_tokens +
          static_cast<std::int64_t>(checks_.tokens(id).size());
      if (tokens < 0 || tokens >= all)
        refuse(fmt::format("{} tokens of request {} are computed, which has {}", tokens, id, all));
      crossing_->cached[id] = tokens;
    }
  }
  if (crossing_->asked.empty()) carry_states(now, effects);
}

void Coordinator::carry_states(Seconds now, Effects& effects) {
  crossing_->phase = Phase::kCarrying;
  std::vector<RequestId> stopped;
  std::map<Epoch, std::vector<StateMoves::Request>> kept;
  for (const auto& [id, how] : crossing_->how) {
    const RequestTable::Entry* entry = table_.find(id);
    if (entry == nullptr || !entry->running) continue;  // it has ended meanwhile
    stopped.push_back(id);
    crossed_[id] = result_.moves.size();
    if (keeps_states(how))
      kept[entry->submit.epoch].push_back({id, entry->submit.capacity, crossing_->cached[id]});
  }
  for (const auto& [epoch, requests] : kept)
    crossing_->states.send(service_of(epoch).deployer->deployment(), requests, false, effects);
  for (const RequestId request : stopped) {
    const Submit& submit = table_.find(request)->submit;
    service_of(submit.epoch).room.give_back(submit);
  }
  table_.suspend(stopped);
  for (auto service = services_.begin(); service != services_.end();) {
    const Epoch epoch = service->deployer->deployment().epoch;
    if (table_.runs_in(epoch)) {
      for (auto& [name, memory] : crossing_->memory) memory.weights.erase(epoch);
      ++service;
      continue;
    }
    given_up_.insert(epoch);
    crossing_->left.push_back(std::move(*service));
    service = services_.erase(service);
  }
  go_on_crossing(now, effects);
}

void Coordinator::end_crossing(Seconds now, Effects& effects) {
  for (const auto& [id, how] : crossing_->how) {
    if (table_.find(id) == nullptr) continue;
    const std::int64_t cached = keeps_states(how) ? crossing_->states.tokens(id) : 0;
    if (cached > 0) cached_[id] = cached;
    ++(cached == 0                   ? moving_->rebuilt
       : how == Crossing::kKeepTwice ? moving_->kept_twice
                                     : moving_->moved);
  }
  moving_->states_bytes = crossing_->states.bytes();
  for (const Service& service : crossing_->left) {
    for (const DeviceName& worker : service.deployer->workers())
      effects.send(worker, Retire{service.deployer->deployment().epoch});
  }
  serve_coming(now, effects);
}

// Its states can go, wherever it has some.
void Coordinator::release(RequestId request, Effects& effects) {
  std::set<DeviceName> told;
  const auto tell = [&](const Deployer& deployer) {
    for (const DeviceName& worker : deployer.workers()) {
      if (told.insert(worker).second) effects.send(worker, Release{request});
    }
  };
  const RequestTable::Entry& entry = *table_.find(request);
  if (entry.running) tell(*service_of(entry.submit.epoch).deployer);
  if (cached_.erase(request) == 1) tell(*services_.back().deployer);
  if (crossing_) {
    crossing_->states.forget(request);
    tell(*coming_);
    for (const Service& service : crossing_->left) tell(*service.deployer);
  }
}

}  // namespace lingua
