#pragma once
// Where the contents of a model come from when it is deployed: weights and programs.
//
// Ownership: a source may hold files open; it never holds more than the pieces it is asked for.
// Threads: one at a time. Errors: InputError names the file.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "runtime/base/digest.h"
#include "runtime/model/segment.h"

namespace lingua {

class ModelSource {
 public:
  virtual ~ModelSource() = default;

  // False where there are shapes and no weights (a configuration without its checkpoint).
  virtual bool has_data() const = 0;

  // Copies bytes [offset, offset + bytes) of a weight, in the dtype of the spec, to `out`.
  // REQUIRES: has_data(), and the range lies in the weight and starts and ends on whole elements.
  virtual void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
                    std::byte* out) = 0;

  // The digest of the whole weight as it is read, where that is known without reading it.
  virtual std::optional<Digest> digest(const WeightSpec& weight) {
    static_cast<void>(weight);
    return std::nullopt;
  }

  // The program of a segment as lite-interpreter bytes. REQUIRES: has_data().
  virtual std::string program(const Segment& segment) = 0;
};

}  // namespace lingua
