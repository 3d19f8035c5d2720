#pragma once
// How a device gets what it lacks: programs, then weights.
//
// A role without I/O. Weights travel in pieces of at most chunk_bytes, in order. How many are under way
// begins small and grows while answers come within a second, to at most `window`: what else is sent to the
// device waits behind them for a few seconds, however slow its link is, and neither side ever holds
// more beyond its own weights.
// Errors: InputError from the model source; a device that asks for what is not its own, or answers out of
// turn, is a WorldError.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/engine/deployment.h"
#include "runtime/engine/effects.h"

namespace lingua {

class WeightSender {
 public:
  // REQUIRES: the deployment outlives it.
  WeightSender(const Deployment& deployment, const DeviceName& device, const Lacks& lacks);

  // Sends the programs, and pieces of weights until the window is full or all are sent.
  void begin(Seconds now, Effects& effects);
  // Takes an answer; WorldError when it is not that to the next piece under way.
  void acknowledge(const WeightAck& ack, Seconds now, Effects& effects);

  bool done() const {
    return programs_.empty() && next_weight_ == weights_.size() && under_way_.empty();
  }
  double bytes_total() const { return bytes_total_; }  // of weights
  double bytes_acknowledged() const { return bytes_acknowledged_; }

 private:
  void fill_window(Seconds now, Effects& effects);
  WeightChunk next_chunk();

  const Deployment& deployment_;
  DeviceName device_;
  std::vector<SegmentId> programs_;  // still to send
  std::vector<WeightSpec> weights_;
  std::size_t next_weight_ = 0;
  std::int64_t offset_ = 0;
  double bytes_total_ = 0;
  double bytes_acknowledged_ = 0;
  struct Piece {
    std::string weight;
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
    Seconds sent{0};
  };
  std::deque<Piece> under_way_;
  double bytes_under_way_ = 0;
  double window_bytes_ = 0;  // that may be
  std::unique_ptr<Checksum> checksum_;
};

}  // namespace lingua
