// What devices store besides what they run: worked out by hand, against every storage of small problems,
// and what is refused.

#include "runtime/planner/overlap/secondary_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/predict/estimate.h"
#include "runtime/predict/plan_costs.h"
#include "runtime/report/secondary_report.h"
#include "tests/planner/overlap/all_storages.h"
#include "tests/planner/overlap/random_overlap.h"
#include "tests/planner/problem.h"

namespace lingua {
namespace {

using testing::AllStorages;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Instance;
using ::testing::IsEmpty;
using testing::Paths;
using testing::Problem;

constexpr double kTolerance = 1e-8;  // relative

using Stored = std::vector<SegmentId>;

// A runs segments 0 and 1, B segment 2.
Plan two_stages(const PlanRequest& request) {
  Plan plan;
  plan.stages = {{"A", 0, 1, {}}, {"B", 2, 2, {}}};
  plan.transfers = transfers_of(*request.segmentation, plan.stages);
  plan.estimate = estimate(plan, *request.segmentation, *request.cluster, request.workload);
  return plan;
}

SecondaryPlan plan_by_hand(const Problem& problem, const SecondaryOptions& options = {},
                           const PlanRules& rules = {}) {
  PlanRequest request = problem.request();
  request.rules = rules;
  return secondary_plan(two_stages(request), request, options);
}

// The prompt has 10 tokens and one more follows: 11 tokens in 2 steps. A computes segments 0 and 1 in
// 2.2 s and 4.4 s, B segments 1 and 2 in 2.2 s and 0.55 s. The message before segment 2 has 600 bytes
// a token and 52 a step: 20 ms + 6.704 ms; that before segment 1 has 1000 and 40: 20 ms + 11.08 ms; the
// answer has 26 and takes 80.052 ms.
TEST(SecondaryPlan, StoresTheSegmentThatASlowNeighbourWouldHandOver) {
  const SecondaryPlan secondary = plan_by_hand({});
  EXPECT_TRUE(secondary.proven);
  EXPECT_THAT(secondary.stored_segments, ElementsAre(IsEmpty(), ElementsAre(1)));
  EXPECT_THAT(secondary.stored_bytes, ElementsAre(0, 8000));
  ASSERT_EQ(secondary.scenarios.size(), 2U);
  const ScenarioOutcome& a = secondary.scenarios[0];
  EXPECT_EQ(a.slow_down.device, "A");
  EXPECT_EQ(a.slow_down.probability, 0.5);
  EXPECT_NEAR(a.unchanged, 13.2 + 0.026704 + 0.55 + 0.080052, 1e-9);
  EXPECT_NEAR(a.reachable, 4.4 + 0.03108 + 2.75 + 0.080052, 1e-9);
  EXPECT_THAT(a.first_segments, ElementsAre(0, 1));
  EXPECT_EQ(a.unlimited, a.reachable);
  const ScenarioOutcome& b = secondary.scenarios[1];
  EXPECT_NEAR(b.unchanged, 6.6 + 0.026704 + 1.1 + 0.080052, 1e-9);
  EXPECT_EQ(b.reachable, b.unchanged) << "B keeps its only segment";
  EXPECT_THAT(b.first_segments, ElementsAre(0, 2));
  EXPECT_NEAR(secondary.expected_gain, (13.856756 - 7.261132) / 2, 1e-9);
}

// B would hold weights of 40,000 bytes, states of 9,600 and activations of 22,000.
TEST(SecondaryPlan, StoresNothingThatCouldNotRunThere) {
  Problem problem;
  problem.cluster.devices[1].memory_bytes = 71'600;
  EXPECT_THAT(plan_by_hand(problem).stored_segments[1], ElementsAre(1));
  problem.cluster.devices[1].memory_bytes = 71'599;
  const SecondaryPlan secondary = plan_by_hand(problem);
  EXPECT_TRUE(secondary.proven);
  EXPECT_EQ(secondary.total_bytes(), 0);
  EXPECT_EQ(secondary.expected_gain, 0);
}

TEST(SecondaryPlan, LeavesTheHeaderWhatItKeeps) {
  EXPECT_EQ(plan_by_hand({}, {}, {.header_keeps = 2}).expected_gain, 0);
}

TEST(SecondaryPlan, LeavesAHeaderAtBothEndsItsLastStage) {
  const Problem problem;
  PlanRequest request = problem.request();
  Plan plan;
  plan.stages = {{"A", 0, 0, {}}, {"B", 1, 1, {}}, {"A", 2, 2, {}}};
  plan.transfers = transfers_of(problem.segmentation, plan.stages);
  SecondaryOptions options;
  options.rule = OverlapRule::kBytes;
  const SecondaryPlan secondary = secondary_plan(plan, request, options);
  EXPECT_THAT(secondary.stored_segments, ElementsAre(ElementsAre(1), ElementsAre(0), IsEmpty()));
  EXPECT_EQ(secondary.scenarios.size(), 2U) << "one for each device";
  for (const ScenarioOutcome& outcome : secondary.scenarios)
    EXPECT_EQ(outcome.first_segments.back(), 2);
}

// Segment 1 could move to B, but for what it is given.
TEST(SecondaryPlan, LeavesAHeaderAtBothEndsWhatIsGivenAToken) {
  for (bool given : {false, true}) {
    Instance instance = testing::random_instance(1, Paths::kChain, 5);
    Rng rng(1);
    instance.segmentation = testing::random_segmentation(4, Paths::kChain, rng);
    for (DeviceSpec& device : instance.cluster.devices) device.memory_bytes = 1e12;
    if (given) {
      auto& segments = instance.segmentation.segments;
      segments[1].inputs.push_back(instance.segmentation.model_inputs[0]);
    }
    const PlanRequest request = instance.request(Objective::kLatency);
    const DeviceName header = instance.cluster.header.empty() ? instance.cluster.devices[0].name
                                                              : instance.cluster.header;
    const DeviceName other = instance.cluster.devices[header == "phone0" ? 1 : 0].name;
    Plan plan;
    plan.stages = {{header, 0, 1, {}}, {other, 2, 2, {}}, {header, 3, 3, {}}};
    plan.transfers = transfers_of(instance.segmentation, plan.stages);
    SecondaryOptions options;
    options.slow_downs = {{header, 1000, 1}};
    const SecondaryPlan secondary = secondary_plan(plan, request, options);
    EXPECT_EQ(secondary.scenarios[0].first_segments[1], given ? 2 : 1);
  }
}

TEST(SecondaryPlan, WeighsTheScenariosThatItIsGiven) {
  SecondaryOptions options;
  options.slow_downs = {{"A", 2, 3}, {"B", 3, 0}, {"C", 2, 1}};
  const SecondaryPlan secondary = plan_by_hand({}, options);
  ASSERT_EQ(secondary.scenarios.size(), 3U);
  EXPECT_EQ(secondary.scenarios[0].slow_down.probability, 0.75);
  EXPECT_EQ(secondary.scenarios[1].slow_down.probability, 0);
  EXPECT_NEAR(secondary.scenarios[2].gain(), 7.256756 - 5.061132, 1e-9) << "C runs nothing";
  EXPECT_NEAR(secondary.expected_gain, 0.75 * (13.856756 - 7.261132) + 0.25 * (7.256756 - 5.061132),
              1e-9);
}

// Bytes twice: segment 1 on B (8,000), or segment 2 on A: 12,000, as A has the tied weight already.
TEST(SecondaryPlan, ByBytesStoresAsMuchAsFits) {
  Problem problem;
  SecondaryOptions options;
  options.rule = OverlapRule::kBytes;
  SecondaryPlan secondary = plan_by_hand(problem, options);
  EXPECT_THAT(secondary.stored_segments, ElementsAre(ElementsAre(2), ElementsAre(0, 1)));
  EXPECT_THAT(secondary.stored_bytes, ElementsAre(12'000, 12'000)) << "w0 and w1; tied is there";
  problem.cluster.devices[1].memory_bytes = 50'000;
  secondary = plan_by_hand(problem, options);
  EXPECT_THAT(secondary.stored_segments, ElementsAre(ElementsAre(2), IsEmpty()));
}

TEST(SecondaryPlan, OfOneStageIsEmpty) {
  const Problem problem;
  Plan plan;
  plan.stages = {{"A", 0, 2, {}}};
  for (OverlapRule rule : {OverlapRule::kGain, OverlapRule::kBytes}) {
    const SecondaryPlan secondary = secondary_plan(plan, problem.request(), {rule, {}});
    EXPECT_THAT(secondary.stored_segments, ElementsAre(IsEmpty()));
    EXPECT_EQ(secondary.expected_gain, 0);
    EXPECT_TRUE(secondary.proven);
  }
}

TEST(SecondaryPlan, IsAppliedToThePlanAndItsMemory) {
  const Problem problem;
  const PlanRequest request = problem.request();
  Plan plan = two_stages(request);
  const double before = plan.estimate.stages[1].weights_bytes;
  apply_secondary(plan_by_hand(problem), request, &plan);
  check_plan(plan, problem.segmentation, problem.cluster, problem.workload);
  EXPECT_EQ(plan.estimate.stages[1].weights_bytes, before + 8000);
  const Estimate renewed = estimate(plan, problem.segmentation, problem.cluster, problem.workload);
  EXPECT_EQ(plan.estimate.stages[1].weights_bytes, renewed.stages[1].weights_bytes);
  const Plan read = plan_from_json(plan_to_json(plan), "plan.json");
  EXPECT_THAT(read.stages[1].stored_segments, ElementsAre(1));
}

TEST(SecondaryPlan, IsShownAndWritten) {
  const Problem problem;
  const Plan plan = two_stages(problem.request());
  const SecondaryPlan secondary = plan_by_hand(problem);
  const std::string table = secondary_table(secondary, plan);
  EXPECT_THAT(table, HasSubstr("8.00 kB  also 1\n"));
  EXPECT_THAT(table, HasSubstr("13.9 s"));
  EXPECT_THAT(table, HasSubstr("7.26 s"));
  const auto json = secondary_to_json(secondary, plan);
  EXPECT_EQ(json["stages"][1]["stored_segments"], nlohmann::json({1}));
  EXPECT_EQ(json["scenarios"][0]["gain"].get<double>(), secondary.scenarios[0].gain());
  EXPECT_EQ(json["proven"], true);
}

std::string why_refused(const std::vector<SlowDown>& slow_downs) {
  try {
    plan_by_hand({}, {OverlapRule::kGain, slow_downs});
  } catch (const UsageError& error) {
    return error.what();
  }
  return "it has a plan";
}

TEST(SecondaryPlan, RefusesScenariosThatMakeNoSense) {
  EXPECT_THAT(why_refused({{"Z", 2, 1}}), HasSubstr("'Z' is no device of cluster 'three'"));
  EXPECT_THAT(why_refused({{"A", 0, 1}}), HasSubstr("factor 0"));
  EXPECT_THAT(why_refused({{"A", -1, 1}}), HasSubstr("factor -1"));
  EXPECT_THAT(why_refused({{"A", std::nan(""), 1}}), HasSubstr("factor nan"));
  EXPECT_THAT(why_refused({{"A", 2, -0.5}}), HasSubstr("probability -0.5"));
  EXPECT_THAT(why_refused({{"A", 2, 0}, {"B", 2, 0}}), HasSubstr("sum to 0"));
  EXPECT_THROW(parse_overlap_rule("some"), UsageError);
}

TEST(SlowDown, IsReadFromText) {
  const SlowDown plain = parse_slow_down("phone-1=1.5");
  EXPECT_EQ(plain.device, "phone-1");
  EXPECT_EQ(plain.factor, 1.5);
  EXPECT_EQ(plain.probability, 1);
  EXPECT_EQ(parse_slow_down("a=b:c=4:0.25").device, "a=b:c");
  EXPECT_EQ(parse_slow_down("a=4:0.25").probability, 0.25);
  for (const char* text : {"", "a", "=2", "a=", "a=x", "a=2:", "a=2:y", "a=2:1:1", "a=2 "}) {
    EXPECT_THROW(parse_slow_down(text), UsageError) << text;
  }
}

// What must hold of every secondary plan.
void expect_sound(const Plan& plan, const PlanRequest& request, const SecondaryPlan& secondary) {
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    for (SegmentId id : secondary.stored_segments[s]) {
      EXPECT_TRUE(
          (s > 0 && id >= plan.stages[s - 1].first_segment && id < plan.stages[s].first_segment) ||
          (s + 1 < plan.stages.size() && id > plan.stages[s].last_segment &&
           id <= plan.stages[s + 1].last_segment))
          << "segment " << id << " is of no neighbour of stage " << s;
    }
  }
  Plan stored = plan;
  apply_secondary(secondary, request, &stored);
  check_plan(stored, *request.segmentation, *request.cluster, request.workload);
  for (const ScenarioOutcome& outcome : secondary.scenarios) {
    EXPECT_GE(outcome.gain(), 0);
    EXPECT_LE(outcome.unlimited, outcome.reachable);
    Plan moved = testing::moved(stored, outcome.first_segments);  // nothing new is stored
    moved.transfers = transfers_of(*request.segmentation, moved.stages);
    check_plan(moved, *request.segmentation, *request.cluster, request.workload);
  }
}

struct Tally {
  int planned = 0;
  int proven = 0;
  int gaining = 0;           // where some storage gains
  int memory = 0;            // and not as much as with unlimited storage
  int more_bytes = 0;        // than the fewest that give the best gain
  int poor = 0;              // where less than 0.4 of the best gain is found
  double sum_of_shares = 0;  // of the best gain, where some storage gains
  double mean_share() const { return sum_of_shares / gaining; }
};

Tally compare_gain(Objective objective, Paths paths, int instances, int most_nodes) {
  Tally tally;
  for (int seed = 1; seed <= instances; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Instance instance = testing::random_instance(seed, paths, 9);
    Rng rng(seed);
    instance.rules.header_keeps = 1 + static_cast<int>(rng.below(2));
    instance.rules.header_keeps_last = seed % 5 == 0 ? 1 : 0;
    const PlanRequest request = instance.request(objective);
    const Plan plan = testing::random_chain(request, rng);
    if (seed % 2 == 0) testing::make_storage_matter(plan, rng, &instance);
    if (plan.stages.empty()) continue;
    if (seed % 3 == 0) instance.cluster.shared_bytes_per_s = rng.uniform(1e5, 1e6);
    SecondaryOptions options;
    options.slow_downs = testing::random_slow_downs(plan, rng);
    options.most_nodes = most_nodes;
    const SecondaryPlan secondary = secondary_plan(plan, request, options);
    expect_sound(plan, request, secondary);
    const AllStorages truth(plan, request, secondary.scenarios);
    const double scale = truth.expected_unchanged();
    EXPECT_LE(secondary.expected_gain, truth.best_gain() + kTolerance * scale);
    EXPECT_GE(secondary.gain_bound, truth.best_gain() - kTolerance * scale);
    if (secondary.proven) {
      EXPECT_NEAR(secondary.expected_gain, truth.best_gain(), kTolerance * scale);
      EXPECT_GE(secondary.total_bytes(), truth.best_gain_bytes());
      ++tally.proven;
    }
    for (std::size_t i = 0; i < secondary.scenarios.size(); ++i) {
      EXPECT_NEAR(secondary.scenarios[i].unlimited, truth.unlimited(i), kTolerance * scale);
    }
    ++tally.planned;
    if (truth.best_gain() < kTolerance * scale) continue;
    ++tally.gaining;
    if (secondary.total_bytes() > truth.best_gain_bytes()) ++tally.more_bytes;
    const double share = secondary.expected_gain / truth.best_gain();
    tally.sum_of_shares += share;
    if (share < 0.4) ++tally.poor;
    if (truth.best_gain() < truth.unlimited_gain() - kTolerance * scale) ++tally.memory;
  }
  return tally;
}

class GainRule : public ::testing::TestWithParam<std::tuple<Objective, Paths>> {};

TEST_P(GainRule, FindsTheBestOfAllStorages) {
  const auto& [objective, paths] = GetParam();
  const Tally tally = compare_gain(objective, paths, 2000, SecondaryOptions{}.most_nodes);
  EXPECT_EQ(tally.proven, tally.planned);
  EXPECT_GE(tally.gaining, 500);
  EXPECT_GE(tally.memory, 100) << "cases in which memory binds";
  EXPECT_LE(tally.more_bytes, tally.gaining / 50);
  RecordProperty("more_bytes", tally.more_bytes);
}

TEST_P(GainRule, IsNearTheBestWithTheHeuristicAlone) {
  const auto& [objective, paths] = GetParam();
  const Tally tally = compare_gain(objective, paths, 2000, 0);
  EXPECT_GE(tally.mean_share(), 0.995);
  EXPECT_LE(tally.poor, tally.gaining / 500);
  RecordProperty("poor", tally.poor);
  EXPECT_GE(tally.planned - tally.proven, 20) << "cases that only the search of nodes proves";
  RecordProperty("mean_share", fmt::format("{}", tally.mean_share()));
  RecordProperty("unproven", tally.planned - tally.proven);
}

INSTANTIATE_TEST_SUITE_P(Objectives, GainRule,
                         ::testing::Combine(::testing::Values(Objective::kLatency,
                                                              Objective::kThroughput,
                                                              Objective{.ttft = 1, .energy = 0.2}),
                                            ::testing::Values(Paths::kChain, Paths::kResidual)));

TEST(SecondaryPlan, RefusesToWeighThroughputAgainstOtherGoals) {
  const Instance instance = testing::random_instance(3, Paths::kChain);
  const PlanRequest request = instance.request({.latency = 1, .throughput = 1});
  EXPECT_THROW(secondary_plan(make_plan("dp", request), request, {}), UsageError);
}

TEST(SecondaryPlan, OutOfTimeIsNotCalledProven) {
  const Instance instance = testing::large_instance(62, 8, 0.3);
  PlanRequest request = instance.request(Objective::kThroughput);
  const Plan plan = testing::even_chain(request);
  const SecondaryPlan best = secondary_plan(plan, request, {});
  ASSERT_TRUE(best.proven);
  request.time_limit_s = 1e-9;
  const SecondaryPlan hasty = secondary_plan(plan, request, {});
  expect_sound(plan, request, hasty);
  EXPECT_FALSE(hasty.proven);
  EXPECT_LT(hasty.expected_gain, best.expected_gain);
  EXPECT_GE(hasty.gain_bound, best.expected_gain);
}

TEST(SecondaryPlan, IsProvenFor62SegmentsOnEightDevices) {
  for (Objective objective : {Objective::kLatency, Objective::kThroughput}) {
    for (double spare : {0.1, 0.3, 1.0}) {
      const Instance instance = testing::large_instance(62, 8, spare);
      const PlanRequest request = instance.request(objective);
      const Plan plan = testing::even_chain(request);
      const SecondaryPlan secondary = secondary_plan(plan, request, {});
      expect_sound(plan, request, secondary);
      EXPECT_TRUE(secondary.proven);
      EXPECT_GT(secondary.expected_gain, 0);
    }
  }
}

TEST(BytesRule, FindsTheMostBytesOfAllStorages) {
  int planned = 0;
  int less_than_all = 0;
  for (int seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Instance instance = testing::random_instance(seed, Paths::kChain);
    const PlanRequest request = instance.request(Objective::kLatency);
    Rng rng(seed);
    const Plan plan = testing::random_chain(request, rng);
    if (seed % 2 == 0) testing::make_storage_matter(plan, rng, &instance);
    if (plan.stages.empty()) continue;
    const SecondaryPlan secondary = secondary_plan(plan, request, {OverlapRule::kBytes, {}});
    expect_sound(plan, request, secondary);
    const AllStorages truth(plan, request, secondary.scenarios);
    EXPECT_EQ(secondary.total_bytes(), truth.most_bytes());
    std::vector<int> copies(instance.segmentation.segments.size(), 1);
    for (const auto& stored : secondary.stored_segments) {
      for (SegmentId id : stored) ++copies[id];
    }
    EXPECT_LE(*std::max_element(copies.begin(), copies.end()), 2);
    ++planned;
    if (*std::min_element(copies.begin(), copies.end()) < 2) ++less_than_all;
  }
  EXPECT_GE(planned, 100);
  EXPECT_GE(less_than_all, 20) << "cases in which memory binds";
}

}  // namespace
}  // namespace lingua
