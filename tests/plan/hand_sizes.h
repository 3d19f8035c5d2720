#pragma once
// Message sizes for tests: numbers to compute by hand with, near those of the wire format.

#include "runtime/plan/message_sizes.h"

namespace lingua::testing {

inline const MessageSizes kHandSizes{.activations = 28,
                                     .tensor = 12,
                                     .together = 9,
                                     .together_each = -7,
                                     .result = 26,
                                     .submit = 59,
                                     .token_made = 24,
                                     .done = 17,
                                     .done_token = 8,
                                     .release = 13};

}  // namespace lingua::testing
