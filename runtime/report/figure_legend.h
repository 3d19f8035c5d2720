#pragma once
// What the marks of a figure stand for, above its plot. See figure.h.

#include "runtime/report/figure.h"
#include "runtime/report/svg.h"

namespace lingua {

// In one line or in several, in columns where they have room; a name that is wider than the paper in several lines.
// Nothing for one series without a name. Returns where it ends. Units: points.
double draw_legend(Svg& svg, const Figure& figure, double top);

}  // namespace lingua
