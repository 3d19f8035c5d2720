#pragma once
// Where an axis has its marks and what stands beside them.
//
// Units: those of the axis.

#include <string>
#include <vector>

namespace lingua {

// 1, 2 or 5 times a power of ten, near `step`. REQUIRES: step > 0.
double round_step(double step);

// Multiples of a round step within low..high, at most some `most`. REQUIRES: low < high, most >= 2.
std::vector<double> linear_ticks(double low, double high, int most);

// Powers of ten, 2 and 5 times them where they are few, or as linear_ticks where it is less than a third of a
// decade. REQUIRES: 0 < low < high, most >= 2.
std::vector<double> log_ticks(double low, double high, int most);

// Multiples of powers of ten within low..high, for short marks without numbers between the others.
// REQUIRES: 0 < low < high.
std::vector<double> log_marks(double low, double high);

// All with the same number of decimals where the steps are equal, as each needs them elsewhere; from 100,000
// on with k, M, G or T.
std::vector<std::string> tick_texts(const std::vector<double>& ticks);

}  // namespace lingua
