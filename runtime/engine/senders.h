#pragma once
// Who may send what to a worker.

#include <variant>

#include "runtime/device/message.h"

namespace lingua {

// What other devices may send; everything else comes from the coordinator.
inline bool is_between_devices(const MessageBody& body) {
  return std::holds_alternative<Activations>(body) || std::holds_alternative<StepResult>(body) ||
         std::holds_alternative<Together>(body) || std::holds_alternative<Probe>(body) ||
         std::holds_alternative<WeightChunk>(body) || std::holds_alternative<WeightAck>(body) ||
         std::holds_alternative<StateChunk>(body) || std::holds_alternative<StateAck>(body) ||
         std::holds_alternative<Echo>(body) || std::holds_alternative<Bulk>(body);
}

}  // namespace lingua
