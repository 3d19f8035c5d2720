#pragma once
// What a device says that lies: messages that its own gives rise to.
//
// Determinism: by the message and the numbers drawn. No lie could pass for an honest answer.

#include <optional>

#include "runtime/base/random.h"
#include "runtime/device/message.h"
#include "sim/fault/fault_plan.h"

namespace lingua {

// What it says beside `body`; nothing where this lie cannot be told of such a message.
std::optional<MessageBody> lie_about(const MessageBody& body, Lie lie, Rng& rng);

}  // namespace lingua
