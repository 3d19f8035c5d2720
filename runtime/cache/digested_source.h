#pragma once
// A model whose digests are made by reading: a weight whole, when its digest is asked for first.
//
// For runs that keep nothing. Errors: those of the source. Threads: one at a time.

#include <map>
#include <string>

#include "runtime/model/model_source.h"

namespace lingua {

class DigestedSource : public ModelSource {
 public:
  // REQUIRES: the source outlives it and has data.
  explicit DigestedSource(ModelSource& source) : source_(source) {}

  bool has_data() const override { return true; }
  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    source_.read(weight, offset, bytes, out);
  }
  std::optional<Digest> digest(const WeightSpec& weight) override;
  std::string program(const Segment& segment) override { return source_.program(segment); }

 private:
  ModelSource& source_;
  std::map<std::string, Digest> digests_;  // by weight
};

}  // namespace lingua
