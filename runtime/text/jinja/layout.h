#pragma once
// One value in a format: what "{:>8.2f}" and "%-8.2f" have in common.
//
// Source: Python's format specification mini-language.

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/text/jinja/value.h"

namespace lingua::jinja {

struct Layout {
  std::string fill = " ";
  char align = 0;  // < > = ^, or by the kind of value
  char sign = '-';
  bool alternate = false;
  std::int64_t width = 0;
  char grouping = 0;  // , or _
  std::int64_t precision = -1;
  char kind = 0;
};

// A number without padding.
struct Digits {
  std::string sign;  // and what "0x" stands for
  std::string whole;
  std::string rest;  // fraction and exponent
};

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_one_of(char c, std::string_view known) { return known.find(c) != known.npos; }
// The digits from `at` on, behind which it is left.
std::int64_t read_number(std::string_view text, std::size_t& at);
// The first `most` characters; all where it is negative.
std::string cut(const std::string& text, std::int64_t most);

Digits digits_of(const Value& value, const Layout& how, Budget& budget);
std::string number_text(const Value& value, Layout how, Budget& budget);
// REQUIRES: an alignment is given.
std::string aligned(const std::string& sign, const std::string& text, const Layout& how,
                    Budget& budget);
// Python's format(value, spec).
std::string formatted(const Value& value, const std::string& spec, Budget& budget);

}  // namespace lingua::jinja
