#pragma once
// Messages for an epoch that is coming, until it is ready.
//
// Errors: WorldError when there is no memory left for one more.

#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/engine/effects.h"

namespace lingua {

class WaitingMessages {
 public:
  // `free_bytes`: of the device's memory.
  void keep(Message message, double free_bytes) {
    bytes_ += message.wire_bytes;
    if (bytes_ > free_bytes) {
      throw WorldError(
          fmt::format("{} sent {} for an epoch that is not ready here, for which there "
                      "is no memory left",
                      message.from, describe(message.body)));
    }
    messages_.push_back(std::move(message));
  }
  // In the order in which they came.
  std::vector<Message> take_all() {
    bytes_ = 0;
    return std::exchange(messages_, {});
  }
  void drop(Epoch epoch) {
    std::erase_if(messages_, [&](const Message& message) {
      if (epoch_of(message.body) != epoch) return false;
      bytes_ -= message.wire_bytes;
      return true;
    });
  }

 private:
  std::vector<Message> messages_;
  double bytes_ = 0;
};

}  // namespace lingua
