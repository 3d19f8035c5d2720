#include "runtime/http/counters.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr std::array kHow = {"answered", "refused", "cancelled", "failed"};
constexpr std::array kBounds = {0.005, 0.01, 0.025, 0.05, 0.1,  0.25,
                                0.5,   1.0,  2.5,   5.0,  10.0, 30.0};

}  // namespace

void add_metric_head(std::string& out, const char* name, const char* type, const char* help) {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Counters::change(std::int64_t& value, std::int64_t by) {
  const std::lock_guard lock(mutex_);
  value += by;
}

void Counters::ended(const std::string& how, std::int64_t prompt_tokens,
                     std::int64_t completion_tokens) {
  const auto place = std::find(kHow.begin(), kHow.end(), how);
  LINGUA_CHECK(place != kHow.end(), "{}", how);
  const std::lock_guard lock(mutex_);
  --active_;
  ++ended_[static_cast<std::size_t>(place - kHow.begin())];
  prompt_tokens_ += prompt_tokens;
  completion_tokens_ += completion_tokens;
}

void Counters::first_token(Seconds after) {
  const std::lock_guard lock(mutex_);
  first_token_.add(after.count());
}

void Counters::time_per_token(Seconds time) {
  const std::lock_guard lock(mutex_);
  per_token_.add(time.count());
}

void Counters::Histogram::add(double seconds) {
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  ++counts[static_cast<std::size_t>(bucket)];
  sum += seconds;
}

void Counters::Histogram::print(std::string& out, const char* name, const char* help) const {
  static_assert(kBounds.size() + 1 == kBuckets);
  add_metric_head(out, name, "histogram", help);
  const auto to = std::back_inserter(out);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += counts[i];
    fmt::format_to(to, "{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], below);
  }
  below += counts.back();
  fmt::format_to(to, "{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name, below, name,
                 sum, name, below);
}

std::string Counters::text(bool ready, int connections) const {
  const std::lock_guard lock(mutex_);
  std::string out;
  const auto one = [&](const char* name, const char* type, const char* help, std::int64_t value) {
    add_metric_head(out, name, type, help);
    fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
  };
  one("lingua_ready", "gauge", "1 while the devices can answer.", ready ? 1 : 0);
  one("lingua_connections", "gauge", "Open HTTP connections.", connections);
  one("lingua_requests_active", "gauge", "Requests that wait or run.", active_);
  add_metric_head(out, "lingua_requests_total", "counter", "Requests that have ended, by how.");
  for (std::size_t i = 0; i < kHow.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "lingua_requests_total{{end=\"{}\"}} {}\n", kHow[i],
                   ended_[i]);
  }
  one("lingua_prompt_tokens_total", "counter", "Tokens of prompts.", prompt_tokens_);
  one("lingua_completion_tokens_total", "counter", "Tokens that were made.", completion_tokens_);
  first_token_.print(out, "lingua_time_to_first_token_seconds",
                     "From a request's arrival to its first token.");
  per_token_.print(out, "lingua_time_per_output_token_seconds",
                   "Of a request, between its first token and its last.");
  return out;
}

}  // namespace lingua
