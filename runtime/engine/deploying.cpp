// How the coordinator has a deployment come about, and how it gives one up.

#include <algorithm>
#include <utility>

#include "runtime/base/plain_text.h"
#include "runtime/engine/coordinator.h"
#include "runtime/schedule/schedule.h"

namespace lingua {

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
    std::set<std::string> known;
    for (const Service& service : services_) {
      const Deployment& deployment = service.deployer->deployment();
      for (const SegmentId id : deployment.stored_by(device)) {
        for (const WeightSpec& weight : deployment.segment(id).weights) known.insert(weight.name);
      }
    }
    for (const SegmentId id : next.stored_by(device)) {
      for (const WeightSpec& weight : next.segment(id).weights) {
        if (known.insert(weight.name).second) bytes[device] += static_cast<double>(weight.bytes());
      }
    }
  }
  const std::string no_room = services_.back().room.hold_weights(bytes);
  if (no_room.empty()) coming_bytes_ = std::move(bytes);
  return no_room;
}

// Of the coming deployment, whose devices have said what they have free. Requests that end in others may not have
// begun by then, on some of them; a token says that they have.
StateRoom Coordinator::room_beside_what_runs(const std::map<DeviceName, double>& free_bytes) const {
  StateRoom room(coming_->deployment(), free_bytes);
  for (const auto& [id, entry] : table_.entries()) {
    if (!entry.running) continue;
    const auto runs_there = [&](const Service& service) {
      return service.deployer->deployment().epoch == entry.submit.epoch;
    };
    const auto place = std::find_if(services_.begin(), services_.end(), runs_there);
    if (place == services_.end()) continue;
    const bool has_begun = checks_.tokens(id).size() > place->had.at(id);
    room.take_beside(place->room, entry.submit, has_begun);
  }
  return room;
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
