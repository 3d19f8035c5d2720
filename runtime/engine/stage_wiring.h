#pragma once
// How the tensors of a step flow through one device's run of segments.
//
// Made once per deployment from a Prepare message, so that a step needs no look-ups by name: every
// value that the device receives, makes or sends has a slot in the step's buffer.
// Errors: WorldError when a Prepare contradicts itself (it comes from the network).

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

  StageWiring() = default;
  // `self` is the device that carries out `prepare`.
  StageWiring(const Prepare& prepare, const DeviceName& self);

  bool is_header() const { return is_header_; }
  bool is_tailer() const { return is_tailer_; }
  int slots() const { return static_cast<int>(specs_.size()); }
  // Slots that must be filled from outside before the run can start, and the model inputs among all
  // slots, in the order of the model's inputs (header only).
  int external_inputs() const { return external_inputs_; }
  const std::vector<int>& model_inputs() const { return model_inputs_; }
  const std::vector<int>& model_outputs() const { return model_outputs_; }
  const std::vector<SegmentSlots>& segments() const { return segments_; }
  const std::vector<Outgoing>& outgoing() const { return outgoing_; }

  // The slot of a value that comes from outside, or -1 when this device needs no such value.
  int incoming_slot(ValueId value) const;
  const TensorSpec& spec(int slot) const { return specs_[static_cast<std::size_t>(slot)]; }

 private:
  int slot_of(const TensorSpec& spec);
  void mark_last_uses();

  bool is_header_ = false;
  bool is_tailer_ = false;
  int external_inputs_ = 0;
  std::vector<TensorSpec> specs_;  // by slot
  std::unordered_map<ValueId, int> slot_by_value_;
  std::vector<char> incoming_;  // by slot
  std::vector<int> model_inputs_;
  std::vector<int> model_outputs_;
  std::vector<SegmentSlots> segments_;
  std::vector<Outgoing> outgoing_;
};

}  // namespace lingua
