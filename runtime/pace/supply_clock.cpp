#include "runtime/pace/supply_clock.h"

#include <unistd.h>

#include <csignal>

namespace lingua {

TimedKill::TimedKill(SupplyClock::Clock::time_point when)
    : thread_([this, when] {
        std::unique_lock lock(mutex_);
        const bool ends = wake_.wait_until(lock, when, [this] { return ending_; });
        if (!ends) ::kill(::getpid(), SIGKILL);
      }) {}

TimedKill::~TimedKill() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

}  // namespace lingua
