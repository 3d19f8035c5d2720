#pragma once
// The texts of a picture and where they lie, so that tests can tell whether one covers another.

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include "runtime/report/text_width.h"

namespace lingua::testing {

struct TextBox {
  std::string text;
  std::array<std::pair<double, double>, 4> corners;

  bool meets(const TextBox& other) const { return !parted_by(other) && !other.parted_by(*this); }

 private:
  // Whether a line along one of its sides has the two on its two sides.
  bool parted_by(const TextBox& other) const {
    for (std::size_t i = 0; i < 2; ++i) {
      const double nx = corners[i + 1].first - corners[i].first;
      const double ny = corners[i + 1].second - corners[i].second;
      const auto reach = [&](const TextBox& box) {
        std::pair<double, double> range(1e300, -1e300);
        for (const auto& [x, y] : box.corners) {
          range.first = std::min(range.first, x * nx + y * ny);
          range.second = std::max(range.second, x * nx + y * ny);
        }
        return range;
      };
      const auto [low, high] = reach(*this);
      const auto [other_low, other_high] = reach(other);
      if (high <= other_low || other_high <= low) return true;
    }
    return false;
  }
};

inline std::string unescaped(std::string text) {
  for (const auto& [from, to] :
       {std::pair("&lt;", "<"), {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}})
    for (std::size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, std::string(from).size(), to);
  return text;
}

// By the letters' height without what hangs below the line. REQUIRES: one size of font.
inline std::vector<TextBox> texts_of(const std::string& svg, double size) {
  std::vector<TextBox> boxes;
  const std::regex text("<text x=\"([-0-9.]+)\" y=\"([-0-9.]+)\"([^>]*)>([^<]*)</text>");
  const std::regex turn("rotate\\(([-0-9.]+) ");
  for (std::sregex_iterator at(svg.begin(), svg.end(), text), end; at != end; ++at) {
    const double x = std::stod((*at)[1]);
    const double y = std::stod((*at)[2]);
    const std::string style = (*at)[3];
    const std::string words = unescaped((*at)[4]);
    const double width = text_width(words, size);
    const double left = style.find("middle") != std::string::npos    ? -width / 2
                        : style.find("\"end\"") != std::string::npos ? -width
                                                                     : 0;
    std::smatch found;
    const double angle =
        std::regex_search(style, found, turn) ? std::stod(found[1]) * 3.14159265358979 / 180 : 0;
    TextBox box{words, {}};
    std::size_t corner = 0;
    for (const auto& [dx, dy] : {std::pair(left, -0.7 * size),
                                 {left + width, -0.7 * size},
                                 {left + width, 0.0},
                                 {left, 0.0}})
      box.corners[corner++] = {x + dx * std::cos(angle) - dy * std::sin(angle),
                               y + dx * std::sin(angle) + dy * std::cos(angle)};
    boxes.push_back(box);
  }
  return boxes;
}

// "A covers B", or "A leaves the picture"; empty when all is well.
inline std::string trouble_with_texts(const std::string& svg, double width, double size) {
  const std::vector<TextBox> boxes = texts_of(svg, size);
  std::smatch found;
  std::regex_search(svg, found, std::regex("viewBox=\"0 0 ([0-9.]+) ([0-9.]+)\""));
  if (std::stod(found[1]) != width) return "it is " + found[1].str() + " wide";
  const double height = std::stod(found[2]);
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (const auto& [x, y] : boxes[i].corners)
      if (x < -0.5 || y < -0.5 || x > width + 0.5 || y > height + 0.5)
        return "'" + boxes[i].text + "' leaves the picture";
    for (std::size_t j = 0; j < i; ++j)
      if (boxes[i].meets(boxes[j])) return "'" + boxes[i].text + "' covers '" + boxes[j].text + "'";
  }
  return boxes.empty() ? "it has no texts" : "";
}

}  // namespace lingua::testing
