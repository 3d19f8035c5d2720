#pragma once
// A size of messages for tests that do not need the real encoding's: 100 bytes and the tensors.

#include "runtime/device/message.h"

namespace lingua::testing {

inline double message_bytes(const MessageBody& body) {
  double bytes = 100;
  if (const auto* values = std::get_if<Activations>(&body)) {
    for (const Tensor& tensor : values->tensors) bytes += static_cast<double>(tensor.bytes());
  }
  return bytes;
}

}  // namespace lingua::testing
