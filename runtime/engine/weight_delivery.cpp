#include "runtime/engine/weight_delivery.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/plan/weight_sources.h"

namespace lingua {
namespace {

// For so long nothing may come from a device that gives weights; longer where its rate asks for it.
constexpr Seconds kPatience{15};
constexpr double kPiecesLate = 4;

[[noreturn]] void refuse(const DeviceName& device, const std::string& what) {
  throw WorldError(fmt::format("{} answers nonsense: {}", device, what));
}

}  // namespace

WeightDelivery::WeightDelivery(const Deployment& deployment, double bytes_per_s, Links cut)
    : deployment_(deployment), bytes_per_s_(bytes_per_s), cut_(std::move(cut)) {}

WeightDelivery::Weight* WeightDelivery::Receiver::find(const std::string& name) {
  const auto place = std::find_if(weights.begin(), weights.end(),
                                  [&](const Weight& w) { return w.spec.name == name; });
  return place == weights.end() ? nullptr : &*place;
}

WeightDelivery::Receiver& WeightDelivery::receiver_of(const DeviceName& device) {
  const auto place = receivers_.find(device);
  if (place == receivers_.end()) refuse(device, "it has not said what it lacks");
  return place->second;
}

void WeightDelivery::add_lacks(const DeviceName& device, const Lacks& lacks) {
  Receiver receiver;
  std::map<std::string, const WeightSpec*> own;
  std::set<SegmentId> segments;
  for (SegmentId id : deployment_.stored_by(device)) {
    if (deployment_.source->has_data()) segments.insert(id);
    for (const WeightSpec& weight : deployment_.segment(id).weights)
      own.emplace(weight.name, &weight);
  }
  for (SegmentId id : lacks.programs) {
    if (segments.erase(id) != 1)
      refuse(device, fmt::format("it asks for the program of segment {}", id));
    receiver.programs.push_back(id);
  }
  for (const std::string& name : lacks.weights) {
    const auto weight = own.find(name);
    if (weight == own.end()) refuse(device, fmt::format("it asks for weight '{}'", one_line(name)));
    receiver.weights.push_back({*weight->second, kCoordinator, 0, false});
    own.erase(weight);
  }
  receiver.missing = static_cast<int>(receiver.weights.size());
  for (const auto& [name, weight] : own) holders_[name].insert(device);
  receivers_.emplace(device, std::move(receiver));
}

void WeightDelivery::add_checked(const DeviceName& device,
                                 const std::map<std::string, Digest>& digests) {
  for (const auto& [name, digest] : digests) receivers_.at(device).checked.insert(name);
}

void WeightDelivery::add_holder(const DeviceName& device, const Deployment& deployment) {
  for (const SegmentId id : deployment.stored_by(device)) {
    for (const WeightSpec& weight : deployment.segment(id).weights)
      holders_[weight.name].insert(device);
  }
}

void WeightDelivery::begin(Seconds now, Effects& effects) {
  const ClusterSpec* cluster = deployment_.cluster.get();
  std::vector<WeightNeed> needs;
  std::vector<std::pair<DeviceName, Weight*>> weights;
  for (auto& [device, receiver] : receivers_) {
    for (const SegmentId id : receiver.programs) {
      effects.send(device, SegmentProgram{deployment_.epoch, id,
                                          deployment_.source->program(deployment_.segment(id))});
    }
    receiver.programs.clear();
    for (Weight& weight : receiver.weights) {
      weights.emplace_back(device, &weight);
      WeightNeed need{device, static_cast<double>(weight.spec.bytes()), {}};
      const bool is_checked =
          !deployment_.source->has_data() || receiver.checked.contains(weight.spec.name);
      if (cluster != nullptr && is_checked) {
        const std::set<DeviceName>& holders = holders_[weight.spec.name];
        std::copy_if(holders.begin(), holders.end(), std::back_inserter(need.held_by),
                     [&](const DeviceName& holder) { return cluster->index_of(holder) >= 0; });
      }
      needs.push_back(std::move(need));
    }
  }
  if (cluster != nullptr) {
    const std::vector<DeviceName> sources = weight_sources(needs, {cluster, bytes_per_s_, cut_});
    for (std::size_t i = 0; i < needs.size(); ++i) weights[i].second->source = sources[i];
  }
  std::map<DeviceName, double> bytes_of_giver;
  std::map<std::pair<DeviceName, DeviceName>, double> bytes;
  for (const auto& [device, weight] : weights) {
    if (weight->source == kCoordinator) {
      send_by_coordinator(device, *weight);
      continue;
    }
    const auto size = static_cast<double>(weight->spec.bytes());
    ++givings_[{weight->source, device}].missing;
    bytes[{weight->source, device}] += size;
    bytes_of_giver[weight->source] += size;
  }
  for (const auto& [way, size] : bytes) {
    const double share = bytes_of_giver[way.first] > 0 ? size / bytes_of_giver[way.first] : 1;
    order_from(way.first, way.second, share * bytes_per_s_, now, effects);
  }
  share_rate();
  tick(now, effects);
}

void WeightDelivery::order_from(const DeviceName& giver, const DeviceName& receiver,
                                double bytes_per_s, Seconds now, Effects& effects) {
  const Deployment::Pieces pieces = deployment_.pieces_between(giver, receiver);
  SendWeights order{deployment_.epoch, receiver, {}, pieces.bytes, pieces.window, bytes_per_s};
  for (const Weight& weight : receivers_.at(receiver).weights) {
    if (weight.source == giver) order.weights.push_back(weight.spec.name);
  }
  Giving& giving = givings_.at({giver, receiver});
  giving.heard = now;
  giving.patience = kPatience;
  if (bytes_per_s > 0) {
    const double piece_s = static_cast<double>(pieces.bytes) / bytes_per_s;
    giving.patience = std::max(kPatience, Seconds(kPiecesLate * piece_s));
  }
  effects.send(giver, std::move(order));
}

void WeightDelivery::send_by_coordinator(const DeviceName& device, Weight& weight) {
  Receiver& receiver = receivers_.at(device);
  weight.source = kCoordinator;
  weight.bytes = 0;
  if (!receiver.sender) {
    const Deployment::Pieces pieces = deployment_.pieces_between(kCoordinator, device);
    receiver.sender = std::make_unique<WeightSender>(
        SendWeights{deployment_.epoch, device, {}, pieces.bytes, pieces.window, 0},
        [&source = *deployment_.source](const WeightSpec& spec, std::int64_t offset,
                                        std::int64_t bytes) -> std::shared_ptr<const std::byte> {
          if (!source.has_data()) return nullptr;
          std::shared_ptr<std::byte> memory = allocate_bytes(bytes);
          source.read(spec, offset, bytes, memory.get());
          return memory;
        });
  }
  receiver.sender->add(weight.spec);
}

// All that the coordinator sends ends at about the same time.
void WeightDelivery::share_rate() {
  if (bytes_per_s_ == 0) return;
  double left = 0;
  for (const auto& [device, receiver] : receivers_)
    left += receiver.sender ? receiver.sender->bytes_left() : 0;
  for (const auto& [device, receiver] : receivers_) {
    if (receiver.sender && receiver.sender->bytes_left() > 0)
      receiver.sender->set_rate(bytes_per_s_ * receiver.sender->bytes_left() / left);
  }
}

void WeightDelivery::take(const WeightAck& ack, const DeviceName& from, Seconds now,
                          Effects& effects) {
  Receiver& receiver = receiver_of(from);
  const auto answered = receiver.sender ? receiver.sender->acknowledge(ack, now, effects)
                                        : std::optional<WeightSender::Answered>();
  if (!answered) {
    refuse(from, fmt::format("it acknowledges weight '{}' at byte {}, which is not under way",
                             one_line(ack.weight), ack.offset));
  }
  Weight& weight = *receiver.find(ack.weight);
  if (weight.held) return;  // from another, meanwhile
  weight.bytes += answered->bytes;
  if (answered->ends_weight) note_held(receiver, weight, kCoordinator);
}

void WeightDelivery::note_held(Receiver& receiver, Weight& weight, const DeviceName& from) {
  weight.held = true;
  weight.source = from;
  weight.bytes = weight.spec.bytes();
  --receiver.missing;
}

void WeightDelivery::take(const WeightHeld& held, const DeviceName& by, Seconds now,
                          Effects& effects) {
  Receiver& receiver = receiver_of(by);
  Weight* weight = receiver.find(held.weight);
  if (weight == nullptr || held.bytes < 0 || held.bytes > weight->spec.bytes()) {
    refuse(by, fmt::format("it has {} bytes of weight '{}', which it did not lack", held.bytes,
                           one_line(held.weight)));
  }
  const auto giving = givings_.find({weight->source, by});
  if (!held.trouble.empty()) {
    // Nothing more from that device, nor this weight from one whose pieces it may have kept away.
    const DeviceName source = weight->source;
    for (auto& [device, other] : receivers_)
      take_over(held.from, device, held.trouble, now, effects);
    if (source != held.from) take_over(source, by, held.trouble, now, effects);
    return;
  }
  if (weight->held) return;
  const bool is_whole = held.bytes == weight->spec.bytes();
  if (weight->source == held.from && giving != givings_.end()) {
    giving->second.heard = now;
    weight->bytes = held.bytes;
    if (is_whole) --giving->second.missing;
  } else if (is_whole && weight->source == kCoordinator) {
    if (receiver.sender) receiver.sender->leave_out(held.weight);
  } else if (is_whole && giving != givings_.end()) {
    --giving->second.missing;
  }
  if (is_whole) note_held(receiver, *weight, held.from);
}

void WeightDelivery::take_over(const DeviceName& giver, const DeviceName& receiver,
                               const std::string& why, Seconds now, Effects& effects) {
  const auto giving = givings_.find({giver, receiver});
  if (giving == givings_.end() || giving->second.missing == 0) return;
  giving->second.missing = 0;
  effects.send(
      giver,
      SendWeights{deployment_.epoch, receiver, {}, deployment_.chunk_bytes, deployment_.window, 0});
  double bytes = 0;
  for (Weight& weight : receivers_.at(receiver).weights) {
    if (weight.source != giver || weight.held) continue;
    send_by_coordinator(receiver, weight);
    bytes += static_cast<double>(weight.spec.bytes());
  }
  notes_.push_back(
      fmt::format("the coordinator sent {} {} of weights of epoch {} in place of {}: {}", receiver,
                  format_quantity(bytes, Unit::kBytes), deployment_.epoch, giver, one_line(why)));
  share_rate();
  receivers_.at(receiver).sender->go_on(now, effects);
}

void WeightDelivery::lose_link(const DeviceName& a, const DeviceName& b, Seconds now,
                               Effects& effects) {
  take_over(a, b, "the link between them was lost", now, effects);
  take_over(b, a, "the link between them was lost", now, effects);
}

Seconds WeightDelivery::next() const {
  Seconds next = kNever;
  for (const auto& [device, receiver] : receivers_) {
    if (receiver.sender) next = std::min(next, receiver.sender->next());
  }
  for (const auto& [way, giving] : givings_) {
    if (giving.missing > 0) next = std::min(next, giving.heard + giving.patience);
  }
  return next;
}

void WeightDelivery::tick(Seconds now, Effects& effects) {
  for (auto& [device, receiver] : receivers_) {
    if (receiver.sender) receiver.sender->go_on(now, effects);
  }
  for (const auto& [way, giving] : givings_) {
    if (giving.missing > 0 && now >= giving.heard + giving.patience)
      take_over(way.first, way.second,
                fmt::format("nothing came for {:g} s", giving.patience.count()), now, effects);
  }
}

bool WeightDelivery::complete(const DeviceName& device) const {
  const auto place = receivers_.find(device);
  return place != receivers_.end() && place->second.missing == 0 && place->second.programs.empty();
}

double WeightDelivery::bytes_total() const {
  double bytes = 0;
  for (const auto& [device, receiver] : receivers_) {
    for (const Weight& weight : receiver.weights) bytes += static_cast<double>(weight.spec.bytes());
  }
  return bytes;
}

std::map<DeviceName, double> WeightDelivery::bytes_from() const {
  std::map<DeviceName, double> bytes;
  for (const auto& [device, receiver] : receivers_) {
    for (const Weight& weight : receiver.weights) {
      if (weight.bytes > 0) bytes[weight.source] += static_cast<double>(weight.bytes);
    }
  }
  return bytes;
}

std::set<DeviceName> WeightDelivery::givers() const {
  std::set<DeviceName> givers;
  for (const auto& [way, giving] : givings_) givers.insert(way.first);
  return givers;
}

}  // namespace lingua
