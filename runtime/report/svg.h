#pragma once
// A picture as text: the few shapes that the pictures of plans are made of.
//
// Determinism: the same calls give the same text. It stands alone: no fonts, scripts or links.
// Units: pixels, or those of the paper that it is drawn on; y downwards. Styles are SVG attributes:
// fill="#666666".
// Texts may be anything: what XML reserves or forbids is escaped.

#include <array>
#include <string>
#include <string_view>

namespace lingua {

// Told apart by the colour-blind; Paul Tol's bright and muted schemes.
inline constexpr std::array kColours = {"#4477aa", "#ee8866", "#44aa77", "#bb5588",
                                        "#ccaa33", "#66aacc", "#997744", "#8866bb"};

struct Paper {
  double width = 0;
  double height = 0;
  std::string_view unit = "";  // "pt"; pixels where it is empty
  std::string_view family = "sans-serif";
  double font_size = 12;
  std::string description = {};  // for those who do not see the picture
};

class Svg {
 public:
  void text(double x, double y, const std::string& what, const std::string& style = "");
  // The hint is shown where the pointer rests.
  void box(double x, double y, double width, double height, const std::string& fill,
           const std::string& hint = "");
  void circle(double x, double y, double radius, const std::string& fill,
              const std::string& hint = "");
  // As the attribute d of SVG's path.
  void path(const std::string& d, const std::string& style);

  // The whole picture, on white.
  std::string picture(const Paper& paper) const;
  std::string picture(double width, double height) const { return picture({width, height}); }

 private:
  std::string body_;
};

}  // namespace lingua
