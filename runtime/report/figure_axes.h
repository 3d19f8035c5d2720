#pragma once
// The axes of a figure: scales, room for labels, labels that do not cover each other. See figure.h.
//
// Units: points, y downwards.

#include <string>
#include <vector>

#include "runtime/report/figure_style.h"
#include "runtime/report/svg.h"

namespace lingua {

inline constexpr double kFigureFont = 8;
inline constexpr double kFigureLine = 9.6;  // from one line of text to the next

struct FigureScale {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  double from = 0;  // where low is drawn
  double to = 1;

  double at(double value) const;
};

// One mark of an axis and what stands beside it.
struct FigureTick {
  double value = 0;
  std::string text = {};
};

// Marks at the distinct values themselves where those are few (and some) and have room, else at round numbers.
// REQUIRES: they ascend.
std::vector<FigureTick> x_ticks(const FigureScale& scale, const std::vector<double>& distinct);
std::vector<FigureTick> y_ticks(const FigureScale& scale);

double widest(const std::vector<FigureTick>& ticks);

// The labels below an axis of categories: in one line, in several, or turned, whichever has room; where
// even turned ones would touch, and instead of turning numbers, only every second, third, ... has one.
class CategoryLabels {
 public:
  // `slot` is the width of one category, `room` how far the first label may reach to the left of its middle.
  CategoryLabels(const std::vector<std::string>& names, double slot, double room);
  double height() const { return height_; }
  void draw(Svg& svg, double first_middle, double top) const;

 private:
  void turn(const std::vector<std::string>& names, double room);

  std::vector<std::vector<std::string>> labels_;  // lines of each; empty: none
  double slot_;
  double height_ = 0;
  int angle_ = 0;  // degrees that a label falls to the left
};

// The grid, the frame, the marks and their texts but those of categories.
void draw_y_axis(Svg& svg, const Rectangle& area, const FigureScale& scale,
                 const std::vector<FigureTick>& ticks);
void draw_x_axis(Svg& svg, const Rectangle& area, const FigureScale& scale,
                 const std::vector<FigureTick>& ticks);

}  // namespace lingua
