#pragma once
// Results to draw in tests: what a sweep gives, with and without what makes trouble.

#include "runtime/report/figure.h"
#include "runtime/report/result_page.h"

namespace lingua::testing {

// Four planners, one to eight phones, three links, five seeds; five points fail. Each has a timeline.
ResultTable planners_sweep();

// 10,000 points: 12 series, 20 x values, 8 results.
ResultTable large_sweep();

// Three points whose names hold what a page, a picture, a shell or a terminal would obey.
ResultTable hostile_results();
inline constexpr const char* kHostile =
    "</script><script>window.broken = 1</script><!-- <script>\"'&<b>{{data}} \x1b[31m \xe2\x80\xae "
    "\xff $(x) `y`";

struct NamedFigure {
  std::string name;
  Figure figure;
};

// All kinds, from 3 points to 10,000, with long names, 12 series, logarithmic axes, published ranges.
std::vector<NamedFigure> example_figures();

}  // namespace lingua::testing
