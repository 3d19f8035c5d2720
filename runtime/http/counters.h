#pragma once
// What a service has done so far, as Prometheus reads it.
//
// Threads: any. Source: Prometheus' text format, version 0.0.4.

#include <array>
#include <cstdint>
#include <mutex>
#include <string>

#include "runtime/base/units.h"

namespace lingua {

// What comes before the values of a metric.
void add_metric_head(std::string& out, const char* name, const char* type, const char* help);

class Counters {
 public:
  void began() { change(active_, 1); }
  // How a request ended: "answered", "refused", "cancelled", "failed".
  void ended(const std::string& how, std::int64_t prompt_tokens, std::int64_t completion_tokens);
  void first_token(Seconds after);
  // Between a request's first token and its last, per token.
  void time_per_token(Seconds time);

  std::string text(bool ready, int connections) const;

 private:
  static constexpr std::size_t kHows = 4;
  static constexpr std::size_t kBuckets = 13;
  struct Histogram {
    std::array<std::uint64_t, kBuckets> counts{};  // of each bucket, the last without end
    double sum = 0;
    void add(double seconds);
    void print(std::string& out, const char* name, const char* help) const;
  };
  void change(std::int64_t& value, std::int64_t by);

  mutable std::mutex mutex_;
  std::int64_t active_ = 0;
  std::array<std::int64_t, kHows> ended_{};
  std::int64_t prompt_tokens_ = 0;
  std::int64_t completion_tokens_ = 0;
  Histogram first_token_;
  Histogram per_token_;
};

}  // namespace lingua
