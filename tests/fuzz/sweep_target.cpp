#include <set>

#include "runtime/base/errors.h"
#include "runtime/sweep/points.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

// What is taken can be gone through, from its ends too, and each point is another one.
void run(const std::string& bytes) {
  const SweepPoints points(parse_sweep(bytes, "fuzzed.yaml"));
  LINGUA_CHECK(points.size() >= 1 && points.size() <= kMostSweepPoints, "{}", points.size());
  points.spec().digest();
  std::set<std::string> ids;
  const std::uint64_t most = std::min<std::uint64_t>(points.size(), 20);
  for (std::uint64_t i = 0; i < most; ++i) {
    const SweepPoint point = points.at(i);
    ids.insert(configuration_of(points.spec().what, point.settings, nullptr).id);
    points.is_excluded(point);
  }
  LINGUA_CHECK(ids.size() == most, "{} ids of {} points", ids.size(), most);
  points.at(points.size() - 1);
}

std::vector<std::string> samples() {
  return {
      "name: all\nwhat: plan\nbase: {model: toy, supply: [a, b], deep: true, share: 0.5}\n"
      "axes:\n  planner: [even, \"dp\", 'cbc']\n  seed: [7, 10..20, 1.5]\n"
      "  phones:\n    - {cluster: a.yaml, in-flight: 3}\n    - &b {cluster: b.yaml}\n"
      "exclude:\n  - 'planner == \"even\" and in_flight is none'\n  - seed in [7, 11] or deep is "
      "false\n"
      "keep: [latency, tokens_per_s]\n",
      "axes: {seed: 1..10000000}\n",
      "axes: [{a: &x [1, 2]}, {b: *x}, {c-d: -5..5}]\nexclude: ['c_d < a * b ** 2']\n",
  };
}

}  // namespace

FuzzTarget sweep_target() { return {"sweep", run, samples}; }

}  // namespace lingua::testing
