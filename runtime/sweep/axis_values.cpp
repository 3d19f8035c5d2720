#include "runtime/sweep/axis_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

using nlohmann::json;
using Tree = nlohmann::ordered_json;
using Piece = SweepAxis::Piece;
using Range = SweepAxis::Range;

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kLongestList = 1000;
constexpr std::string_view kAcceptedRange =
    "a range from the smaller to the larger whole number, as in 1..20";

std::optional<std::int64_t> whole_in(std::string_view text) {
  std::int64_t value = 0;
  const auto [rest, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_number_text(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

// As the command line would have it.
std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Each value once: whole numbers by the ranges that they are in, all else by its text.
class Values {
 public:
  explicit Values(const FailAxis& fail) : fail_(fail) {}

  void take(const json& value) {
    const std::string text = text_of(value);
    const auto whole = whole_in(text);
    if (whole && std::to_string(*whole) == text) {
      take(Range{*whole, *whole});
    } else if (!texts_.insert(text).second) {
      fail_(fmt::format("'{}' stands twice; write each value once", shown(text)));
    }
  }

  void take(const Range& range) { ranges_.push_back(range); }

  void check_ranges() {
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return a.first < b.first; });
    for (std::size_t i = 1; i < ranges_.size(); ++i) {
      if (ranges_[i].first > ranges_[i - 1].last) continue;
      fail_(fmt::format("'{}' stands twice; write each value once", ranges_[i].first));
    }
  }

 private:
  const FailAxis& fail_;
  std::set<std::string> texts_;
  std::vector<Range> ranges_;
};

Range range_in(const std::string& text, const FailAxis& fail) {
  const std::size_t dots = text.find("..");
  const auto first = whole_in(std::string_view(text).substr(0, dots));
  const auto last = whole_in(std::string_view(text).substr(dots + 2));
  if (!first || !last || *first > *last)
    fail(fmt::format("'{}' is not accepted; write {}", shown(text), kAcceptedRange));
  // So many that the difference may not fit are too many anyway.
  constexpr auto kFarthest = static_cast<std::int64_t>(kMostSweepPoints);
  if (*last > kFarthest ? *first < *last - kFarthest : *first + kFarthest < *last)
    fail(fmt::format("'{}' has more than {} values; write fewer", shown(text), kMostSweepPoints));
  return {*first, *last};
}

json bundle_in(const Tree& value, std::size_t index, const FailAxis& fail) {
  json settings = json::object();
  for (const auto& [setting, one] : value.items()) {
    std::string wrong = what_is_wrong_with(one);
    if (is_range(one)) wrong = "is a range; write one value here";
    if (!wrong.empty()) fail(fmt::format("value {}: '{}' {}", index + 1, shown(setting), wrong));
    settings[setting] = one;
  }
  return settings;
}

}  // namespace

std::vector<Piece> axis_pieces(const std::string& name, const Tree& values, const FailAxis& fail) {
  const Tree list = is_range(values) ? Tree::array({values}) : values;
  if (!list.is_array() || list.empty()) {
    fail(fmt::format("is {}; write a list of values, or a range as in 1..20",
                     list.is_array() ? "an empty list" : kind_of(list)));
  }
  const bool bundles = list[0].is_object();
  Values each(fail);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Tree& value = list[i];
    if (value.is_object() != bundles) {
      fail(fmt::format("value {} is {}; write values only, or '{{SETTING: VALUE, ...}}' only",
                       i + 1, kind_of(value)));
    }
    if (bundles) {
      pieces.emplace_back(bundle_in(value, i, fail));
      each.take(std::get<json>(pieces.back()));
      continue;
    }
    const std::string wrong = what_is_wrong_with(value);
    if (!wrong.empty()) fail(fmt::format("value {} {}", i + 1, wrong));
    if (is_range(value)) {
      pieces.emplace_back(range_in(value.get<std::string>(), fail));
      each.take(std::get<Range>(pieces.back()));
    } else {
      pieces.emplace_back(json{{name, json(value)}});
      each.take(std::get<json>(pieces.back())[name]);
    }
  }
  each.check_ranges();
  return pieces;
}

bool is_range(const Tree& value) {
  if (!value.is_string()) return false;
  const std::string_view text = value.get_ref<const std::string&>();
  const std::size_t dots = text.find("..");
  return dots != text.npos && is_number_text(text.substr(0, dots)) &&
         is_number_text(text.substr(dots + 2));
}

std::string what_is_wrong_with(const Tree& value) {
  const std::string accepted = "write a text, a number, true or false, or a list of these";
  if (value.is_array()) {
    if (value.empty() || value.size() > kLongestList)
      return fmt::format("has {} values; write from 1 to {}", value.size(), kLongestList);
    for (const Tree& one : value) {
      if (one.is_array()) return "holds a list in a list; " + accepted;
      const std::string wrong = what_is_wrong_with(one);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }
  if (value.is_object() || value.is_null())
    return fmt::format("is {}; {}", kind_of(value), accepted);
  if (value.is_string() && value.get_ref<const std::string&>().size() > kLongestText)
    return fmt::format("has more than {} bytes; write fewer", kLongestText);
  return "";
}

bool is_setting_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name[0] != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == name.npos;
}

bool is_identifier(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !name.empty() && name.size() <= kLongestName &&
         name.find_first_not_of(kAllowed) == name.npos;
}

std::string kind_of(const Tree& value) {
  if (value.is_null()) return "empty";
  if (value.is_array()) return "a list";
  if (value.is_object()) return "a mapping";
  return fmt::format("'{}'", shown_value(value));
}

std::string shown(std::string_view text) { return one_line(text, 80); }

std::string shown_value(const Tree& value) {
  return shown(value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace lingua
