#include "runtime/planner/study/robust.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/base/errors.h"
#include "runtime/predict/estimate.h"
#include "runtime/report/spread_report.h"
#include "tests/plan/hand_model.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using testing::hand_cluster;
using testing::hand_model;
using testing::hand_plan;
using testing::hand_workload;

TEST(Perturbed, ChangesEverySpeedByUpToTheShareAndNothingElse) {
  ClusterSpec cluster = hand_cluster();
  cluster.shared_bytes_per_s = 1e6;
  const Variants variants = perturbed(cluster, 0.1, 50, 7);
  ASSERT_EQ(variants.clusters.size(), 50U);
  std::set<double> factors;
  for (const ClusterSpec& other : variants.clusters) {
    for (std::size_t d = 0; d < cluster.devices.size(); ++d) {
      const double factor = other.devices[d].flops_per_s / cluster.devices[d].flops_per_s;
      EXPECT_NEAR(other.devices[d].memory_bytes_per_s / cluster.devices[d].memory_bytes_per_s,
                  factor, 1e-12);
      EXPECT_EQ(other.devices[d].memory_bytes, cluster.devices[d].memory_bytes);
      factors.insert(factor);
    }
    for (const auto& [ends, link] : cluster.links) {
      factors.insert(other.links.at(ends).bytes_per_s / link.bytes_per_s);
      EXPECT_EQ(other.links.at(ends).latency, link.latency);
    }
    factors.insert(other.default_link.bytes_per_s / cluster.default_link.bytes_per_s);
    factors.insert(other.shared_bytes_per_s / cluster.shared_bytes_per_s);
  }
  EXPECT_EQ(factors.size(), 50 * (cluster.devices.size() + cluster.links.size() + 2));
  EXPECT_GE(*factors.begin(), 0.9);
  EXPECT_LE(*factors.rbegin(), 1.1);
  EXPECT_LT(*factors.begin(), 0.905);
  EXPECT_GT(*factors.rbegin(), 1.095);
  EXPECT_EQ(perturbed(cluster, 0.1, 50, 7).clusters[49].devices[0].flops_per_s,
            variants.clusters[49].devices[0].flops_per_s);
  EXPECT_NE(perturbed(cluster, 0.1, 50, 8).clusters[49].devices[0].flops_per_s,
            variants.clusters[49].devices[0].flops_per_s);
}

// numpy.percentile([1, 2, 3, 4, 10], [5, 50, 95]) is 1.2, 3, 8.8.
TEST(Percentiles, AreThoseOfNumpy) {
  const Percentiles values = percentiles_of({10, 1, 3, 2, 4});
  EXPECT_NEAR(values.p5, 1.2, 1e-12);
  EXPECT_NEAR(values.p50, 3, 1e-12);
  EXPECT_NEAR(values.p95, 8.8, 1e-12);
  EXPECT_NEAR(values.mean, 4, 1e-12);
}

double mean_value(const Plan& plan, const PlanRequest& request, const Variants& variants) {
  double sum = 0;
  for (const ClusterSpec& cluster : variants.clusters) {
    sum += objective_value(estimate(plan, *request.segmentation, cluster, request.workload),
                           request.objective);
  }
  return sum / static_cast<double>(variants.clusters.size());
}

TEST(PlanSpread, IsOfTheEstimatesOnTheClusters) {
  const ClusterSpec cluster = hand_cluster();
  const Segmentation model = hand_model();
  PlanRequest request;
  request.segmentation = &model;
  request.cluster = &cluster;
  request.workload = hand_workload();
  const Variants variants = perturbed(cluster, 0.2, 16, 1);
  const PlanSpread spread = spread_of(hand_plan(), request, variants);
  EXPECT_EQ(spread.draws, 16);
  EXPECT_NEAR(spread.latency_s.mean, mean_value(hand_plan(), request, variants), 1e-9);
  EXPECT_LT(spread.latency_s.p5, spread.latency_s.p50);
  EXPECT_LT(spread.tokens_per_s.p50, spread.tokens_per_s.p95);
  EXPECT_NE(spread_line(spread, "estimated").find("off by up to 20% (16 draws, estimated)"),
            std::string::npos);
}

class RobustPlans : public ::testing::TestWithParam<int> {};

// Brute force by the mean is the oracle: no plan has a lower one.
TEST_P(RobustPlans, AreForTheMeanOverTheDraws) {
  testing::Instance instance = testing::random_instance(GetParam(), testing::Paths::kChain, 5);
  instance.workload.in_flight = 3;
  instance.workload.requests = 9;
  PlanRequest request = instance.request(Objective::kThroughput);
  const Variants variants = perturbed(instance.cluster, 0.3, 6, GetParam());
  request.variants = &variants;
  Plan best;
  try {
    best = make_plan("bruteforce", request);
  } catch (const InfeasibleError&) {
    return;
  }
  const double least = mean_value(best, request, variants);
  const Plan robust = make_plan("dp", request);
  EXPECT_EQ(robust.optimality, Optimality::kHeuristic);
  EXPECT_LE(mean_value(robust, request, variants), least * 1.01);
  request.variants = nullptr;
  EXPECT_LE(mean_value(robust, request, variants),
            mean_value(make_plan("dp", request), request, variants) * (1 + 1e-9));
  EXPECT_GE(mean_value(make_plan("bruteforce", request), request, variants), least * (1 - 1e-9));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RobustPlans, ::testing::Range(1, 21));

}  // namespace
}  // namespace lingua
