#include "runtime/measure/arrivals.h"

#include <algorithm>
#include <limits>

namespace lingua {
namespace {

constexpr double kShortest_s = 1e-6;  // that clocks tell apart
constexpr std::size_t kParts = 4;

std::size_t first_of(const Arrivals& arrivals) { return arrivals.times_s.size() / 4; }

double rate_between(const Arrivals& arrivals, std::size_t first, std::size_t last) {
  const double time_s = std::max(kShortest_s, arrivals.times_s[last] - arrivals.times_s[first]);
  return static_cast<double>(last - first) * arrivals.message_bytes / time_s;
}

}  // namespace

double Arrivals::lasts() const { return times_s.back() - times_s.front(); }

double Arrivals::rate() const { return rate_between(*this, first_of(*this), times_s.size() - 1); }

std::vector<double> Arrivals::rates() const {
  std::vector<double> rates;
  const std::size_t first = first_of(*this);
  const std::size_t each = (times_s.size() - 1 - first) / kParts;
  for (std::size_t part = 0; part < kParts && each > 0; ++part)
    rates.push_back(rate_between(*this, first + part * each, first + (part + 1) * each));
  return rates;
}

double Arrivals::gap() const { return message_bytes / rate(); }

double rate_together(const std::vector<Arrivals>& all) {
  double begin = 0;
  double end = std::numeric_limits<double>::infinity();
  for (const Arrivals& one : all) {
    begin = std::max(begin, one.times_s[first_of(one)]);
    end = std::min(end, one.times_s.back());
  }
  double rate = 0;
  for (const Arrivals& one : all) {
    const auto first = std::lower_bound(one.times_s.begin(), one.times_s.end(), begin);
    const auto last = std::upper_bound(one.times_s.begin(), one.times_s.end(), end);
    if (last - first < 2) return 0;
    rate += rate_between(one, static_cast<std::size_t>(first - one.times_s.begin()),
                         static_cast<std::size_t>(last - one.times_s.begin()) - 1);
  }
  return rate;
}

}  // namespace lingua
