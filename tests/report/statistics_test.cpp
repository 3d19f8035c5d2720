#include "runtime/report/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;

// scipy 1.17.1: scipy.stats.t.ppf(probability, degrees).
TEST(StudentT, IsThatOfScipy) {
  struct Case {
    double probability, degrees, t;
  };
  for (const Case& c : {
           Case{0.975, 1, 12.70620473617469},
           {0.975, 2, 4.302652729749462},
           {0.975, 4, 2.776445105197793},
           {0.975, 9, 2.262157162798205},
           {0.975, 29, 2.045229642132703},
           {0.975, 199, 1.971956544251753},
           {0.975, 10000, 1.960201239890626},
           {0.975, 1e6, 1.959966356814107},
           {0.95, 3, 2.353363434801823},
           {0.995, 5, 4.032142983555228},
           {0.9995, 2, 31.59905457644536},
           {0.6, 7, 0.2631668613520229},
           {0.975, 0.5, 164.5576734804882},
           {0.999999999, 3, 1033.109684243275},
       }) {
    EXPECT_NEAR(student_t_quantile(c.probability, c.degrees), c.t, 1e-8 * c.t)
        << c.probability << " with " << c.degrees;
    if (c.probability < 0.99) {  // beyond, 1 - probability is rounded
      EXPECT_NEAR(student_t_quantile(1 - c.probability, c.degrees), -c.t, 1e-8 * c.t);
    }
  }
  EXPECT_EQ(student_t_quantile(0.5, 3), 0);
}

TEST(StudentT, RefusesWhatIsNoProbability) {
  EXPECT_THROW(student_t_quantile(1, 3), BugError);
  EXPECT_THROW(student_t_quantile(0.9, 0), BugError);
}

// scipy.special.betainc(a, b, x).
TEST(IncompleteBeta, IsThatOfScipy) {
  struct Case {
    double a, b, x, value;
  };
  for (const Case& c : {
           Case{0.5, 0.5, 0.3, 0.3690101195655454},
           {2, 3, 0.4, 0.5248},
           {10, 0.5, 0.95, 0.317151575465545},
           {10, 0.5, 0.2, 1.994982493613096e-08},
           {1000, 0.5, 0.999, 0.1572472742667238},
           {0.5, 20, 0.01, 0.4713699354850154},
           {5, 5, 0.5, 0.5},
       }) {
    EXPECT_NEAR(incomplete_beta(c.a, c.b, c.x), c.value, 1e-11 * c.value)
        << c.a << ' ' << c.b << ' ' << c.x;
  }
  EXPECT_EQ(incomplete_beta(2, 3, 0), 0);
  EXPECT_EQ(incomplete_beta(2, 3, 1), 1);
}

// numpy: mean, std(ddof=1); half the interval is t.ppf(0.975, 4) * std / sqrt(5).
TEST(Summarise, GivesMeanDeviationAndInterval) {
  const Summary summary = summarise({9.57968, 9.02985, 8.50852, 8.54005, 9.08969});
  EXPECT_EQ(summary.count, 5U);
  EXPECT_NEAR(summary.mean, 8.949558, 1e-12);
  EXPECT_NEAR(summary.deviation.value(), 0.44309954781064664, 1e-12);
  EXPECT_NEAR(summary.half_interval.value(), 0.5501807561368475, 1e-9);
}

TEST(Summarise, SaysNothingOfTheSpreadOfOneValue) {
  const Summary summary = summarise({3.5});
  EXPECT_EQ(summary.mean, 3.5);
  EXPECT_FALSE(summary.deviation.has_value());
  EXPECT_FALSE(summary.half_interval.has_value());
  EXPECT_THROW(summarise({}), BugError);
}

TEST(Summarise, KeepsLargeValuesWithSmallDifferences) {
  const Summary summary = summarise({1e15 + 1, 1e15 + 2, 1e15 + 3});
  EXPECT_NEAR(summary.deviation.value(), 1, 0.2);
  EXPECT_EQ(summarise({7, 7, 7}).half_interval.value(), 0);
}

// numpy.percentile([1, 2, 3, 4, 5, 6, 7, 50], [25, 50, 75]) is 2.75, 4.5, 6.25: whiskers reach to -2.5 and 11.5.
TEST(BoxOf, HasQuartilesWhiskersAndOutliers) {
  const Box box = box_of({50, 4, 3, 2, 1, 5, 6, 7});
  EXPECT_EQ(box.first_quartile, 2.75);
  EXPECT_EQ(box.median, 4.5);
  EXPECT_EQ(box.third_quartile, 6.25);
  EXPECT_EQ(box.low, 1);
  EXPECT_EQ(box.high, 7);
  EXPECT_THAT(box.outliers, ElementsAre(50));
  const Box one = box_of({2});
  EXPECT_EQ(one.low, 2);
  EXPECT_EQ(one.median, 2);
  EXPECT_EQ(one.high, 2);
}

}  // namespace
}  // namespace lingua
