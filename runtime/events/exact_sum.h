#pragma once
// A sum that does not depend on the order of what is added.
//
// Each number counts as a whole multiple of 2^-kBits, to which it is rounded towards 0, so that nothing is
// rounded in adding. REQUIRES: numbers are finite, and the sum of their sizes is below 2^(126 - kBits).

#include <cstdint>

namespace lingua {

template <int kBits>
class ExactSum {
 public:
  void add(double number) { sum_ += static_cast<Wide>(number * kOne); }
  double value() const { return static_cast<double>(sum_) / kOne; }

 private:
  static constexpr auto kOne = static_cast<double>(std::uint64_t{1} << kBits);
  __extension__ using Wide = __int128;
  Wide sum_ = 0;
};

}  // namespace lingua
