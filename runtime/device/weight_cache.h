#pragma once
// Weights that a device has kept of earlier runs, by what is in them.
//
// Threads: one at a time. Errors: none: what cannot be kept is not, and what is damaged is not there.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/base/digest.h"

namespace lingua {

class WeightCache {
 public:
  virtual ~WeightCache() = default;

  // The bytes that have this digest, compared with it anew; null where it has none of this size.
  virtual std::shared_ptr<std::byte> find(const Digest& digest, std::int64_t bytes) = 0;

  // Keeps them for later runs. It may do so while the caller goes on: they must not change any more.
  virtual void keep(std::shared_ptr<const std::byte> data, std::int64_t bytes) = 0;
};

}  // namespace lingua
