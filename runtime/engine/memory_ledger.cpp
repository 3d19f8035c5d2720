#include "runtime/engine/memory_ledger.h"

#include <algorithm>

#include "runtime/base/units.h"
#include "runtime/engine/refusal.h"

namespace lingua {

void MemoryLedger::hold_weights(double bytes) {
  const double kept = states_bytes_ + largest_step();
  if (!(bytes + kept <= memory_bytes_)) {
    const double room = std::max(0.0, memory_bytes_ - kept);
    const auto [needed, has] = format_apart(bytes, room, Unit::kBytes);
    if (kept == 0) {
      throw WorldError(fmt::format("weights of {} do not fit the memory of {}", needed, has));
    }
    throw WorldError(
        fmt::format("weights of {} do not fit: {} of the memory are left beside {} for requests",
                    needed, has, format_quantity(kept, Unit::kBytes)));
  }
  weights_bytes_ = bytes;
}

void MemoryLedger::open(Epoch epoch, const std::vector<const Segment*>& running) {
  Stage stage;
  for (const Segment* segment : running) {
    stage.running.push_back(*segment);
    stage.running.back().weights.clear();
    stage.has_states = stage.has_states || !segment->state.empty();
  }
  const bool is_new = stages_.emplace(epoch, std::move(stage)).second;
  LINGUA_CHECK(is_new, "epoch {}", epoch);
}

void MemoryLedger::close(Epoch epoch) {
  stages_.erase(epoch);
  std::erase_if(requests_, [&](const auto& item) {
    if (item.second.epoch != epoch) return false;
    states_bytes_ -= item.second.bytes;
    return true;
  });
}

void MemoryLedger::release(RequestId request) {
  const auto held = requests_.find(request);
  if (held == requests_.end()) return;
  states_bytes_ -= held->second.bytes;
  requests_.erase(held);
}

double MemoryLedger::admit(Epoch epoch, RequestId request, const Step& step,
                           std::int64_t capacity) {
  const Stage& stage = stages_.at(epoch);
  if (step.new_tokens < 1) throw RequestRefused(request, "a step of no tokens is none");
  const bool is_new = !requests_.contains(request);
  admit_states(stage, epoch, request, step, capacity);
  double wanted = 0;
  for (const Segment& segment : stage.running) {
    wanted = std::max(wanted, segment.activation_bytes(step));
  }
  const double left = free_bytes();
  if (wanted >= 0 && wanted <= left) {
    stages_.at(epoch).steps.insert(wanted);
    return wanted;
  }
  if (is_new) release(request);
  const auto [needed, free] = format_apart(wanted, std::max(0.0, left), Unit::kBytes);
  throw RequestRefused(
      request,
      fmt::format("a step of {} tokens after {} takes {} of activations here; {} of the device's "
                  "memory are left beside weights and KV caches",
                  step.new_tokens, step.cached_tokens, needed, free));
}

void MemoryLedger::end_step(Epoch epoch, double activation_bytes) {
  std::multiset<double>& steps = stages_.at(epoch).steps;
  const auto step = steps.find(activation_bytes);
  LINGUA_CHECK(step != steps.end(), "epoch {}", epoch);
  steps.erase(step);
}

double MemoryLedger::largest_step() const {
  double bytes = 0;
  for (const auto& [epoch, stage] : stages_) {
    if (!stage.steps.empty()) bytes = std::max(bytes, *stage.steps.rbegin());
  }
  return bytes;
}

void MemoryLedger::admit_states(const Stage& stage, Epoch epoch, RequestId request,
                                const Step& step, std::int64_t capacity) {
  if (!stage.has_states || capacity == 0) return;
  const auto refuse = [&](const std::string& why) {
    throw RequestRefused(request,
                         fmt::format("it asks for KV caches of {} tokens here{}", capacity, why));
  };
  if (step.cached_tokens < 0 || step.new_tokens > capacity ||
      step.cached_tokens > capacity - step.new_tokens) {
    refuse(fmt::format(", and its step has {} tokens beside {} cached ones", step.new_tokens,
                       step.cached_tokens));
  }
  if (const auto held = requests_.find(request); held != requests_.end()) {
    if (held->second.capacity != capacity)
      refuse(fmt::format(", and had {} before", held->second.capacity));
    return;
  }
  const double left = free_bytes() - largest_step();
  const double wanted = stage.bytes_of(capacity);
  if (!(wanted >= 0 && wanted <= left)) {
    const auto [needed, free] = format_apart(wanted, std::max(0.0, left), Unit::kBytes);
    refuse(fmt::format(", {}; {} of the device's memory are left, beside {} for other requests",
                       needed, free,
                       format_quantity(states_bytes_ + largest_step(), Unit::kBytes)));
  }
  requests_.emplace(request, Request{epoch, capacity, wanted});
  states_bytes_ += wanted;
}

double MemoryLedger::Stage::bytes_of(std::int64_t capacity) const {
  double sum = 0;
  for (const Segment& segment : running) sum += segment.state_bytes(capacity);
  return sum;
}

std::vector<RequestId> MemoryLedger::requests_of(Epoch epoch) const {
  std::vector<RequestId> requests;
  for (const auto& [id, request] : requests_) {
    if (request.epoch == epoch) requests.push_back(id);
  }
  return requests;
}

}  // namespace lingua
