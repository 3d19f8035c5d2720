// Pins, exclusions and privacy: what they do and what is said when they cannot be kept.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/planner/study/explain.h"
#include "tests/planner/problem.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Problem;
using testing::stages_of;

Plan plan_by_rules(const Problem& problem, const PlanRules& rules,
                   const std::string& planner = "dp") {
  PlanRequest request = problem.request();
  request.rules = rules;
  return make_plan(planner, request);
}

template <typename Error>
std::string why_refused(const PlanRules& rules, const Problem& problem = {},
                        const std::string& planner = "dp") {
  try {
    plan_by_rules(problem, rules, planner);
  } catch (const Error& error) {
    return error.what();
  }
  return "it has a plan";
}

TEST(PlanRules, PinTheEndsOfThePipeline) {
  const Problem problem;
  EXPECT_THAT(stages_of(plan_by_rules(problem, {})), ElementsAre("B 0-2"));
  EXPECT_EQ(plan_by_rules(problem, {.header = "C"}).header(), "C");
  EXPECT_EQ(plan_by_rules(problem, {.tailer = "A"}).tailer(), "A");
  EXPECT_THAT(stages_of(plan_by_rules(problem, {.header = "A", .tailer = "A"})),
              ElementsAre("A 0-0", "B 1-1", "A 2-2"));
}

TEST(PlanRules, KeepTheLastSegmentsOnTheHeader) {
  const Problem problem;
  for (const char* planner : {"dp", "bruteforce", "even", "greedy", "random"}) {
    const Plan plan = plan_by_rules(problem, {.header = "C", .header_keeps_last = 1}, planner);
    EXPECT_EQ(plan.tailer(), "C") << planner;
    EXPECT_TRUE(plan.stages.size() == 1 || header_keeps_last(plan.stages) == 1) << planner;
  }
  EXPECT_THAT(stages_of(plan_by_rules(problem, {.header = "A", .header_keeps_last = 2})),
              ElementsAre("A 0-2"))
      << "nothing is left between";
  EXPECT_EQ(plan_by_rules(problem, {.tailer = "C", .header_keeps_last = 1}).header(), "C");
}

TEST(PlanRules, PinBothEndsOfAModelOfOneSegment) {
  Problem problem;
  problem.segmentation.segments.resize(1);
  problem.segmentation.model_outputs = {problem.segmentation.segments[0].outputs[0].value};
  EXPECT_THAT(stages_of(plan_by_rules(problem, {.header = "C", .tailer = "C"})),
              ElementsAre("C 0-0"));
}

TEST(PlanRules, KeepTokensOnTheHeader) {
  Problem problem;
  problem.segmentation.segments[1].inputs.push_back(problem.segmentation.model_inputs[0]);
  EXPECT_THAT(
      why_refused<InfeasibleError>({.header = "A", .header_keeps_last = 1}, problem, "even"),
      HasSubstr("the header keeps 1 segments, not 2"));
  EXPECT_THAT(stages_of(plan_by_rules(problem, {.header = "A", .header_keeps_last = 1})),
              ElementsAre("A 0-2"));
}

TEST(PlanRules, ThatContradictAHeaderAtBothEndsAreNamed) {
  EXPECT_THAT(why_refused<UsageError>({.header = "A", .tailer = "B", .header_keeps_last = 1}),
              HasSubstr("the header 'A' is to keep the last segments and 'B' is to be tailer"));
  for (int keeps : {-1, 3}) {
    EXPECT_THAT(why_refused<UsageError>({.header_keeps_last = keeps}),
                HasSubstr("the model has 3; write 0 to 2"));
  }
  Problem problem;
  problem.cluster.devices[0].memory_bytes = 60'000;
  EXPECT_THAT(why_refused<InfeasibleError>({.header = "A", .header_keeps_last = 1}, problem),
              HasSubstr("the header 'A' must run segments 0 to 0 and 2 to 2, which need"));
}

TEST(PlanRules, AHeaderOfTheRulesStandsBeforeThatOfTheCluster) {
  Problem problem;
  problem.cluster.header = "A";
  EXPECT_EQ(plan_by_rules(problem, {.header = "C"}).header(), "C");
}

TEST(PlanRules, KeepTheFirstSegmentsOnTheHeader) {
  const Problem problem;
  const Plan plan = plan_by_rules(problem, {.header = "A", .tailer = "B", .header_keeps = 2});
  EXPECT_THAT(stages_of(plan), ElementsAre("A 0-1", "B 2-2"));
}

TEST(PlanRules, LeaveOutWhatIsExcluded) {
  const Problem problem;
  EXPECT_THAT(stages_of(plan_by_rules(problem, {.excluded = {"B", "C"}})), ElementsAre("A 0-2"));
  PlanRequest request = problem.request();
  request.rules.excluded = {"B"};
  const Explanation explanation = explain(make_plan("dp", request), request);
  bool said = false;
  for (const IdleReason& idle : explanation.idle) {
    said = said || (idle.device == "B" && idle.why == "it is excluded");
  }
  EXPECT_TRUE(said);
}

