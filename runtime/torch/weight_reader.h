#pragma once
// How the weights of a model are read from where they stand. Internal to torch/.
//
// Errors: InputError names file and weight. Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <string>

namespace lingua {

// Reads weights without holding them. `weight` is a name of ScriptModel::weight_names.
class WeightReader {
 public:
  virtual ~WeightReader() = default;
  // Bytes [offset, offset + bytes) of the weight in the dtype of the module's parameter (converted
  // from the stored dtype where they differ).
  virtual void read(const std::string& weight, std::int64_t offset, std::int64_t bytes,
                    std::byte* out) = 0;
};

}  // namespace lingua
