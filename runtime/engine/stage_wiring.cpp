#include "runtime/engine/stage_wiring.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {

int StageWiring::slot_of(const TensorSpec& spec) {
  const auto [found, is_new] = slot_by_value_.try_emplace(spec.value, slots());
  if (is_new) {
    specs_.push_back(spec);
    origin_.push_back(Origin::kUnknown);
    relayed_.push_back(0);
    part_.push_back(0);
  }
  return found->second;
}

int StageWiring::incoming_slot(ValueId value) const {
  const auto found = slot_by_value_.find(value);
  if (found == slot_by_value_.end()) return -1;
  const bool comes = origin_[static_cast<std::size_t>(found->second)] == Origin::kOutside;
  return comes ? found->second : -1;
}

// The slot of a value that the part under construction reads.
int StageWiring::need(const TensorSpec& spec) {
  const int slot = slot_of(spec);
  Origin& origin = origin_[static_cast<std::size_t>(slot)];
  if (origin == Origin::kUnknown) {
    origin = Origin::kOutside;
    part_[static_cast<std::size_t>(slot)] = static_cast<int>(parts_.size()) - 1;
    ++parts_.back().external_inputs;
  }
  return slot;
}

void StageWiring::add_segment(const Segment& segment) {
  SegmentSlots slots;
  slots.id = segment.id;
  for (const TensorSpec& input : segment.inputs) slots.inputs.push_back({need(input), false});
  for (const TensorSpec& output : segment.outputs) {
    const int slot = slot_of(output);
    if (origin_[static_cast<std::size_t>(slot)] != Origin::kUnknown) {
      throw WorldError(fmt::format("the deployment makes value {} in segment {}, where it is known",
                                   output.value, segment.id));
    }
    origin_[static_cast<std::size_t>(slot)] = Origin::kHere;
    part_[static_cast<std::size_t>(slot)] = static_cast<int>(parts_.size()) - 1;
    slots.outputs.push_back(slot);
    slots.output_bytes += output.bytes;
  }
  parts_.back().segments.push_back(std::move(slots));
}

void StageWiring::add_route(const Route& route) {
  const auto slot = slot_by_value_.find(route.value);
  if (slot == slot_by_value_.end()) {
    throw WorldError(fmt::format(
        "the deployment sends value {}, which neither is made here nor comes here", route.value));
  }
  const auto index = static_cast<std::size_t>(slot->second);
  relayed_[index] = origin_[index] == Origin::kOutside;
  auto& outgoing = parts_[static_cast<std::size_t>(part_[index])].outgoing;
  for (const DeviceName& to : route.to) {
    auto out = std::find_if(outgoing.begin(), outgoing.end(),
                            [&](const Outgoing& o) { return o.to == to; });
    if (out == outgoing.end()) {
      outgoing.emplace_back();
      out = std::prev(outgoing.end());
      out->to = to;
    }
    out->values.push_back(route.value);
    out->slots.push_back({slot->second, false});
  }
}

void StageWiring::add_runs(const Prepare& prepare) {
  std::int64_t next = 0;
  for (const SegmentRun& run : prepare.runs) {
    if (run.first < next || run.last < run.first) {
      throw WorldError(
          fmt::format("the deployment runs segments {} to {} out of order", run.first, run.last));
    }
    parts_.emplace_back();
    for (next = run.first; next <= run.last; ++next) {
      const auto segment = std::find_if(prepare.segments.begin(), prepare.segments.end(),
                                        [&](const Segment& s) { return s.id == next; });
      if (segment == prepare.segments.end()) {
        throw WorldError(fmt::format("the deployment runs segment {} and does not store it", next));
      }
      add_segment(*segment);
    }
  }
}

StageWiring::StageWiring(const Prepare& prepare, const DeviceName& self)
    : is_header_(prepare.header == self), is_tailer_(prepare.tailer == self) {
  if (prepare.runs.empty()) {
    if (!is_header_ && !is_tailer_) return;
    throw WorldError(fmt::format("the deployment makes {} the {} and lets it run no segments", self,
                                 is_header_ ? "header" : "tailer"));
  }
  if (is_tailer_ && prepare.model_outputs.empty()) {
    throw WorldError("the deployment has a tailer and no outputs of the model");
  }
  if (is_header_) {
    for (const TensorSpec& input : prepare.model_inputs) {
      const int slot = slot_of(input);
      model_inputs_.push_back(slot);
      origin_[static_cast<std::size_t>(slot)] = Origin::kHere;
    }
  }
  add_runs(prepare);
  for (ValueId value : prepare.model_outputs) {
    if (!is_tailer_) break;
    TensorSpec spec;
    spec.value = value;
    model_outputs_.push_back(need(spec));
  }
  for (const TensorSpec& spec : prepare.passing) need(spec);
  for (const Route& route : prepare.routes) add_route(route);
  mark_last_uses();
}

void StageWiring::mark_last_uses() {
  // From the end: the tailer's outputs are read last, before them what the last part sends, before
  // that what its segments read, and so on for the part before it.
  std::vector<char> used_later(specs_.size(), 0);
  const auto mark = [&](Use& use) {
    char& later = used_later[static_cast<std::size_t>(use.slot)];
    use.last = !later;
    later = 1;
  };
  for (int slot : model_outputs_) used_later[static_cast<std::size_t>(slot)] = 1;
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
    for (auto out = part->outgoing.rbegin(); out != part->outgoing.rend(); ++out) {
      for (auto use = out->slots.rbegin(); use != out->slots.rend(); ++use) mark(*use);
    }
    for (auto segment = part->segments.rbegin(); segment != part->segments.rend(); ++segment) {
      for (auto use = segment->inputs.rbegin(); use != segment->inputs.rend(); ++use) mark(*use);
    }
  }
}

std::set<DeviceName> StageWiring::receivers(const DeviceName& header) const {
  std::set<DeviceName> receivers;
  for (const Part& part : parts_) {
    for (const Outgoing& out : part.outgoing) receivers.insert(out.to);
  }
  if (is_tailer_ && !is_header_) receivers.insert(header);
  return receivers;
}

}  // namespace lingua
