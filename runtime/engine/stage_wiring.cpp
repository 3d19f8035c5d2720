#include "runtime/engine/stage_wiring.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {

int StageWiring::slot_of(const TensorSpec& spec) {
  const auto [found, is_new] = slot_by_value_.try_emplace(spec.value, slots());
  if (is_new) {
    specs_.push_back(spec);
    incoming_.push_back(0);
  }
  return found->second;
}

int StageWiring::incoming_slot(ValueId value) const {
  const auto found = slot_by_value_.find(value);
  if (found == slot_by_value_.end() || !incoming_[static_cast<std::size_t>(found->second)])
    return -1;
  return found->second;
}

StageWiring::StageWiring(const Prepare& prepare, const DeviceName& self)
    : is_header_(prepare.header == self), is_tailer_(prepare.tailer == self) {
  if (prepare.last_segment < prepare.first_segment) return;
  if (is_header_) {
    for (const TensorSpec& input : prepare.model_inputs) model_inputs_.push_back(slot_of(input));
  }
  std::vector<char> made(specs_.size(), 1);
  const auto need = [&](const TensorSpec& spec) {
    const int slot = slot_of(spec);
    made.resize(specs_.size(), 0);
    if (!made[static_cast<std::size_t>(slot)] && !incoming_[static_cast<std::size_t>(slot)]) {
      incoming_[static_cast<std::size_t>(slot)] = 1;
      ++external_inputs_;
    }
    return slot;
  };
  for (SegmentId id = prepare.first_segment; id <= prepare.last_segment; ++id) {
    const auto segment = std::find_if(prepare.segments.begin(), prepare.segments.end(),
                                      [&](const Segment& s) { return s.id == id; });
    if (segment == prepare.segments.end()) {
      throw WorldError(fmt::format("the deployment runs segment {} and does not store it", id));
    }
    SegmentSlots slots;
    slots.id = id;
    for (const TensorSpec& input : segment->inputs) slots.inputs.push_back({need(input), false});
    for (const TensorSpec& output : segment->outputs) {
      const int slot = slot_of(output);
      made.resize(specs_.size(), 0);
      made[static_cast<std::size_t>(slot)] = 1;
      slots.outputs.push_back(slot);
      slots.output_bytes += output.bytes;
    }
    segments_.push_back(std::move(slots));
  }
  for (ValueId value : prepare.model_outputs) {
    if (!is_tailer_) break;
    TensorSpec spec;
    spec.value = value;
    model_outputs_.push_back(need(spec));
  }
  for (const Route& route : prepare.routes) {
    const auto slot = slot_by_value_.find(route.value);
    if (slot == slot_by_value_.end()) {
      throw WorldError(
          fmt::format("the deployment sends value {}, which is not made here", route.value));
    }
    for (const DeviceName& to : route.to) {
      auto out = std::find_if(outgoing_.begin(), outgoing_.end(),
                              [&](const Outgoing& o) { return o.to == to; });
      if (out == outgoing_.end()) {
        outgoing_.emplace_back();
        out = std::prev(outgoing_.end());
        out->to = to;
      }
      out->values.push_back(route.value);
      out->slots.push_back({slot->second, false});
    }
  }
  mark_last_uses();
}

void StageWiring::mark_last_uses() {
  // From the end: the tailer's outputs are read last, before them what is sent, before that what
  // the segments read.
  std::vector<char> used_later(specs_.size(), 0);
  const auto mark = [&](Use& use) {
    char& later = used_later[static_cast<std::size_t>(use.slot)];
    use.last = !later;
    later = 1;
  };
  for (int slot : model_outputs_) used_later[static_cast<std::size_t>(slot)] = 1;
  for (auto out = outgoing_.rbegin(); out != outgoing_.rend(); ++out) {
    for (auto use = out->slots.rbegin(); use != out->slots.rend(); ++use) mark(*use);
  }
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    for (auto use = segment->inputs.rbegin(); use != segment->inputs.rend(); ++use) mark(*use);
  }
}

}  // namespace lingua
