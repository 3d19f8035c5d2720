#include "runtime/engine/weight_giver.h"

#include <algorithm>

namespace lingua {

void WeightGiver::take(const SendWeights& order, Seconds now, Effects& effects) {
  receivers_.erase(order.to);
  const auto read = [this](const WeightSpec& weight, std::int64_t offset, std::int64_t) {
    const std::shared_ptr<const std::byte>& data = store_.tensor(weight.name).data;
    return data ? std::shared_ptr<const std::byte>(data, data.get() + offset) : nullptr;
  };
  Receiver receiver{order.epoch, {}, WeightSender(order, read)};
  for (const std::string& name : order.weights) {
    if (!store_.complete(name)) continue;
    const Tensor& tensor = store_.tensor(name);
    receiver.weights.push_back(name);
    receiver.sender.add({name, tensor.dtype, tensor.shape});
  }
  if (receiver.sender.done()) return;
  receiver.sender.go_on(now, effects);
  receivers_.emplace(order.to, std::move(receiver));
}

void WeightGiver::take(const WeightAck& ack, const DeviceName& from, Seconds now,
                       Effects& effects) {
  const auto receiver = receivers_.find(from);
  if (receiver == receivers_.end()) return;
  receiver->second.sender.acknowledge(ack, now, effects);
  if (receiver->second.sender.done()) receivers_.erase(receiver);
}

void WeightGiver::go_on(Seconds now, Effects& effects) {
  for (auto& [name, receiver] : receivers_) receiver.sender.go_on(now, effects);
}

Seconds WeightGiver::next() const {
  Seconds next = kNever;
  for (const auto& [name, receiver] : receivers_) next = std::min(next, receiver.sender.next());
  return next;
}

void WeightGiver::look_at_store() {
  for (auto& [name, receiver] : receivers_) {
    for (const std::string& weight : receiver.weights) {
      if (!store_.complete(weight)) receiver.sender.leave_out(weight);
    }
  }
  std::erase_if(receivers_, [](const auto& item) { return item.second.sender.done(); });
}

void WeightGiver::end(std::optional<Epoch> epoch) {
  std::erase_if(receivers_,
                [&](const auto& item) { return !epoch || item.second.epoch == *epoch; });
}

}  // namespace lingua
