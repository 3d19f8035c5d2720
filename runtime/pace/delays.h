#pragma once
// How far a paced run was behind the model: its times are the modelled ones as far as this is little.

#include <cstdint>
#include <mutex>

#include "runtime/base/units.h"

namespace lingua {

struct Delays {
  std::int64_t count = 0;  // of all
  std::int64_t late = 0;   // of them
  Seconds modelled{0};     // of all
  Seconds late_by{0};      // in all
  Seconds most{0};

  // Reality took `took` for what the model says takes `should`.
  void note(Seconds should, Seconds took);
  void add(const Delays& other);
};

// Threads: any.
class DelayCounter {
 public:
  void note(Seconds should, Seconds took) {
    const std::lock_guard lock(mutex_);
    delays_.note(should, took);
  }
  Delays read() const {
    const std::lock_guard lock(mutex_);
    return delays_;
  }

 private:
  mutable std::mutex mutex_;
  Delays delays_;  // guarded by mutex_
};

}  // namespace lingua
