#include "runtime/base/plain_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace lingua {
namespace {

constexpr std::size_t kFew = 5;  // lines of a kind
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

// The first character of a text that is not empty. Source: The Unicode Standard, table 3-7.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xc2 || lead > 0xf4) return {};
  const std::size_t bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::uint32_t low = 0x80;
  std::uint32_t high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  std::uint32_t code = lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if (byte(i) < low || byte(i) > high) return {0, i, false};
    code = code << 6 | (byte(i) & 0x3fU);
    low = 0x80;
    high = 0xbf;
  }
  return {code, bytes, true};
}

// Not to be seen, or obeyed instead of shown. Source: the Unicode Character Database, general
// categories Cc, Cf, Zl and Zp, without those that scripts and emoji need (U+200C, U+200D, Arabic
// number signs).
bool is_hidden(std::uint32_t code) {
  using Range = std::pair<std::uint32_t, std::uint32_t>;
  constexpr std::array kHidden = {
      Range{0x00, 0x1f},      Range{0x7f, 0x9f},     Range{0xad, 0xad},     Range{0x61c, 0x61c},
      Range{0x180e, 0x180e},  Range{0x200b, 0x200b}, Range{0x200e, 0x200f}, Range{0x2028, 0x202e},
      Range{0x2060, 0x206f},  Range{0xfeff, 0xfeff}, Range{0xfff9, 0xfffb}, Range{0x1d173, 0x1d17a},
      Range{0xe0000, 0xe007f}};
  return std::any_of(kHidden.begin(), kHidden.end(),
                     [&](const Range& r) { return r.first <= code && code <= r.second; });
}

// As JSON writes it; beyond U+FFFF as a pair of surrogates.
std::string json_escape(std::uint32_t code) {
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  const std::uint32_t above = code - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (above >> 10), 0xdc00 + (above & 0x3ffU));
}

std::string shown(std::uint32_t code) {
  if (code < 0x100) return fmt::format("\\x{:02x}", code);
  return fmt::format("\\u{:04x}", code);
}

// Takes the text character by character; `replace` gives what stands for a hidden one.
template <class Replace>
std::string without_hidden(std::string_view text, Replace replace) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    if (!c.valid) {
      out += kReplacement;
    } else if (is_hidden(c.code)) {
      out += replace(c.code);
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  return without_hidden(text, [](std::uint32_t code) {
    return code == '\n' || code == '\t' ? std::string(1, static_cast<char>(code)) : shown(code);
  });
}

std::string one_line(std::string_view text, std::size_t max_bytes) {
  const std::string_view kept = text.substr(0, max_bytes);
  std::string line = without_hidden(kept, [](std::uint32_t code) {
    return code == '\n' || code == '\r' || code == '\t' ? " " : shown(code);
  });
  if (kept.size() == text.size() && line.size() <= max_bytes) return line;
  std::size_t end = std::min(line.size(), max_bytes);
  while (end > 0 && end < line.size() && (static_cast<unsigned char>(line[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  line.resize(end);
  // A character that the cut went through.
  if (kept.size() < text.size() && line.ends_with(kReplacement)) {
    line.resize(line.size() - kReplacement.size());
  }
  return line + "...";
}

std::string escaped_json(std::string_view json) {
  return without_hidden(json, [](std::uint32_t code) {
    return code == '\n' ? std::string("\n") : json_escape(code);
  });
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=:,@%+-";
  if (!text.empty() && text.find_first_not_of(kPlain) == text.npos) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) c == '\'' ? quoted.append("'\\''") : quoted.append(1, c);
  return quoted + "'";
}

void FewLines::tell(const std::string& line) {
  ++count_;
  if (!say_) return;
  if (count_ <= kFew) {
    say_(line);
  } else if ((count_ & (count_ - 1)) == 0) {
    say_(fmt::format("{} {} so far; the last: {}", count_, what_, line));
  }
}

}  // namespace lingua
