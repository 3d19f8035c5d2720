#include "sim/cluster/sim_executor.h"

#include <set>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/device/roofline.h"
#include "sim/cluster/sim_device.h"

namespace lingua {

SimExecutor::SimExecutor(SimDevice& device, std::unique_ptr<Executor> inner)
    : device_(device), inner_(std::move(inner)) {
  LINGUA_CHECK(inner_ != nullptr, "make_executor gave none");
}

void SimExecutor::require_memory(double bytes, const std::string& what) const {
  const double memory = device_.spec().memory_bytes;
  if (memory_in_use_bytes() + bytes <= memory) return;
  const double left = std::max(0.0, memory - memory_in_use_bytes());
  const auto [needed, free] = format_apart(bytes, left, Unit::kBytes);
  throw WorldError(fmt::format("device {} has {} of memory, of which {} are left; {} needs {} more",
                               device_.spec().name, format_quantity(memory, Unit::kBytes), free,
                               what, needed));
}

void SimExecutor::load(const Segment& segment, const std::string& program,
                       const std::vector<Tensor>& weights) {
  double bytes = 0;
  std::set<std::string> counted;
  for (const WeightSpec& weight : segment.weights) {
    if (users_of_weight_.count(weight.name) > 0 || !counted.insert(weight.name).second) continue;
    bytes += static_cast<double>(weight.bytes());
  }
  require_memory(bytes, fmt::format("segment {} ({})", segment.id, segment.name));
  inner_->load(segment, program, weights);
  for (const WeightSpec& weight : segment.weights) ++users_of_weight_[weight.name];
  weights_bytes_ += bytes;
  forget(segment.id);
  segments_[segment.id] = segment;
}

void SimExecutor::unload(SegmentId id) {
  inner_->unload(id);
  forget(id);
}

void SimExecutor::forget(SegmentId id) {
  const auto found = segments_.find(id);
  if (found == segments_.end()) return;
  for (const WeightSpec& weight : found->second.weights) {
    const auto users = users_of_weight_.find(weight.name);
    if (--users->second > 0) continue;
    users_of_weight_.erase(users);
    weights_bytes_ -= static_cast<double>(weight.bytes());
  }
  for (auto& [request, states] : states_) {
    const auto bytes = states.find(id);
    if (bytes == states.end()) continue;
    states_bytes_ -= bytes->second;
    states.erase(bytes);
  }
  segments_.erase(found);
}

void SimExecutor::make_states(const Segment& segment, const StepContext& context) {
  if (segment.state.empty()) return;
  auto& states = states_[context.request];
  if (states.count(segment.id) > 0) return;
  const double bytes = segment.state_bytes(context.capacity);
  require_memory(bytes,
                 fmt::format("the state of request {} in segment {}", context.request, segment.id));
  states[segment.id] = bytes;
  states_bytes_ += bytes;
}

std::vector<Tensor> SimExecutor::run(SegmentId id, const StepContext& context,
                                     const std::vector<Tensor>& inputs) {
  const auto found = segments_.find(id);
  LINGUA_CHECK(found != segments_.end(), "segment {} is not loaded", id);
  make_states(found->second, context);
  std::vector<Tensor> outputs = inner_->run(id, context, inputs);
  device_.compute(compute_time(found->second, device_.spec(), context.step));
  return outputs;
}

void SimExecutor::release(RequestId request) {
  inner_->release(request);
  const auto found = states_.find(request);
  if (found == states_.end()) return;
  for (const auto& [segment, bytes] : found->second) states_bytes_ -= bytes;
  states_.erase(found);
}

}  // namespace lingua
