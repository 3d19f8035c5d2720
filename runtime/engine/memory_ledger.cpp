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
  for (const RequestId request : requests_of(epoch)) leave(request, epoch);
  stages_.erase(epoch);
}

void MemoryLedger::release(RequestId request) {
  states_bytes_ -= states_bytes_of(request);
  requests_.erase(request);
}

std::vector<SegmentId> MemoryLedger::leave(RequestId request, Epoch epoch) {
  std::vector<SegmentId> gone;
  const auto held = requests_.find(request);
  if (held == requests_.end() || held->second.epochs.erase(epoch) == 0) return gone;
  Request& entry = held->second;
  std::erase_if(entry.states, [&](const auto& item) {
    const bool stays = std::any_of(entry.epochs.begin(), entry.epochs.end(),
                                   [&](Epoch other) { return stages_.at(other).runs(item.first); });
    if (stays) return false;
    states_bytes_ -= item.second;
    gone.push_back(item.first);
    return true;
  });
  if (entry.epochs.empty()) requests_.erase(held);
  return gone;
}

void MemoryLedger::share(RequestId request, Epoch with) {
  const auto held = requests_.find(request);
  const auto stage = stages_.find(with);
  if (held == requests_.end() || stage == stages_.end()) return;
  const auto& states = held->second.states;
  const bool has_some = std::any_of(states.begin(), states.end(), [&](const auto& item) {
    return stage->second.runs(item.first);
  });
  if (has_some) held->second.epochs.insert(with);
}

bool MemoryLedger::has_states(RequestId request, SegmentId segment) const {
  const auto held = requests_.find(request);
  return held != requests_.end() && held->second.states.contains(segment);
}

double MemoryLedger::states_bytes_of(RequestId request) const {
  const auto held = requests_.find(request);
  double sum = 0;
  if (held == requests_.end()) return sum;
  for (const auto& [segment, bytes] : held->second.states) sum += bytes;
  return sum;
}

double MemoryLedger::admit(Epoch epoch, RequestId request, const Step& step,
                           std::int64_t capacity) {
  const Stage& stage = stages_.at(epoch);
  if (step.new_tokens < 1) throw RequestRefused(request, "a step of no tokens is none");
  const bool has_none = states_bytes_of(request) == 0;
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
  if (has_none) release(request);
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
                         fmt::format("it asks for KV caches of {} tokens here, {}", capacity, why));
  };
  if (step.cached_tokens < 0 || step.new_tokens > capacity ||
      step.cached_tokens > capacity - step.new_tokens) {
    refuse(fmt::format("and its step has {} tokens beside {} cached ones", step.new_tokens,
                       step.cached_tokens));
  }
  std::vector<const Segment*> missing;
  for (const Segment& segment : stage.running) {
    if (!segment.state.empty() && !has_states(request, segment.id)) missing.push_back(&segment);
  }
  const bool is_new = !requests_.contains(request) || !requests_.at(request).epochs.contains(epoch);
  if (is_new && step.cached_tokens > 0 && !missing.empty()) {
    refuse(fmt::format("after {} tokens whose states are not here", step.cached_tokens));
  }
  take_states(epoch, request, missing, capacity);
}

void MemoryLedger::hold_states(Epoch epoch, RequestId request, SegmentId segment,
                               std::int64_t capacity) {
  const std::vector<Segment>& running = stages_.at(epoch).running;
  const auto own = std::find_if(running.begin(), running.end(),
                                [&](const Segment& one) { return one.id == segment; });
  if (own == running.end()) {
    throw WorldError(
        fmt::format("states of segment {} came, which epoch {} does not run here", segment, epoch));
  }
  if (!has_states(request, segment)) take_states(epoch, request, {&*own}, capacity);
}

// All or nothing.
void MemoryLedger::take_states(Epoch epoch, RequestId request,
                               const std::vector<const Segment*>& segments, std::int64_t capacity) {
  const auto refuse = [&](const std::string& why) {
    throw RequestRefused(request,
                         fmt::format("it asks for KV caches of {} tokens here, {}", capacity, why));
  };
  const auto held = requests_.find(request);
  if (held != requests_.end() && held->second.capacity != capacity)
    refuse(fmt::format("and had {} before", held->second.capacity));
  double wanted = 0;
  for (const Segment* segment : segments) wanted += segment->state_bytes(capacity);
  const double left = free_bytes() - largest_step();
  if (!segments.empty() && !(wanted >= 0 && wanted <= left)) {
    const auto [needed, free] = format_apart(wanted, std::max(0.0, left), Unit::kBytes);
    refuse(fmt::format("{}; {} of the device's memory are left, beside {} for other requests",
                       needed, free,
                       format_quantity(states_bytes_ + largest_step(), Unit::kBytes)));
  }
  Request& entry = requests_[request];
  entry.capacity = capacity;
  entry.epochs.insert(epoch);
  for (const Segment* segment : segments)
    entry.states[segment->id] = segment->state_bytes(capacity);
  states_bytes_ += wanted;
}

bool MemoryLedger::Stage::runs(SegmentId segment) const {
  return std::any_of(running.begin(), running.end(),
                     [&](const Segment& one) { return one.id == segment; });
}

std::vector<RequestId> MemoryLedger::requests_of(Epoch epoch) const {
  std::vector<RequestId> requests;
  for (const auto& [id, request] : requests_) {
    if (request.epochs.contains(epoch)) requests.push_back(id);
  }
  return requests;
}

}  // namespace lingua
