#pragma once
// Blocks that came over a link one behind the other, and how fast that was.
//
// Units: seconds, bytes, bytes/s. What comes first is left out: buffers on the way let it pass at once.

#include <vector>

namespace lingua {

struct Arrivals {
  std::vector<double> times_s;  // never less than the one before
  double message_bytes = 0;     // of each

  double lasts() const;  // from the first to the last
  double rate() const;
  std::vector<double> rates() const;  // of parts of the time, to see how far they lie apart
  double gap() const;                 // between two, in the mean
};

// What all together carried in the time in which all were under way; 0 where there is none.
double rate_together(const std::vector<Arrivals>& all);

}  // namespace lingua
