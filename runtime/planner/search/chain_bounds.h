#pragma once
// The relaxation that every search of chains prunes with: chains on which a device may stand twice.

#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// Values closer than this, relatively, are the same.
inline constexpr double kSameValue = 1e-9;

// Lower bounds on what remains from a segment that starts on a device, with devices used freely.
class ChainBounds {
 public:
  ChainBounds(const PlanCosts& costs, int header, double busiest);

  const Price& price(int segment, int device) const { return price_[at(segment, device)]; }
  // Of a whole chain that begins on the header.
  double value() const { return price(0, header_).value(); }

 private:
  std::size_t at(int segment, int device) const {
    return static_cast<std::size_t>(segment) * costs_->devices() + device;
  }
  void fill(int segment, int device, double busiest);

  const PlanCosts* costs_;
  int header_;
  std::vector<Price> price_;
};

// The headers that a plan may have.
std::vector<int> possible_headers(const PlanCosts& costs);

}  // namespace lingua
