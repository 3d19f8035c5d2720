// How the coordinator has a deployment come about, and how it gives one up or retires it.

#include <algorithm>
#include <utility>

#include "runtime/base/plain_text.h"
#include "runtime/engine/coordinator.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

using Weights = std::map<std::string, double>;  // bytes, by name

Weights weights_at(const DeviceName& device, const Deployment& deployment) {
  Weights weights;
  for (const SegmentId id : deployment.stored_by(device)) {
    for (const WeightSpec& weight : deployment.segment(id).weights)
      weights[weight.name] = static_cast<double>(weight.bytes());
  }
  return weights;
}

void take_away(const Weights& some, Weights& from) {
  for (const auto& [name, bytes] : some) from.erase(name);
}

}  // namespace

void Coordinator::deploy(Deployment deployment, Effects& effects) {
  last_epoch_ = deployment.epoch;
  checks_.deployed(deployment.plan);
  deployment.scheduling = with_batches(deployment.scheduling, job_.in_flight,
                                       static_cast<int>(deployment.plan.stages.size()));
  coming_ = std::make_unique<Deployer>(std::move(deployment),
                                       services_.empty() ? nullptr : &current(), membership_.cut);
  for (const DeviceName& worker : coming_->workers()) {
    if (std::find(workers_.begin(), workers_.end(), worker) == workers_.end())
      workers_.push_back(worker);
  }
  stall_.watch(workers_);
  coming_->begin(effects);
}

// Requests that were admitted keep the room that they need: what comes has what is left, or there is not enough,
// and why, and it does not come.
std::string Coordinator::hold_room_for(const Deployment& next) {
  std::map<DeviceName, double> bytes;
  for (const DeviceName& device : next.plan.devices()) {
    Weights lacking = weights_at(device, next);
    for (const Service& service : services_)
      take_away(weights_at(device, service.deployer->deployment()), lacking);
    for (const auto& [name, size] : lacking) bytes[device] += size;
  }
  const std::string no_room = services_.back().room.hold_weights(bytes);
  if (no_room.empty()) coming_bytes_ = std::move(bytes);
  return no_room;
}

// Of the coming deployment, whose devices have said what they have beside weights.
StateRoom Coordinator::room_beside_what_runs() const {
  StateRoom room(coming_->deployment(), coming_->free_bytes());
  for (const auto& [id, entry] : table_.entries()) {
    if (!entry.running) continue;
    const auto runs_there = [&epoch = entry.submit.epoch](const Service& service) {
      return service.deployer->deployment().epoch == epoch;
    };
    const auto place = std::find_if(services_.begin(), services_.end(), runs_there);
    if (place != services_.end()) room.take_beside(place->room, entry.submit);
  }
  return room;
}

void Coordinator::retire_unused(Effects& effects) {
  for (std::size_t s = 0; s + 1 < services_.size();) {
    const Epoch epoch = services_[s].deployer->deployment().epoch;
    if (table_.runs_in(epoch)) {
      ++s;
      continue;
    }
    const Service gone = std::move(services_[s]);
    services_.erase(services_.begin() + static_cast<std::ptrdiff_t>(s));
    for (const DeviceName& worker : gone.deployer->workers()) effects.send(worker, Retire{epoch});
    give_back_weights_of(gone.deployer->deployment());
    given_up_.insert(epoch);
  }
}

// Room for requests is what those leave that nothing else needs, and what comes keeps of them it need not get.
void Coordinator::give_back_weights_of(const Deployment& gone) {
  for (const DeviceName& device : gone.plan.devices()) {
    Weights left = weights_at(device, gone);
    for (const Service& service : services_)
      take_away(weights_at(device, service.deployer->deployment()), left);
    const Weights awaited = coming_ ? weights_at(device, coming_->deployment()) : Weights{};
    for (const auto& [name, bytes] : left) {
      if (awaited.contains(name)) {
        coming_bytes_[device] += bytes;
      } else {
        services_.back().room.add(device, bytes);
      }
    }
  }
}

bool Coordinator::take_of_coming(const Message& message, Seconds now, Effects& effects) {
  if (!coming_ || !coming_->take(message, now, effects)) return false;
  if (job_.on_weights && (std::holds_alternative<WeightAck>(message.body) ||
                          std::holds_alternative<WeightHeld>(message.body))) {
    double bytes = 0;
    for (const auto& [from, sent] : coming_->delivery().bytes_from()) bytes += sent;
    job_.on_weights(bytes, coming_->delivery().bytes_total());
  }
  if (coming_->ready()) become_current(now, effects);
  return true;
}

// Of pieces of a weight that had come from elsewhere meanwhile.
bool Coordinator::is_late_of_weights(const MessageBody& body) const {
  const bool is_of_weights =
      std::holds_alternative<WeightAck>(body) || std::holds_alternative<WeightHeld>(body);
  return is_of_weights && !services_.empty() && *epoch_of(body) <= current().epoch;
}

void Coordinator::note_delivery() {
  const WeightDelivery& delivery = coming_->delivery();
  result_.notes.insert(result_.notes.end(), delivery.notes().begin(), delivery.notes().end());
  if (!moving_) return;
  moving_->weights_bytes = delivery.bytes_total();
  moving_->weights_from = delivery.bytes_from();
}

// What runs goes on.
void Coordinator::give_up_coming(const Message& message, const std::string& why, Seconds now,
                                 Effects& effects) {
  const Epoch epoch = coming_->deployment().epoch;
  given_up_.insert(epoch);
  result_.notes.push_back(
      fmt::format("the deployment of epoch {} came to nothing: {}", epoch, why));
  for (const DeviceName& worker : coming_->all_involved()) {
    if (worker != message.from) effects.send(worker, Retire{epoch});
  }
  coming_.reset();
  services_.back().room.give_back_weights(std::exchange(coming_bytes_, {}));
  end_move(why, now);
  admit(now, effects);
  gather_when_all_is_answered(now, effects);
}

}  // namespace lingua
