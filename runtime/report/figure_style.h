#pragma once
// How the series of a figure look: colours, dashes, markers, hatching. See figure.h.
//
// Units: points, y downwards.

#include <string>

#include "runtime/report/svg.h"

namespace lingua {

struct SeriesStyle {
  std::string colour = {};
  std::string dash = {};  // of SVG's stroke-dasharray; empty: a whole line
  int marker = 0;         // below kMarkers
  bool open = false;      // the marker is white inside
  int hatch = 0;          // below kHatches; 0: none
};

inline constexpr int kMarkers = 6;
inline constexpr int kHatches = 6;

// The first twelve differ in grey too.
SeriesStyle series_style(std::size_t series);

struct Spot {
  double x = 0;
  double y = 0;
};

void draw_marker(Svg& svg, Spot at, double radius, const SeriesStyle& style);

struct Rectangle {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

// Filled and hatched, with a thin edge.
void draw_bar(Svg& svg, const Rectangle& bar, const SeriesStyle& style);

// An interval with caps. REQUIRES: low is below high on the page, so that its y is larger.
void draw_interval(Svg& svg, double x, double low_y, double high_y, const std::string& colour);

// What others have published: a grey band with a dark edge above and below, open to the sides.
void draw_published(Svg& svg, const Rectangle& range);

}  // namespace lingua
