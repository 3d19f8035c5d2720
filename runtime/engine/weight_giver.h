#pragma once
// The part of a device that gives weights it holds to others that lack them, as the coordinator tells it.
//
// A role without I/O. Contents are those of the store, without a copy. What is no longer held, and what is for a
// device that was lost, is not sent; the coordinator sends it then. Answers that do not fit are not answers: who
// sends them is a device and may make them up.
// Errors: none.

#include <map>
#include <optional>

#include "runtime/engine/weight_sender.h"
#include "runtime/engine/weight_store.h"

namespace lingua {

class WeightGiver {
 public:
  // REQUIRES: the store outlives it.
  explicit WeightGiver(const WeightStore& store) : store_(store) {}

  // In place of what an earlier one of the same receiver said. Sends the first pieces.
  void take(const SendWeights& order, Seconds now, Effects& effects);
  void take(const WeightAck& ack, const DeviceName& from, Seconds now, Effects& effects);

  // REQUIRES: now >= next() for the one to have something to do.
  void go_on(Seconds now, Effects& effects);
  Seconds next() const;

  // Weights may have left the store.
  void look_at_store();
  void lose(const DeviceName& receiver) { receivers_.erase(receiver); }
  // All, or those for an epoch, which is over.
  void end(std::optional<Epoch> epoch = {});

 private:
  struct Receiver {
    Epoch epoch = 0;
    std::vector<std::string> weights;
    WeightSender sender;
  };

  const WeightStore& store_;
  std::map<DeviceName, Receiver> receivers_;
};

}  // namespace lingua
