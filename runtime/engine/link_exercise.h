#pragma once
// One end of a link that is measured: sends blocks and echoes, and says when those of others came.
//
// A role without I/O, of devices and of the coordinator. What it gets may be nonsense: it answers each echo, and
// notes of each peer's blocks those of the last exercise.

#include <map>
#include <memory>
#include <optional>

#include "runtime/engine/effects.h"

namespace lingua {

class LinkExercise {
 public:
  // Errors: none here; who carries the effects out finds that a peer is not there.
  void take(const ExerciseLink& order, const Message& envelope, Seconds now, Effects& effects);
  void take(const Echo& echo, const Message& envelope, Seconds now, Effects& effects);
  void take(const Bulk& block, const Message& envelope, Seconds now, Effects& effects);

 private:
  // Of the order that goes on.
  struct Echoes {
    ExerciseLink order;
    Seconds sent{0};
    LinkTimes times;
  };
  void send_next(Seconds now, Effects& effects);

  std::optional<Echoes> echoes_;
  std::map<DeviceName, LinkTimes> arrivals_;  // of blocks that are coming, by their sender
};

}  // namespace lingua
