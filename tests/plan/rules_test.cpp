// Pins, exclusions and privacy: what they do and what is said when they cannot be kept.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/plan/explain.h"
#include "tests/plan/problem.h"

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
              ElementsAre("A 0-2"));
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
  EXPECT_THAT(why_refused<UsageError>({.excluded = {"A", "B", "C"}}),
              HasSubstr("every device is excluded"));
}

TEST(PlanRules, ThatNameNothingAreRefused) {
  EXPECT_THAT(why_refused<UsageError>({.header = "Z"}),
              HasSubstr("header 'Z' is no device of cluster 'three'; write one of A B C"));
  EXPECT_THAT(why_refused<UsageError>({.tailer = "Z"}), HasSubstr("tailer 'Z'"));
  EXPECT_THAT(why_refused<UsageError>({.excluded = {"Z"}}), HasSubstr("excluded device 'Z'"));
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

TEST(PlanRules, APlannerThatDoesNotKnowThemSaysSo) {
  EXPECT_THAT(why_refused<InfeasibleError>({.tailer = "A"}, {}, "even"),
              HasSubstr("planner 'even' does not keep to the rules: the tailer is 'C', not 'A'"));
}

}  // namespace
}  // namespace lingua
