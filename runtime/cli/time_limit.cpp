#include "runtime/cli/time_limit.h"

#include <fmt/format.h>

#include <charconv>

namespace lingua {

CLI::Validator time_limit_check() {
  static constexpr double kMost = 1e6;
  const auto refuse = [](const std::string& text) -> std::string {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && rest == end && value > 0 && value <= kMost) return "";
    return fmt::format("'{}' is not accepted; write seconds: more than 0, at most {:.0f}", text,
                       kMost);
  };
  return {refuse, "POSITIVE", "time limit"};
}

void add_loss_option(CLI::App& app, double& loss_timeout_s) {
  app.add_option("--loss-timeout", loss_timeout_s,
                 "seconds without a sign of life after which another machine is taken for lost")
      ->capture_default_str()
      ->check(CLI::Range(0.2, 1e6));
}

}  // namespace lingua