TEST(PlanRules, ThatContradictEachOtherAreNamed) {
  EXPECT_THAT(why_refused<UsageError>({.excluded = {"A"}, .header = "A"}),
              HasSubstr("device 'A' is to be header and excluded"));
  EXPECT_THAT(why_refused<UsageError>({.excluded = {"C"}, .tailer = "C"}),
              HasSubstr("device 'C' is to be tailer and excluded"));
  Problem pinned;
  pinned.cluster.header = "A";
  EXPECT_THAT(why_refused<UsageError>({.excluded = {"A"}}, pinned),
              HasSubstr("device 'A' is to be header (by the cluster file) and excluded"));
  EXPECT_THAT(why_refused<UsageError>({.excluded = {"A", "B", "C"}}),
              HasSubstr("every device is excluded"));
}

TEST(PlanRules, ThatNameNothingAreRefused) {
  EXPECT_THAT(why_refused<UsageError>({.header = "Z"}),
              HasSubstr("header 'Z' is no device of cluster 'three'; write one of A B C"));
  EXPECT_THAT(why_refused<UsageError>({.tailer = "Z"}), HasSubstr("tailer 'Z'"));
  EXPECT_THAT(why_refused<UsageError>({.excluded = {"Z"}}),
              HasSubstr("excluded device 'Z' is no device of cluster 'three'; write one of A B C"));
  for (int keeps : {0, 4}) {
    EXPECT_THAT(why_refused<UsageError>({.header_keeps = keeps}),
                HasSubstr("the model has 3; write 1 to 3"));
  }
}

TEST(PlanRules, ThatMemoryForbidsAreExplained) {
  Problem problem;
  problem.cluster.devices[0].memory_bytes = 60'000;  // two segments need more
  EXPECT_THAT(why_refused<InfeasibleError>({.header = "A", .header_keeps = 2}, problem),
              HasSubstr("the header 'A' must run segments 0 to 1, which need"));
  problem.cluster.devices[0].memory_bytes = 10'000;
  EXPECT_THAT(why_refused<InfeasibleError>({.tailer = "A"}, problem),
              HasSubstr("the tailer 'A' must run segments 2 to 2, which need"));
}

// B computes all of a request in 3.85 s and so draws 11.55 J; 30 of its 100 J are left.
Problem problem_on_battery() {
  Problem problem;
  for (DeviceSpec& device : problem.cluster.devices) device.power_w = 3;
  problem.cluster.devices[1].battery_j = 100;
  problem.cluster.devices[1].charge = 0.3;
  return problem;
}

TEST(PlanRules, KeepTheBatteryAboveItsFloor) {
  const Problem problem = problem_on_battery();
  EXPECT_THAT(stages_of(plan_by_rules(problem, {.battery_floor = 0.18})), ElementsAre("B 0-2"));
  for (const PlannerEntry& entry : planners()) {
    if (!entry.proves) continue;
    const std::string planner = entry.name;
    const Plan plan = plan_by_rules(problem, {.battery_floor = 0.2}, planner);
    for (const Stage& stage : plan.stages) {
      EXPECT_FALSE(stage.device == "B" && stage.last_segment - stage.first_segment == 2) << planner;
    }
  }
  Problem twice = problem;
  twice.workload.requests = 2;
  EXPECT_NE(stages_of(plan_by_rules(twice, {.battery_floor = 0.18})),
            stages_of(plan_by_rules(twice, {})));
  EXPECT_EQ(plan_by_rules(problem, {.excluded = {"A"}, .battery_floor = 0.35}).stages[0].device,
            "C");
}

TEST(PlanRules, SayWhichBatteryForbidsAPlan) {
  Problem problem = problem_on_battery();
  for (DeviceSpec& device : problem.cluster.devices) {
    device.battery_j = 100;
    device.charge = 0.25;
  }
  EXPECT_THAT(why_refused<InfeasibleError>({.battery_floor = 0.2}, problem),
              HasSubstr("no plan leaves every battery at 20.0% or more; of 3 segments could run at "
                        "most: A 1, B 1, C 1"));
  EXPECT_THAT(why_refused<InfeasibleError>({.header = "B", .tailer = "B", .battery_floor = 0.2},
                                           problem, "lingualinked"),
              HasSubstr("battery"));
  EXPECT_THAT(why_refused<InputError>({.battery_floor = 0.2}),
              HasSubstr("no device says its battery"));
  for (double floor : {-0.1, 1.0}) {
    EXPECT_THAT(why_refused<UsageError>({.battery_floor = floor}, problem),
                HasSubstr("battery floor"));
  }
}

TEST(PlanRules, TheEnergyGoalNeedsThePowerOfEveryDevice) {
  Problem problem = problem_on_battery();
  problem.cluster.devices[2].power_w = 0;
  EXPECT_THAT([&] { make_plan("dp", problem.request(Objective::kEnergy)); },
              ::testing::ThrowsMessage<InputError>(HasSubstr("device 'C' has no power")));
  PlanRequest request = problem.request(Objective::kEnergy);
  request.rules.excluded = {"C"};
  EXPECT_NO_THROW(make_plan("dp", request));
}

TEST(PlanRules, TheTpotGoalNeedsASecondToken) {
  Problem problem;
  problem.workload.max_tokens = 1;
  EXPECT_THAT([&] { make_plan("dp", problem.request(Objective::kTpot)); },
              ::testing::ThrowsMessage<UsageError>(HasSubstr("generate 2 at least")));
}

TEST(PlanRules, APlannerThatDoesNotKnowThemSaysSo) {
  EXPECT_THAT(why_refused<InfeasibleError>({.tailer = "A"}, {}, "even"),
              HasSubstr("planner 'even' does not keep to the rules: the tailer is 'C', not 'A'"));
}

}  // namespace
}  // namespace lingua
