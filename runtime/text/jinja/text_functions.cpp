#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/operations.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {

std::string escaped(const Value& value, Budget& budget) {
  if (value.is_markup()) return value.text();
  std::string out;
  for (const char c : to_text(value, budget)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

Value text_like(const Value& like, std::string text) {
  return like.is_markup() ? Value::markup(std::move(text)) : Value(std::move(text));
}

std::string upper(const std::string& text) { return full_upper_case(text); }
std::string lower(const std::string& text) { return full_lower_case(text); }

std::string capitalised(const std::string& text) {
  if (text.empty()) return text;
  const std::size_t first = utf8_piece(text, 0).bytes;
  return title_character(text.substr(0, first)) + lower(text.substr(first));
}

std::string stripped(const std::string& text, const std::optional<Value>& stripped_set,
                     Sides sides) {
  const bool spaces = !stripped_set || stripped_set->is_none();
  const std::string set = spaces ? "" : text_or(stripped_set, "");
  const std::vector<std::string_view> known = characters(set);
  const auto goes = [&](std::string_view c) {
    return spaces ? is_space(c) : std::find(known.begin(), known.end(), c) != known.end();
  };
  const std::vector<std::string_view> all = characters(text);
  auto begin = all.begin();
  auto end = all.end();
  while (sides != Sides::kRight && begin != end && goes(*begin)) ++begin;
  while (sides != Sides::kLeft && begin != end && goes(*(end - 1))) --end;
  std::string out;
  for (; begin != end; ++begin) out += *begin;
  return out;
}

std::vector<std::string> split_lines(const std::string& text, bool keep_ends) {
  std::vector<std::string> lines;
  std::string line;
  bool open = false;
  const std::vector<std::string_view> all = characters(text);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const char32_t c = utf8_piece(all[i], 0).code_point;
    const bool ends = (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
                      c == 0x2028 || c == 0x2029;
    open = !ends;
    if (!ends) {
      line += all[i];
      continue;
    }
    if (keep_ends) line += all[i];
    if (c == '\r' && i + 1 < all.size() && all[i + 1] == "\n") {
      ++i;
      if (keep_ends) line += '\n';
    }
    lines.push_back(std::exchange(line, ""));
  }
  if (open) lines.push_back(line);
  return lines;
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to,
                     std::int64_t most, Budget& budget) {
  if (most < 0) most = INT64_MAX;
  std::string out;
  if (from.empty()) {
    for (const std::string_view c : characters(text)) {
      budget.spend(static_cast<std::int64_t>(to.size()) + 4);
      if (most-- > 0) out += to;
      out += c;
    }
    if (most > 0) out += to;
    return out;
  }
  std::size_t begin = 0;
  for (std::size_t at; most-- > 0 && (at = text.find(from, begin)) != text.npos;) {
    budget.spend(static_cast<std::int64_t>(to.size() + at - begin));
    out += text.substr(begin, at - begin) + to;
    begin = at + from.size();
  }
  return out + text.substr(begin);
}

std::string padded(const std::string& text, std::int64_t width, const std::string& fill,
                   Sides spaces, Budget& budget) {
  const std::int64_t missing = width - length_of(text);
  if (missing <= 0) return text;
  budget.spend(missing);
  // Python's centre puts the odd space left of a text of odd width.
  const std::int64_t left = spaces == Sides::kLeft    ? missing
                            : spaces == Sides::kRight ? 0
                                                      : missing / 2 + (missing & width & 1);
  std::string out;
  for (std::int64_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (std::int64_t i = left; i < missing; ++i) out += fill;
  return out;
}

}  // namespace lingua::jinja
