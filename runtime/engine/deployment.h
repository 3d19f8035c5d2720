#pragma once
// A plan made real: what each device is told, and how the weights reach it.
//
// Weights travel in pieces of at most chunk_bytes, in order. How many are under way per device begins
// small and grows while answers come within a second, to at most `window`: what else is sent to the
// device waits behind them for a few seconds, however slow its link is, and neither side ever holds
// more beyond its own weights.
// Errors: InputError from the model source; a device that answers out of turn is a WorldError.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/device/device.h"
#include "runtime/model/model_source.h"
#include "runtime/model/segment.h"
#include "runtime/plan/plan.h"

namespace lingua {

struct Deployment {
  Epoch epoch = 1;
  Plan plan;
  const Segmentation* segmentation = nullptr;
  ModelSource* source = nullptr;
  int threads = 0;                        // per device; 0: as many as it has cores
  std::int64_t chunk_bytes = 64LL << 10;  // a second at 0.5 Mbit/s
  int window = 128;                       // pieces of that size

  // What a device of the plan is told.
  Prepare prepare_for(const DeviceName& device) const;
};

// Streams the weights of all that a device runs and stores to it.
class WeightSender {
 public:
  WeightSender(const Deployment& deployment, const DeviceName& device);

  // Sends pieces until the window is full or all are sent.
  void fill_window(Device& device);
  // Takes an answer; WorldError when it is not that to the next piece under way.
  void acknowledge(const WeightAck& ack, Device& device);

  bool done() const { return next_weight_ == weights_.size() && under_way_.empty(); }
  double bytes_total() const { return bytes_total_; }
  double bytes_acknowledged() const { return bytes_acknowledged_; }

 private:
  WeightChunk next_chunk();

  const Deployment& deployment_;
  DeviceName device_;
  std::vector<WeightSpec> weights_;  // each once
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
