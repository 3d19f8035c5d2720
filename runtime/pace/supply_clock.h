#pragma once
// A supply in real time: when by this machine's clock what it says comes about.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/supply/supply.h"

namespace lingua {

// Threads: a value without shared state.
struct SupplyClock {
  using Clock = std::chrono::steady_clock;

  SupplyTrace trace = {};
  Clock::time_point origin = {};  // when the run's clock showed 0

  Clock::time_point time_of(Seconds time) const {
    return origin + std::chrono::duration_cast<Clock::duration>(time);
  }
  // How long a device takes for work that begins then and takes `time` at its nominal speed.
  Seconds time_of_work(const DeviceName& device, Clock::time_point begun, Seconds time) const {
    const Seconds start = begun - origin;
    return trace.devices().contains(device) ? end_of_work(trace, device, start, time) - start
                                            : time;
  }
};

// Kills this process at a time (SIGKILL), if it lives until then; a time in the past means now. By a thread
// of its own, for the process may compute or wait.
class TimedKill {
 public:
  explicit TimedKill(SupplyClock::Clock::time_point when);
  ~TimedKill();  // then it does not
  TimedKill(const TimedKill&) = delete;
  TimedKill& operator=(const TimedKill&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace lingua
