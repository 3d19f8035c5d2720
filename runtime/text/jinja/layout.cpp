#include "runtime/text/jinja/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "runtime/checkpoint/json.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {
namespace {

constexpr std::int64_t kMostDigits = 500;

std::string c_format(char kind, double value, std::int64_t precision, bool alternate) {
  if (precision > kMostDigits) fail(fmt::format("a precision beyond {}", kMostDigits));
  const std::string how = fmt::format("%{}.*{}", alternate ? "#" : "", kind);
  std::string text(kMostDigits + 400, '\0');
  const int size =
      std::snprintf(text.data(), text.size(), how.c_str(), static_cast<int>(precision), value);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// A precision, but no kind: as 'g' with a digit behind the point, and an exponent one digit earlier.
std::string short_float(double value, std::int64_t precision) {
  precision = std::max<std::int64_t>(1, precision);
  std::string text = c_format('e', value, precision - 1, false);
  const std::size_t e = text.find('e');
  if (e == text.npos) return text;
  const int exponent = std::atoi(text.c_str() + e + 1);
  if (exponent + 1 > -4 && exponent + 1 <= precision - 1) {
    text = c_format('g', value, precision, false);
    return text.find('.') == text.npos ? text + ".0" : text;
  }
  std::string mantissa = text.substr(0, e);
  if (mantissa.find('.') != mantissa.npos) {
    mantissa.resize(mantissa.find_last_not_of('0') + 1);
    if (mantissa.back() == '.') mantissa.pop_back();
  }
  return mantissa + text.substr(e);
}

std::string float_text(double value, const Layout& how, Budget& budget) {
  switch (how.kind) {
    case 0:
      return how.precision < 0 ? to_repr(Value(value), budget) : short_float(value, how.precision);
    case '%':
      return c_format('f', value * 100, how.precision < 0 ? 6 : how.precision, how.alternate) + "%";
    default: {
      const char kind = how.kind == 'n' ? 'g' : how.kind;
      return c_format(kind, value, how.precision < 0 ? 6 : how.precision, how.alternate);
    }
  }
}

std::string grouped(const std::string& digits, char mark, std::size_t size) {
  if (mark == 0) return digits;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out += mark;
    out += digits[i];
  }
  return out;
}

Layout read_layout(const std::string& spec) {
  Layout how;
  std::size_t at = 0;
  const auto is = [&](std::string_view known) {
    return at < spec.size() && is_one_of(spec[at], known);
  };
  const std::size_t first = spec.empty() ? 0 : utf8_piece(spec, 0).bytes;
  constexpr std::string_view kAligns = "<>=^";
  if (first < spec.size() && is_one_of(spec[first], kAligns)) {
    how.fill = spec.substr(0, first);
    at = first;
  }
  const bool filled = at > 0;
  if (is(kAligns)) how.align = spec[at++];
  if (is("+- ")) how.sign = spec[at++];
  if (is("#")) how.alternate = spec[at++] == '#';
  if (is("0")) {
    ++at;
    if (!filled) how.fill.assign(1, '0');
    if (how.align == 0) how.align = '0';  // for numbers behind the sign, for texts on the right
  }
  how.width = read_number(spec, at);
  if (is(",_")) how.grouping = spec[at++];
  if (is(".")) {
    ++at;
    if (at >= spec.size() || !is_digit(spec[at])) fail("a format without a precision behind '.'");
    how.precision = read_number(spec, at);
  }
  if (at < spec.size()) how.kind = spec[at++];
  if (at < spec.size()) fail(fmt::format("the format {} is not known", lingua::quoted(spec)));
  return how;
}

[[noreturn]] void refuse_format(const std::string& spec, const Value& value) {
  fail(fmt::format("the format {} is not one of {}", lingua::quoted(spec), value.type()));
}

}  // namespace

std::int64_t read_number(std::string_view text, std::size_t& at) {
  std::int64_t number = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    number = std::min<std::int64_t>(1LL << 40, number * 10 + (text[at] - '0'));
  }
  return number;
}

std::string cut(const std::string& text, std::int64_t most) {
  if (most < 0) return text;
  std::string out;
  for (const std::string_view c : characters(text)) {
    if (most-- <= 0) break;
    out += c;
  }
  return out;
}

