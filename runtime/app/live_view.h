#pragma once
// A run as it goes, for who watches: /metrics of a service, a line of status.
//
// Threads: any; the coordinator's writes, others read. What is not known is left out.
// Source: Prometheus' text format, version 0.0.4.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/balance/monitor.h"
#include "runtime/engine/coordinator.h"

namespace lingua {

class LiveView {
 public:
  // A run begins, with all of these there. What was counted before counts on.
  void begin(const std::vector<DeviceName>& devices);
  void changed(const Overview& overview);
  void measured(const Monitor& monitor);
  // It is over: nobody is there.
  void end();

  std::string metrics() const;
  // "ben 2.9x slower, 1 move"; empty where there is nothing to say.
  std::string status() const;

 private:
  std::map<DeviceName, Monitor::DeviceView> present() const;

  mutable std::mutex mutex_;
  std::map<DeviceName, bool> is_present_;  // all of the cluster's
  Overview overview_;
  Overview before_;  // counts of runs that are over
  std::map<DeviceName, Monitor::DeviceView> devices_;
  std::map<std::pair<DeviceName, DeviceName>, double> links_;
};

// Tokens per second, of the last few seconds.
class TokenRate {
 public:
  void made(Seconds now);
  // 0 while there is too little to tell by.
  double per_s(Seconds now);

 private:
  std::deque<Seconds> times_;
};

// "42 tokens, 8.2 tokens/s, ben 2.9x slower, 1 move".
std::string status_text(std::int64_t tokens, double tokens_per_s, const LiveView& view);

}  // namespace lingua
