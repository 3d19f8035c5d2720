#pragma once
// Sums over all steps of a request, without evaluating every one of a long generation.
//
// Accuracy: exact to rounding where the quantity is quadratic in the step's number, and halved
// towards each kink (a roofline's, a longest path's) where it is quadratic in pieces. A piece that
// lies between all five points sampled on a range can be missed.

#include <functional>
#include <vector>

#include "runtime/plan/plan.h"

namespace lingua {

// REQUIRES: steps are those of steps_of.
double sum_over_steps(const std::vector<Step>& steps, const std::function<double(const Step&)>& f);

}  // namespace lingua
