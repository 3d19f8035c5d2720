#include "runtime/text/clean_up.h"

#include <string_view>
#include <utility>

namespace lingua {

std::string clean_up_spaces(std::string text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) {
    std::string result;
    std::size_t at = 0;
    for (std::size_t found = 0; (found = text.find(from, at)) != std::string::npos;) {
      result.append(text, at, found - at).append(to);
      at = found + from.size();
    }
    text = result.append(text, at);
  }
  return text;
}

std::size_t settled_length(const std::string& text) {
  // Every rule is about these characters alone: another one cuts a text into independent parts.
  static constexpr std::string_view kInRules = " .?!,'ntmsver";
  const std::size_t other = text.find_last_not_of(kInRules);
  return other == std::string::npos ? 0 : other + 1;
}

}  // namespace lingua
