#include "runtime/engine/stage_runner.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/device/wire_tensors.h"
#include "runtime/engine/answer_checks.h"
#include "runtime/events/event_log.h"

namespace lingua {
namespace {

std::vector<const Segment*> running_segments(const Prepare& prepare) {
  std::vector<const Segment*> running;
  for (const SegmentRun& run : prepare.runs) {
    for (const Segment& segment : prepare.segments) {
      if (segment.id >= run.first && segment.id <= run.last) running.push_back(&segment);
    }
  }
  return running;
}

// The tensor of a slot, and no longer in the buffer after its last use.
Tensor read(std::vector<Tensor>& slots, StageWiring::Use use) {
  Tensor& tensor = slots[static_cast<std::size_t>(use.slot)];
  return use.last ? std::move(tensor) : tensor;
}

}  // namespace

StageRunner::StageRunner(const Prepare& prepare, const DeviceName& self, MemoryLedger& ledger)
    : self_(self),
      epoch_(prepare.epoch),
      has_data_(prepare.has_data),
      ledger_(ledger),
      wiring_(prepare, self),
      senders_(prepare.senders.begin(), prepare.senders.end()),
      wire_(prepare.communication.wire) {
  for (int slot = 0; slot < wiring_.slots(); ++slot) {
    const TensorSpec& spec = wiring_.spec(slot);
    wire_specs_.push_back(wire_spec(spec, prepare.model_outputs, wire_));
    packed_.push_back(is_packed(spec, prepare.model_outputs, wire_));
  }
  ledger_.open(epoch_, running_segments(prepare));
}

StageRunner::~StageRunner() { ledger_.close(epoch_); }

void StageRunner::start(const RequestState& request, Seconds now, Effects& effects) {
  const StepKey key{request.id(), request.step_index()};
  PendingStep& pending = pending_step(key, request.step(), request.capacity());
  pending.sampling = request.sampling();
  pending.recent = request.recent();
  pending.prompt_goes_on = request.prompt_goes_on();
  const auto inputs = request.step_inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto slot = static_cast<std::size_t>(wiring_.model_inputs()[i]);
    pending.slots[slot] = inputs[i];
    pending.filled[slot] = 1;
  }
  mark_ready_when_complete(key, pending, now, effects);
}

StageRunner::PendingStep& StageRunner::pending_step(StepKey key, const Step& step,
                                                    std::int64_t capacity) {
  if (const auto known = pending_.find(key); known != pending_.end()) return known->second;
  const double activation_bytes = ledger_.admit(epoch_, key.first, step, capacity);
  PendingStep& pending = pending_[key];
  pending.step = step;
  pending.capacity = capacity;
  pending.activation_bytes = activation_bytes;
  pending.slots.resize(static_cast<std::size_t>(wiring_.slots()));
  pending.filled.resize(pending.slots.size(), 0);
  for (const StageWiring::Part& part : wiring_.parts())
    pending.missing.push_back(part.external_inputs);
  return pending;
}

void StageRunner::mark_ready_when_complete(StepKey key, PendingStep& pending, Seconds now,
                                           Effects& effects) {
  if (pending.queued || pending.part == pending.missing.size()) return;
  if (pending.missing[pending.part] > 0) return;
  pending.queued = true;
  effects.ready.push_back({epoch_, key.first, key.second, now, pending.part, pending.step,
                           pending.capacity, pending.activation_bytes});
}

void StageRunner::take(const Activations& message, const Arrival& arrival, Seconds now,
                       Effects& effects) {
  if (!senders_.contains(arrival.from)) {
    throw WorldError(fmt::format("{} answers nonsense: {} is not for it to send to {}",
                                 arrival.from, describe(message), self_));
  }
  const StepKey key{message.request, message.step_index};
  if (wiring_.is_header() && !pending_.contains(key)) {
    throw WorldError(fmt::format("{} answers nonsense: {} is not under way here", arrival.from,
                                 describe(message)));
  }
  PendingStep& pending = pending_step(key, message.step, message.capacity);
  if (pending.step != message.step || pending.capacity != message.capacity) {
    throw WorldError(fmt::format("{} answers nonsense: two shapes for one step", arrival.from));
  }
  if (message.prompt_goes_on && message.capacity == 0) {
    throw WorldError(
        fmt::format("{} answers nonsense: a single pass in several steps", arrival.from));
  }
  if (!wiring_.is_header()) {  // which knows them
    pending.sampling = message.sampling;
    pending.recent = message.recent;
    pending.prompt_goes_on = message.prompt_goes_on;
  }
  for (std::size_t i = 0; i < message.values.size(); ++i) {
    const int slot = wiring_.incoming_slot(message.values[i]);
    if (slot < 0 || i >= message.tensors.size()) {
      throw WorldError(fmt::format("{} answers nonsense: it sent value {}, which is not used here",
                                   arrival.from, message.values[i]));
    }
    check_tensor(message.tensors[i], slot, message.step, arrival.from);
    const auto index = static_cast<std::size_t>(slot);
    if (pending.filled[index]) continue;
    pending.filled[index] = 1;
    if (wiring_.is_relayed(slot)) pending.relayed[slot] = message.tensors[i];
    pending.slots[index] = packed_[index]
                               ? unpack(message.tensors[i], wire_, wiring_.spec(slot).dtype)
                               : message.tensors[i];
    --pending.missing[static_cast<std::size_t>(wiring_.waiting_part(slot))];
  }
  effects.rows.push_back({arrival.from + "->" + self_, event::kTransfer, first_segment_of(pending),
                          message.request, message.step_index, arrival.sent, arrival.arrived,
                          arrival.bytes});
  mark_ready_when_complete(key, pending, now, effects);
}