Digits digits_of(const Value& value, const Layout& how, Budget& budget) {
  Digits digits;
  std::string text;
  if (is_one_of(how.kind, "bdoxX")) {
    const std::int64_t whole = value.whole();
    const std::uint64_t size =
        whole < 0 ? 0 - static_cast<std::uint64_t>(whole) : static_cast<std::uint64_t>(whole);
    const char kind = how.kind;
    text = kind == 'b'   ? fmt::format("{:b}", size)
           : kind == 'o' ? fmt::format("{:o}", size)
           : kind == 'x' ? fmt::format("{:x}", size)
           : kind == 'X' ? fmt::format("{:X}", size)
                         : fmt::format("{}", size);
    if (whole < 0) text = "-" + text;
  } else {
    text = float_text(value.real(), how, budget);
  }
  const bool negative = text.starts_with('-');
  if (negative) text = text.substr(1);
  digits.sign = negative ? "-" : how.sign == '-' ? "" : std::string(1, how.sign);
  if (how.alternate && is_one_of(how.kind, "boxX")) {
    digits.sign += fmt::format("0{}", how.kind);
  }
  std::size_t end = text.find_first_of(".e%E");
  if (how.kind == 'x' || how.kind == 'X') end = text.npos;
  digits.whole = text.substr(0, end);
  if (end != text.npos) digits.rest = text.substr(end);
  return digits;
}

std::string aligned(const std::string& sign, const std::string& text, const Layout& how,
                    Budget& budget) {
  const std::int64_t missing = how.width - length_of(sign) - length_of(text);
  if (missing <= 0) return sign + text;
  budget.spend(missing * 4);
  const std::int64_t left = how.align == '<' ? 0 : how.align == '^' ? missing / 2 : missing;
  std::string before;
  std::string after;
  for (std::int64_t i = 0; i < left; ++i) before += how.fill;
  for (std::int64_t i = left; i < missing; ++i) after += how.fill;
  return how.align == '=' ? sign + before + text : before + sign + text + after;
}

std::string number_text(const Value& value, Layout how, Budget& budget) {
  if (how.align == 0) how.align = '>';
  Digits digits = digits_of(value, how, budget);
  const bool decimal = !is_one_of(how.kind, "boxX");
  const std::size_t size = decimal ? 3 : 4;
  const bool finite = !digits.whole.empty() &&
                      !std::isalpha(static_cast<unsigned char>(decimal ? digits.whole[0] : '0'));
  if (how.grouping != 0 && how.align == '=' && how.fill == "0" && finite) {
    budget.spend(how.width * 8);
    const std::int64_t others = length_of(digits.sign) + length_of(digits.rest);
    std::int64_t count = static_cast<std::int64_t>(digits.whole.size());
    const auto group = static_cast<std::int64_t>(size);
    while (count + (count - 1) / group + others < how.width) ++count;
    const std::size_t zeros = static_cast<std::size_t>(count) - digits.whole.size();
    digits.whole = std::string(zeros, '0') + digits.whole;
  }
  return aligned(digits.sign,
                 grouped(digits.whole, finite ? how.grouping : '\0', size) + digits.rest, how,
                 budget);
}

std::string formatted(const Value& value, const std::string& spec, Budget& budget) {
  if (spec.empty()) return to_text(value, budget);
  Layout how = read_layout(spec);
  const auto known = [&](std::string_view kinds) {
    if (how.kind != 0 && !is_one_of(how.kind, kinds)) refuse_format(spec, value);
  };
  if (value.is_text()) {
    known("s");
    if (how.sign != '-' || how.alternate || how.grouping != 0 || how.align == '=') {
      refuse_format(spec, value);
    }
    if (how.align == 0 || how.align == '0') how.align = '<';
    return aligned("", cut(value.text(), how.precision), how, budget);
  }
  if (!value.is_number()) refuse_format(spec, value);
  if (how.align == '0') how.align = '=';
  if (value.is_float()) {
    known("eEfFgGn%");
    return number_text(value, how, budget);
  }
  known("bcdoxXneEfFgG%");
  const bool as_float = is_one_of(how.kind, "eEfFgG%");
  if (as_float) return number_text(value, how, budget);
  if (how.precision >= 0) refuse_format(spec, value);
  if (how.kind == 'c') {
    if (value.whole() < 0 || value.whole() > 0x10FFFF) refuse_format(spec, value);
    if (how.align == 0) how.align = '<';
    return aligned("", utf8_of(static_cast<char32_t>(value.whole())), how, budget);
  }
  if (how.kind == 0 || how.kind == 'n') how.kind = 'd';
  if (how.grouping == ',' && how.kind != 'd') refuse_format(spec, value);
  return number_text(value, how, budget);
}

}  // namespace lingua::jinja
