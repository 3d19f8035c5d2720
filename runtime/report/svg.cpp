#include "runtime/report/svg.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : printable(text)) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

std::string titled(const std::string& element, const std::string& hint) {
  if (hint.empty()) return fmt::format("></{}>\n", element);
  return fmt::format("><title>{}</title></{}>\n", escaped(hint), element);
}

}  // namespace

void Svg::text(double x, double y, const std::string& what, const std::string& style) {
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", x, y,
                       style.empty() ? "" : " " + style, escaped(what));
}

void Svg::box(double x, double y, double width, double height, const std::string& fill,
              const std::string& hint) {
  body_ +=
      fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"",
                  x, y, std::max(width, 0.0), height, fill) +
      titled("rect", hint);
}

void Svg::circle(double x, double y, double radius, const std::string& fill,
                 const std::string& hint) {
  body_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"", x, y, radius,
                       fill) +
           titled("circle", hint);
}

void Svg::path(const std::string& d, const std::string& style) {
  body_ += fmt::format("<path d=\"{}\" {}/>\n", d, style);
}

std::string Svg::picture(const Paper& paper) const {
  const std::string label =
      paper.description.empty()
          ? ""
          : fmt::format(" role=\"img\" aria-label=\"{}\"", escaped(one_line(paper.description)));
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}{2}\" height=\"{1}{2}\" "
             "viewBox=\"0 0 {0} {1}\" font-family=\"{3}\" font-size=\"{4}\"{5}>\n"
             "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
             paper.width, paper.height, paper.unit, paper.family, paper.font_size, label) +
         body_ + "</svg>\n";
}

}  // namespace lingua
