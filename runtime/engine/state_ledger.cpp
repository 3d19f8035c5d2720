#include "runtime/engine/state_ledger.h"

#include "runtime/base/errors.h"
#include "runtime/base/units.h"

namespace lingua {

void StateLedger::reset(const std::vector<const Segment*>& running) {
  states_.clear();
  capacities_.clear();
  for (const Segment* segment : running) {
    states_.insert(states_.end(), segment->state.begin(), segment->state.end());
  }
}

void StateLedger::admit(RequestId request, const Step& step, std::int64_t capacity,
                        double free_bytes) {
  if (states_.empty() || capacity == 0) return;
  const auto refuse = [&](const std::string& why) {
    throw WorldError(
        fmt::format("request {} asks for KV caches of {} tokens here{}", request, capacity, why));
  };
  if (step.new_tokens < 1 || step.cached_tokens < 0 || step.new_tokens > capacity ||
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
