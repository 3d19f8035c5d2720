#include "runtime/report/text_width.h"

#include <algorithm>
#include <array>

#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

// Of the characters 32 to 126, in thousandths of the size.
constexpr std::array<int, 95> kWidths = {
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333,  278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667,  611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278,  556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500,  500, 334, 260, 334, 584};

constexpr const char* kEllipsis = "\xe2\x80\xa6";

// REQUIRES: UTF-8.
std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> result;
  for (const char c : text) {
    const bool continues = (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
    if (continues && !result.empty()) {
      result.back() += c;
    } else {
      result.emplace_back(1, c);
    }
  }
  return result;
}

double character_width(const std::string& character) {
  const auto lead = static_cast<unsigned char>(character[0]);
  if (lead >= 32 && lead < 127) return kWidths[lead - 32];
  // From U+2E80 on, where East Asia's letters begin.
  return character >= "\xe2\xba\x80" ? 1000 : 600;
}

std::string join(std::vector<std::string>::const_iterator from,
                 std::vector<std::string>::const_iterator to) {
  std::string text;
  for (; from != to; ++from) text += *from;
  return text;
}

}  // namespace

double text_width(std::string_view text, double size) {
  double width = 0;
  for (const std::string& character : characters(text)) width += character_width(character);
  return width * size / 1000;
}

std::string shortened(const std::string& text, double width, double size) {
  const std::string line = one_line(text);
  if (text_width(line, size) <= width) return line;
  const std::vector<std::string> all = characters(line);
  for (std::size_t kept = all.size() - 1; kept > 1; --kept) {
    const auto head = static_cast<std::ptrdiff_t>((kept + 1) / 2);
    const auto tail = static_cast<std::ptrdiff_t>(kept / 2);
    std::string result =
        join(all.begin(), all.begin() + head) + kEllipsis + join(all.end() - tail, all.end());
    if (text_width(result, size) <= width) return result;
  }
  return kEllipsis;
}

std::vector<std::string> wrapped(const std::string& text, double width, double size) {
  std::vector<std::string> rest = characters(one_line(text));
  std::vector<std::string> lines;
  while (!rest.empty()) {
    std::size_t fits = 0;
    double used = 0;
    while (fits < rest.size() && used + character_width(rest[fits]) * size / 1000 <= width + 1e-6)
      used += character_width(rest[fits++]) * size / 1000;
    fits = std::max<std::size_t>(fits, 1);
    std::size_t end = fits;
    if (fits < rest.size()) {
      const auto break_after = [&](const auto& may) {
        std::size_t at = fits + (rest[fits] == " " ? 1 : 0);
        while (at > 0 && !may(rest[at - 1])) --at;
        return at;
      };
      std::size_t at = break_after([](const std::string& c) { return c == " "; });
      if (at == 0)
        at = break_after([](const std::string& c) { return c == "_" || c == "-" || c == "/"; });
      if (at > 0) end = at;
    }
    const auto cut = rest.begin() + static_cast<std::ptrdiff_t>(end);
    std::string line = join(rest.begin(), cut);
    while (line.ends_with(' ')) line.pop_back();
    lines.push_back(line);
    rest.erase(rest.begin(), cut);
  }
  return lines;
}

}  // namespace lingua
