#include "runtime/app/setting.h"

#include <fmt/format.h>

#include <charconv>

namespace lingua {

Setting Setting::time_limit() && {
  static constexpr double kMost = 1e6;
  const auto refuse = [](const std::string& text) -> std::string {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && rest == end && value > 0 && value <= kMost) return "";
    return fmt::format("'{}' is not accepted; write seconds: more than 0, at most {:.0f}", text,
                       kMost);
  };
  return std::move(*this).checked(refuse, "POSITIVE");
}

}  // namespace lingua
