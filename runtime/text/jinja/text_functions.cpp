#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/operations.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {

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

namespace {

// One "%..." of a format.
struct Conversion {
  bool left = false;
  bool zeros = false;
  std::int64_t width = 0;
  int precision = -1;
  char kind = 's';
};

Conversion read_conversion(const std::string& format, std::size_t& at) {
  Conversion read;
  const auto number = [&] {
    std::int64_t value = 0;
    while (at < format.size() && format[at] >= '0' && format[at] <= '9') {
      value = std::min<std::int64_t>(100000, value * 10 + (format[at++] - '0'));
    }
    return value;
  };
  for (; at < format.size() && (format[at] == '-' || format[at] == '0'); ++at) {
    (format[at] == '-' ? read.left : read.zeros) = true;
  }
  read.width = number();
  if (at < format.size() && format[at] == '.') {
    ++at;
    read.precision = static_cast<int>(std::min<std::int64_t>(60, number()));
  }
  if (at >= format.size()) fail("a format that ends after '%'");
  read.kind = format[at++];
  return read;
}

std::string converted(const Conversion& how, const Value& value, Budget& budget) {
  std::string text;
  if (how.kind == 's' || how.kind == 'r') {
    text = how.kind == 's' ? to_text(value, budget) : to_repr(value, budget);
    if (how.precision >= 0) {
      std::string cut;
      for (const std::string_view c : characters(text)) {
        if (length_of(cut) == how.precision) break;
        cut += c;
      }
      text = cut;
    }
  } else if (!value.is_number()) {
    fail(fmt::format("%{} of {}", how.kind, value.type()));
  } else if (how.kind == 'd' || how.kind == 'i') {
    if (value.is_float() && !(std::abs(value.real()) < 9e18)) fail("a number beyond 64 bits");
    text = fmt::format("{}",
                       value.is_float() ? static_cast<std::int64_t>(value.real()) : value.whole());
  } else if (how.kind == 'f') {
    text = fmt::format("{:.{}f}", value.real(), how.precision < 0 ? 6 : how.precision);
  } else {
    fail(fmt::format("the format %{} is not known here", how.kind));
  }
  const bool zeros = how.zeros && !how.left && how.kind != 's' && how.kind != 'r';
  const bool sign = zeros && text.starts_with('-');
  if (sign) text = text.substr(1);
  text = padded(text, how.width - (sign ? 1 : 0), zeros ? "0" : " ",
                how.left ? Sides::kRight : Sides::kLeft, budget);
  return std::string(sign ? 1 : 0, '-') + text;
}

}  // namespace

std::string percent_format(const std::string& format, const Value& values, Budget& budget) {
  const List all = values.is_tuple() ? values.items() : List{values};
  std::size_t used = 0;
  std::string out;
  for (std::size_t at = 0; at < format.size();) {
    const char c = format[at++];
    if (c != '%') {
      out += c;
      continue;
    }
    if (at < format.size() && format[at] == '%') {
      out += '%';
      ++at;
      continue;
    }
    if (at < format.size() && format[at] == '(') {
      const std::size_t end = format.find(')', at);
      if (end == format.npos || !values.is_dict()) fail("%(name) needs a dictionary");
      const Value value = item(values, Value(format.substr(at + 1, end - at - 1)), budget);
      if (value.is_undefined()) fail(value.what());
      at = end + 1;
      out += converted(read_conversion(format, at), value, budget);
      used = all.size();
      continue;
    }
    const Conversion how = read_conversion(format, at);
    if (used >= all.size()) fail("not enough values for the format");
    out += converted(how, all[used++], budget);
  }
  // As in Python, what could be looked up in is not missed.
  const bool looked_up =
      values.is_dict() || values.is_undefined() || (values.is_sequence() && !values.is_tuple());
  if (used < all.size() && !looked_up) fail("more values than the format has places");
  return out;
}

namespace {

Value brace_value(const std::string& field, std::size_t& next, const Arguments& arguments) {
  if (field.find_first_of(".[!:") != field.npos) {
    fail(fmt::format("the format {{{}}} is not known here", field));
  }
  std::size_t index = next;
  if (field.empty()) {
    ++next;
  } else if (field.find_first_not_of("0123456789") == field.npos) {
    const auto parsed = std::from_chars(field.data(), field.data() + field.size(), index);
    if (parsed.ec != std::errc()) fail("a field's number is too large");
  } else {
    for (const auto& [name, value] : arguments.keywords) {
      if (name == field) return value;
    }
    fail(fmt::format("format() without {}", lingua::quoted(field)));
  }
  if (index >= arguments.positional.size()) fail("format() has not enough values");
  return arguments.positional[index];
}

}  // namespace

std::string brace_format(const std::string& format, const Arguments& arguments, Budget& budget) {
  std::string out;
  std::size_t next = 0;
  for (std::size_t at = 0; at < format.size(); ++at) {
    const char c = format[at];
    const bool doubled = at + 1 < format.size() && format[at + 1] == c;
    if ((c == '{' || c == '}') && doubled) {
      out += c;
      ++at;
    } else if (c == '}') {
      fail("a single '}' in a format");
    } else if (c == '{') {
      const std::size_t end = format.find('}', at);
      if (end == format.npos) fail("a single '{' in a format");
      out += to_text(brace_value(format.substr(at + 1, end - at - 1), next, arguments), budget);
      at = end;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace lingua::jinja
