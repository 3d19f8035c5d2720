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

void Deployer::begin(Effects& effects) {
  const Plan& plan = deployment_.plan;
  for (const Transfer& transfer : plan.transfers) untried_.emplace(transfer.from, transfer.to);
  if (plan.tailer() != plan.header()) untried_.emplace(plan.tailer(), plan.header());
  for (const DeviceName& worker : workers_) effects.send(worker, deployment_.prepare_for(worker));
}

bool Deployer::is_mine(const MessageBody& body) const {
  const bool is_answer =
      std::holds_alternative<Lacks>(body) || std::holds_alternative<Reached>(body) ||
      std::holds_alternative<WeightAck>(body) || std::holds_alternative<Ready>(body);
  return is_answer && epoch_of(body) == deployment_.epoch;
}

bool Deployer::take(const Message& message, Seconds now, Effects& effects) {
  if (!is_mine(message.body)) return false;
  const auto sender = senders_.find(message.from);
  if (const auto* lacks = std::get_if<Lacks>(&message.body)) {
    const bool is_new =
        senders_.try_emplace(message.from, deployment_, message.from, *lacks).second;
    if (!is_new) refuse(message);
    if (senders_.size() == workers_.size() && untried_.empty()) send_weights(now, effects);
  } else if (const auto* reached = std::get_if<Reached>(&message.body)) {
    // Once more, or by one that was not to try it: who was reached cannot know.
    if (untried_.erase({reached->from, message.from}) != 1) return true;
    if (senders_.size() == workers_.size() && untried_.empty()) send_weights(now, effects);
  } else if (sender == senders_.end()) {
    refuse(message);
  } else if (const auto* ack = std::get_if<WeightAck>(&message.body)) {
    sender->second.acknowledge(*ack, now, effects);
  } else {
    if (!sender->second.done()) refuse(message);
    const double bytes = std::get<Ready>(message.body).free_bytes;
    if (!free_bytes_.emplace(message.from, bytes).second) refuse(message);
  }
  return true;
}

void Deployer::send_weights(Seconds now, Effects& effects) {
  for (auto& [name, sender] : senders_) sender.begin(now, effects);
}

double Deployer::weights_sent() const {
  double bytes = 0;
  for (const auto& [name, sender] : senders_) bytes += sender.bytes_acknowledged();
  return bytes;
}

double Deployer::weights_total() const {
  double bytes = 0;
  for (const auto& [name, sender] : senders_) bytes += sender.bytes_total();
  return bytes;
}

}  // namespace lingua