// Of the part that runs next.
SegmentId StageRunner::first_segment_of(const PendingStep& pending) const {
  const auto& parts = wiring_.parts();
  return pending.part < parts.size() ? parts[pending.part].segments.front().id : -1;
}

void StageRunner::check_tensor(const Tensor& tensor, int slot, const Step& step,
                               const DeviceName& from) const {
  const TensorSpec& spec = wire_specs_[static_cast<std::size_t>(slot)];
  const bool passes = spec.name.empty() && spec.dims.empty();  // an output, on to the tailer
  const std::string wrong = !passes ? wrong_tensor(tensor, spec, step, has_data_)
                            : has_data_ && !tensor.has_data() ? "no contents"
                                                              : "";
  if (wrong.empty()) return;
  throw WorldError(fmt::format("{} answers nonsense: value {} ('{}') has {}", from, spec.value,
                               spec.name, wrong));
}

void StageRunner::begin(const std::vector<ReadyStep>& batch) {
  running_.clear();
  running_part_ = batch.front().part;
  next_segment_ = 0;
  for (const ReadyStep& step : batch) {
    const auto place = pending_.find({step.request, step.step_index});
    if (place != pending_.end()) running_.push_back({place->first, &place->second});
  }
}

bool StageRunner::next_call(Call& call) {
  const auto& segments = running_part().segments;
  if (running_.empty() || next_segment_ == segments.size()) return false;
  const StageWiring::SegmentSlots& segment = segments[next_segment_];
  call.segment = segment.id;
  call.batch.resize(running_.size());
  for (std::size_t i = 0; i < running_.size(); ++i) {
    PendingStep& pending = *running_[i].pending;
    SegmentStep& step = call.batch[i];
    step.context = {running_[i].key.first, pending.step, pending.capacity};
    step.inputs.clear();
    for (const auto& use : segment.inputs) step.inputs.push_back(read(pending.slots, use));
  }
  return true;
}

void StageRunner::take_results(std::vector<SegmentResult> results, Seconds start, Seconds end,
                               Effects& effects) {
  const StageWiring::SegmentSlots& segment = running_part().segments[next_segment_++];
  LINGUA_CHECK(results.size() == running_.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].error.empty()) continue;
    std::vector<Tensor>& outputs = results[i].outputs;
    LINGUA_CHECK(outputs.size() == segment.outputs.size());
    const auto& [key, pending] = running_[i];
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      pending->slots[static_cast<std::size_t>(segment.outputs[o])] = std::move(outputs[o]);
    }
    effects.rows.push_back({self_, event::kCompute, segment.id, key.first, key.second, start, end,
                            segment.output_bytes.at(pending->step)});
  }
}

std::vector<StageRunner::StepOutput> StageRunner::finish(Seconds now, Effects& effects) {
  std::vector<StepOutput> outputs;
  for (const RunningStep& step : running_) {
    send_activations(step, effects);
    PendingStep& pending = *step.pending;
    pending.queued = false;
    if (++pending.part < wiring_.parts().size()) {
      mark_ready_when_complete(step.key, pending, now, effects);
      continue;
    }
    if (wiring_.is_tailer()) outputs.push_back(output_of(step.key, pending));
    ledger_.end_step(epoch_, pending.activation_bytes);
    pending_.erase(step.key);
  }
  running_.clear();
  return outputs;
}

StageRunner::StepOutput StageRunner::output_of(const StepKey& key, PendingStep& pending) const {
  StepOutput result{key.first,
                    key.second,
                    pending.step,
                    pending.capacity > 0,
                    pending.sampling,
                    std::move(pending.recent),
                    pending.prompt_goes_on,
                    {}};
  for (int slot : wiring_.model_outputs())
    result.outputs.push_back(pending.slots[static_cast<std::size_t>(slot)]);
  return result;
}

void StageRunner::send_activations(const RunningStep& step, Effects& effects) {
  const bool chooses_token = wiring_.is_header() && wiring_.is_tailer();
  PendingStep& pending = *step.pending;
  for (const StageWiring::Outgoing& out : running_part().outgoing) {
    Activations message{
        epoch_, step.key.first, step.key.second, pending.step, pending.capacity, out.values, {}, {},
        {},     false};
    if (!chooses_token) {  // else they are nobody else's business
      message.sampling = pending.sampling;
      message.recent = pending.recent;
      message.prompt_goes_on = pending.prompt_goes_on;
    }
    message.tensors.reserve(out.slots.size());
    for (const auto& use : out.slots) message.tensors.push_back(outgoing_tensor(pending, use));
    effects.send(out.to, std::move(message));
  }
}

Tensor StageRunner::outgoing_tensor(PendingStep& pending, StageWiring::Use use) const {
  if (wiring_.is_relayed(use.slot)) return pending.relayed.at(use.slot);
  const Tensor tensor = read(pending.slots, use);
  return packed_[static_cast<std::size_t>(use.slot)] ? pack(tensor, wire_) : tensor;
}

void StageRunner::drop(RequestId request) {
  std::erase_if(running_, [&](const RunningStep& step) { return step.key.first == request; });
  std::erase_if(pending_, [&](const auto& item) {
    if (item.first.first != request) return false;
    ledger_.end_step(epoch_, item.second.activation_bytes);
    return true;
  });
}

std::string StageRunner::waits_for() const {
  if (pending_.empty()) return "";
  const auto& [request, step_index] = pending_.begin()->first;
  return fmt::format("waits for tensors of step {} of request {}", step_index, request);
}

}  // namespace lingua
