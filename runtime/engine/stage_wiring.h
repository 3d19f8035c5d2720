#pragma once
// How the tensors of a step flow through one device's runs of segments.
//
// Made once per deployment from a Prepare message, so that a step needs no look-ups by name: every
// value that the device receives, makes or sends has a slot in the step's buffer.
// Errors: WorldError when a Prepare contradicts itself (it comes from the network).

#include <set>
#include <unordered_map>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

class StageWiring {
 public:
  // A slot that is read; after its last use the step's buffer need not keep the tensor.
  struct Use {
    int slot = 0;
    bool last = false;
  };
  struct SegmentSlots {
    SegmentId id = 0;
    std::vector<Use> inputs;
    std::vector<int> outputs;
    StepFunction output_bytes;
  };
  struct Outgoing {
    DeviceName to;
    std::vector<ValueId> values;
    std::vector<Use> slots;  // of values, in the same order
  };
  // A run of segments: what a step does here without waiting for another device.
  struct Part {
    int external_inputs = 0;  // slots that must be filled from outside before it can start
    std::vector<SegmentSlots> segments;
    std::vector<Outgoing> outgoing;
  };

  StageWiring() = default;
  // `self` is the device that carries out `prepare`.
  StageWiring(const Prepare& prepare, const DeviceName& self);

  bool is_header() const { return is_header_; }
  bool is_tailer() const { return is_tailer_; }
  int slots() const { return static_cast<int>(specs_.size()); }
  // The model inputs among the slots, in the order of the model's inputs (header only).
  const std::vector<int>& model_inputs() const { return model_inputs_; }
  const std::vector<int>& model_outputs() const { return model_outputs_; }
  // In the order in which a step runs them.
  const std::vector<Part>& parts() const { return parts_; }

  // The slot of a value that comes from outside, or -1 when this device needs no such value.
  int incoming_slot(ValueId value) const;
  // The part that waits for it. REQUIRES: it is the slot of a value that comes from outside.
  int waiting_part(int slot) const { return part_[static_cast<std::size_t>(slot)]; }
  // It comes from outside and goes on to another device, as it came.
  bool is_relayed(int slot) const { return relayed_[static_cast<std::size_t>(slot)] != 0; }
  const TensorSpec& spec(int slot) const { return specs_[static_cast<std::size_t>(slot)]; }

  // The devices that this one will send to, when the first segment runs on `header`.
  std::set<DeviceName> receivers(const DeviceName& header) const;

 private:
  enum class Origin : char { kUnknown, kOutside, kHere };

  int slot_of(const TensorSpec& spec);
  int need(const TensorSpec& spec);
  void add_runs(const Prepare& prepare);
  void add_segment(const Segment& segment);
  void add_route(const Route& route);
  void mark_last_uses();

  bool is_header_ = false;
  bool is_tailer_ = false;
  std::vector<TensorSpec> specs_;  // by slot
  std::vector<Origin> origin_;     // by slot
  std::vector<char> relayed_;      // by slot
  std::vector<int> part_;          // by slot: that makes it or is the first to wait for it
  std::unordered_map<ValueId, int> slot_by_value_;
  std::vector<int> model_inputs_;
  std::vector<int> model_outputs_;
  std::vector<Part> parts_;
};

}  // namespace lingua
