// In a process of its own, for its peak of memory counts.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "runtime/sweep/points.h"

namespace lingua {
namespace {

long peak_kb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(SweepPoints, AMillionTakeNoMoreMemoryThanAThousand) {
  const SweepPoints points(
      parse_sweep("base: {model: toy}\naxes: {seed: 1..500000, planner: [even, dp]}\n"
                  "exclude: ['seed % 1000 == 0']\n",
                  "sweep.yaml"));
  const auto visit = [&](std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t number = from; number < to; number += 9) {
      const SweepPoint point = points.at(number);
      ASSERT_EQ(point.settings["seed"], number / 2 + 1);
      points.is_excluded(point);
      configuration_of("simulate", point.settings, nullptr);
    }
  };
  visit(0, 1000);
  const long before = peak_kb();
  visit(1000, points.size());
  EXPECT_EQ(points.size(), 1'000'000u);
  EXPECT_LT(peak_kb() - before, 2000);
}

}  // namespace
}  // namespace lingua
