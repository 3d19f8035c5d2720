#include "runtime/engine/deployer.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

[[noreturn]] void refuse(const Message& message) {
  throw WorldError(fmt::format("{} answers nonsense: {} is not expected now", message.from,
                               describe(message.body)));
}

}  // namespace

Deployer::Deployer(Deployment deployment, const Deployment* beside, WeightDelivery::Links cut)
    : deployment_(std::move(deployment)),
      workers_(deployment_.plan.devices()),
      delivery_(deployment_, beside == nullptr ? 0 : deployment_.move_bytes_per_s, std::move(cut)) {
  if (beside == nullptr) return;
  for (const DeviceName& device : beside->plan.devices()) delivery_.add_holder(device, *beside);
}

void Deployer::begin(Effects& effects) {
  const Plan& plan = deployment_.plan;
  for (const Transfer& transfer : plan.transfers) untried_.emplace(transfer.from, transfer.to);
  if (plan.tailer() != plan.header()) untried_.emplace(plan.tailer(), plan.header());
  for (const DeviceName& worker : workers_) {
    Prepare prepare = deployment_.prepare_for(worker);
    digests_[worker] = prepare.digests;
    effects.send(worker, std::move(prepare));
  }
}

bool Deployer::is_mine(const MessageBody& body) const {
  const bool is_answer =
      std::holds_alternative<Lacks>(body) || std::holds_alternative<Reached>(body) ||
      std::holds_alternative<WeightAck>(body) || std::holds_alternative<WeightHeld>(body) ||
      std::holds_alternative<Ready>(body);
  return is_answer && epoch_of(body) == deployment_.epoch;
}

bool Deployer::take(const Message& message, Seconds now, Effects& effects) {
  if (!is_mine(message.body)) return false;
  if (const auto* lacks = std::get_if<Lacks>(&message.body)) {
    const bool is_asked = digests_.contains(message.from);
    if (!is_asked || !lacking_.insert(message.from).second) refuse(message);
    delivery_.add_lacks(message.from, *lacks);
    delivery_.add_checked(message.from, digests_.at(message.from));
    send_weights(now, effects);
  } else if (const auto* reached = std::get_if<Reached>(&message.body)) {
    // Once more, or by one that was not to try it: who was reached cannot know.
    if (untried_.erase({reached->from, message.from}) == 1) send_weights(now, effects);
  } else if (const auto* ack = std::get_if<WeightAck>(&message.body)) {
    delivery_.take(*ack, message.from, now, effects);
  } else if (const auto* held = std::get_if<WeightHeld>(&message.body)) {
    if (!begun_) refuse(message);
    delivery_.take(*held, message.from, now, effects);
  } else {
    if (!delivery_.complete(message.from)) refuse(message);
    const double bytes = std::get<Ready>(message.body).free_bytes;
    if (!free_bytes_.emplace(message.from, bytes).second) refuse(message);
  }
  return true;
}

void Deployer::send_weights(Seconds now, Effects& effects) {
  if (begun_ || lacking_.size() < workers_.size() || !untried_.empty()) return;
  begun_ = true;
  delivery_.begin(now, effects);
}

void Deployer::lose_link(const DeviceName& a, const DeviceName& b, Seconds now, Effects& effects) {
  if (begun_) delivery_.lose_link(a, b, now, effects);
}

std::set<DeviceName> Deployer::all_involved() const {
  std::set<DeviceName> devices = delivery_.givers();
  devices.insert(workers_.begin(), workers_.end());
  return devices;
}

}  // namespace lingua
