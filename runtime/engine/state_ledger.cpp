#include "runtime/engine/state_ledger.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"

namespace lingua {

void StateLedger::reset(const std::vector<const Segment*>& running) {
  states_.clear();
  running_.clear();
  capacities_.clear();
  for (const Segment* segment : running) {
    running_.push_back(*segment);
    running_.back().weights.clear();
    states_.insert(states_.end(), segment->state.begin(), segment->state.end());
  }
}

void StateLedger::admit(RequestId request, const Step& step, std::int64_t capacity,
                        double free_bytes) {
  if (step.new_tokens < 1) {
    throw WorldError(fmt::format("request {}: a step of no tokens is none", request));
  }
  const bool is_new = !capacities_.contains(request);
  admit_states(request, step, capacity, free_bytes);
  double wanted = 0;
  for (const Segment& segment : running_) wanted = std::max(wanted, segment.activation_bytes(step));
  const double left = free_bytes - bytes();
  if (wanted >= 0 && wanted <= left) return;
  if (is_new) capacities_.erase(request);
  const auto [needed, free] = format_apart(wanted, left > 0 ? left : 0, Unit::kBytes);
  throw WorldError(fmt::format(
      "request {}: a step of {} tokens after {} takes {} of activations here; {} of the device's "
      "memory are left beside weights and KV caches",
      request, step.new_tokens, step.cached_tokens, needed, free));
}

void StateLedger::admit_states(RequestId request, const Step& step, std::int64_t capacity,
                               double free_bytes) {
  if (states_.empty() || capacity == 0) return;
  const auto refuse = [&](const std::string& why) {
    throw WorldError(
        fmt::format("request {} asks for KV caches of {} tokens here{}", request, capacity, why));
  };
  if (step.cached_tokens < 0 || step.new_tokens > capacity ||
      step.cached_tokens > capacity - step.new_tokens) {
    refuse(fmt::format(", and its step has {} tokens beside {} cached ones", step.new_tokens,
                       step.cached_tokens));
  }
  if (const auto held = capacities_.find(request); held != capacities_.end()) {
    if (held->second != capacity) refuse(fmt::format(", and had {} before", held->second));
    return;
  }
  const double left = free_bytes - bytes();
  const double wanted = bytes_of(capacity);
  if (!(wanted >= 0 && wanted <= left)) {
    const auto [needed, free] = format_apart(wanted, left > 0 ? left : 0, Unit::kBytes);
    refuse(fmt::format(", {}; {} of the device's memory are left, beside {} for {} other requests",
                       needed, free, format_quantity(bytes(), Unit::kBytes), capacities_.size()));
  }
  capacities_.emplace(request, capacity);
}

double StateLedger::bytes() const {
  double sum = 0;
  for (const auto& [request, capacity] : capacities_) sum += bytes_of(capacity);
  return sum;
}

double StateLedger::bytes_of(std::int64_t capacity) const {
  double sum = 0;
  for (const StateSpec& state : states_) sum += state.bytes(capacity);
  return sum;
}

}  // namespace lingua
