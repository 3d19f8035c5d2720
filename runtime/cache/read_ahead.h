#pragma once
// A model that is read a piece further than it is asked for, on a thread of its own: while one piece is sent, the
// next is read, dequantised and quantised.
//
// Holds two pieces of each weight that is under way. Whoever reads a weight from its beginning, in order, is
// served so; any other read goes straight to the source.
// Threads: one at a time, as the source, which is used by no more than one either. Errors: those of the source,
// where it is asked for what could not be read.

#include <cstdint>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/model/model_source.h"

namespace lingua {

class ReadAhead : public ModelSource {
 public:
  // REQUIRES: the source outlives it.
  explicit ReadAhead(ModelSource& source) : source_(source) {}

  bool has_data() const override { return source_.has_data(); }
  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override;
  std::optional<Digest> digest(const WeightSpec& weight) override { return source_.digest(weight); }
  std::string program(const Segment& segment) override;

 private:
  struct Stream {
    std::int64_t at = 0;  // that is asked for next
    std::vector<std::byte> piece;
    std::int64_t piece_at = 0;
    std::future<std::vector<std::byte>> next;  // what follows the piece
  };

  std::vector<std::byte> piece_of(const WeightSpec& weight, std::int64_t offset);
  void advance(const WeightSpec& weight, Stream& stream);

  ModelSource& source_;
  std::mutex mutex_;                       // of the source
  std::map<std::string, Stream> streams_;  // by weight; goes first, and waits for what is under way
};

}  // namespace lingua
