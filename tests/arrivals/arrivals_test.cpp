#include "runtime/arrivals/arrivals.h"

#include <gtest/gtest.h>

#include "runtime/arrivals/trace_file.h"
#include "runtime/base/errors.h"

namespace lingua {
namespace {

// Expected: Python's statistics.pstdev and numpy's linear percentile over the same rows.
TEST(TraceSummary, OfAzuresExcerptIsWhatPythonMakesOfIt) {
  const TraceSummary summary = summarise(read_trace(LINGUA_TRACES "/azure-2023-conversation.csv"));
  EXPECT_EQ(summary.requests, 300U);
  EXPECT_EQ(summary.first, Seconds(0));
  EXPECT_NEAR(summary.span.count(), 84.029102, 1e-9);
  EXPECT_NEAR(summary.rate_per_s.value(), 3.5582910311239555, 1e-12);
  EXPECT_NEAR(summary.gap_variation.value(), 1.4128595468521081, 1e-9);
  EXPECT_DOUBLE_EQ(summary.prompt_tokens.mean, 900);
  EXPECT_DOUBLE_EQ(summary.prompt_tokens.p50, 972);
  EXPECT_DOUBLE_EQ(summary.prompt_tokens.p99, 4085.03);
  EXPECT_EQ(summary.prompt_tokens.most, 4107);
  EXPECT_NEAR(summary.output_tokens.mean, 256.23333333333335, 1e-9);
  EXPECT_DOUBLE_EQ(summary.output_tokens.p50, 217);
  EXPECT_DOUBLE_EQ(summary.output_tokens.p99, 575.19);
  EXPECT_EQ(summary.output_tokens.most, 649);
}

TEST(TraceSummary, HasNoRateWhenAllComeAtOnce) {
  for (const std::vector<Arrival>& arrivals :
       {std::vector<Arrival>{{Seconds(3), 1, 2}},
        std::vector<Arrival>{{Seconds(3), 1, 2}, {Seconds(3), 5, 6}}}) {
    const TraceSummary summary = summarise({"", "", arrivals, 0});
    EXPECT_EQ(summary.requests, arrivals.size());
    EXPECT_EQ(summary.first, Seconds(3));
    EXPECT_EQ(summary.span, Seconds(0));
    EXPECT_FALSE(summary.rate_per_s || summary.gap_variation);
  }
}

TEST(TraceSummary, OfEvenGapsHasNoVariation) {
  const TraceSummary summary =
      summarise({"", "", {{Seconds(1), 1, 1}, {Seconds(3), 1, 1}, {Seconds(5), 1, 1}}, 0});
  EXPECT_EQ(summary.gap_variation, 0);
  EXPECT_EQ(summary.rate_per_s, 0.5);
}

TEST(ScaledTrace, KeepsTheFirstRequestsAndDividesTheirTimes) {
  const RequestTrace trace{
      "name", "source", {{Seconds(1), 2, 3}, {Seconds(4), 5, 6}, {Seconds(8), 9, 9}}, 0};
  const RequestTrace fast = scaled(trace, 2, 4);
  EXPECT_EQ(fast.arrivals, (std::vector<Arrival>{{Seconds(0.25), 2, 3}, {Seconds(1), 5, 6}}));
  EXPECT_EQ(fast.name, "name");
  EXPECT_EQ(scaled(trace, 100, 1).arrivals, trace.arrivals);
  EXPECT_THROW(scaled(trace, 1, 0), BugError);
}

}  // namespace
}  // namespace lingua
