#pragma once
// What messages take on the wire besides the contents of their tensors, as the encoding at hand says: who
// plans asks the encoder (wire_bytes of net/wire.h), once.
//
// Units: bytes. Those of greedy requests with numbers up to 127; others differ by a few bytes, of which
// encoded_bytes knows.

#include <functional>

#include "runtime/device/message.h"

namespace lingua {

// A greedy request of 16 tokens for 16 more.
Submit usual_submit();

struct MessageSizes {
  double activations = 0;
  double tensor = 0;         // of each tensor in a message
  double together = 0;       // of messages that travel as one, besides theirs
  double together_each = 0;  // more, or less, of each of them
  double result = 0;         // a token; outputs are tensors
  double submit = 0;
  double token_made = 0;
  double done = 0;
  double done_token = 0;  // of each token in it
  double release = 0;
  // A whole message, as the encoder sizes it; none: as above.
  std::function<double(const MessageBody&)> encoded_bytes = {};
  // What requests ask for besides prompt and length: tokens that stop them, sampling.
  Submit request = usual_submit();
};

// The epoch of a run's first deployment, in which messages are sized.
inline constexpr Epoch kSizedEpoch = 1;

// By messages of the usual kind.
MessageSizes message_sizes(const std::function<double(const MessageBody&)>& wire_bytes);

}  // namespace lingua
