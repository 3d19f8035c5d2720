#pragma once
// Weights on their way to one device that lacks them, from the coordinator or from a device that holds them.
//
// A role without I/O. Weights travel in pieces, in order; how large they are, how many are under way, and how
// fast they follow: see send_window.h. Neither side ever holds more beyond its own weights.
// Errors: those of the reader.

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/send_window.h"

namespace lingua {

// Bytes [offset, offset + bytes) of a weight; null where weights have no contents.
using ReadWeight = std::function<std::shared_ptr<const std::byte>(
    const WeightSpec& weight, std::int64_t offset, std::int64_t bytes)>;

class WeightSender {
 public:
  // `order.weights` is not looked at.
  WeightSender(const SendWeights& order, ReadWeight read);

  // More to send, after what there is.
  void add(const WeightSpec& weight);
  // Nothing of it is sent any more.
  void leave_out(const std::string& weight);
  void set_rate(double bytes_per_s) { window_.set_rate(bytes_per_s); }

  // Sends pieces as far as window and rate let them go.
  void go_on(Seconds now, Effects& effects);
  // Takes an answer. Nothing: it is not that to the next piece under way.
  struct Answered {
    std::int64_t bytes = 0;
    bool ends_weight = false;
  };
  std::optional<Answered> acknowledge(const WeightAck& ack, Seconds now, Effects& effects);

  // When go_on() has something to do; kNever where only an answer gives it something.
  Seconds next() const { return weights_.empty() ? kNever : window_.next(); }
  bool done() const { return weights_.empty() && under_way_.empty(); }
  double bytes_left() const { return bytes_left_; }  // that are not under way

 private:
  WeightChunk next_chunk();

  const SendWeights order_;
  const ReadWeight read_;
  SendWindow window_;
  std::deque<WeightSpec> weights_;  // the first is under way up to offset_
  std::int64_t offset_ = 0;
  double bytes_left_ = 0;
  struct Piece {
    std::string weight;
    std::int64_t offset = 0;
    Answered answer;
  };
  std::deque<Piece> under_way_;
  std::unique_ptr<Checksum> checksum_;
};

}  // namespace lingua
