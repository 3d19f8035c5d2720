#pragma once
// What each device did when, as a picture (SVG) for reports and papers: a row per device, a lane for each kind of
// work in it.
//
// Units: seconds since the run began; the picture's in points, as figures have them (figure.h).
// Determinism: the same events give the same text. It stands alone: no fonts, scripts or links.
// What is too short to be seen is drawn together with its neighbours, the lighter the less of the time it fills:
// 100,000 events make a picture no larger than some.

#include <string>
#include <vector>

#include "runtime/base/units.h"
#include "runtime/report/figure.h"

namespace lingua {

struct TimelineEvent {
  std::string device = {};  // or link
  std::string kind = {};    // "compute", "transfer", ...
  Seconds start{};
  Seconds end{};
};

struct TimelinePicture {
  std::string title = {};
  std::vector<TimelineEvent> events = {};  // in any order
  double width_pt = kPageWidthPt;
  double lane_pt = 7;
};

// Devices and kinds stand in the order in which they are named first.
// Errors: InputError where there is no event, or one does not last from a finite time to a later one (or none).
std::string timeline_svg(const TimelinePicture& picture);

}  // namespace lingua
