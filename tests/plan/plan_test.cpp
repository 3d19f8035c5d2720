#include "runtime/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"
#include "tests/plan/hand_model.h"
#include "tests/planner/problem.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using testing::hand_cluster;
using testing::hand_model;
using testing::hand_plan;
using testing::hand_workload;
using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

// What check_plan says of the plan by hand after a change.
std::string complaint(const std::function<void(Plan&)>& change) {
  Plan plan = hand_plan();
  change(plan);
  return error_of([&] { check_plan(plan, hand_model(), hand_cluster(), hand_workload()); });
}

TEST(StepsOf, PrefillsOnceAndThenDecodesOneTokenAtATime) {
  EXPECT_EQ(steps_of({.prompt_tokens = 5, .max_tokens = 3}),
            (std::vector<Step>{{5, 0}, {1, 5}, {1, 6}}));
}

TEST(StepsOf, RecomputesAllPositionsWithoutACache) {
  EXPECT_EQ(steps_of({.prompt_tokens = 5, .max_tokens = 3, .kv_cache = false}),
            (std::vector<Step>{{5, 0}, {6, 0}, {7, 0}}));
}

TEST(StepsOf, IsOneStepForASinglePass) {
  EXPECT_EQ(steps_of({.prompt_tokens = 5, .max_tokens = 0}), (std::vector<Step>{{5, 0}}));
}

std::vector<std::string> described(const std::vector<Transfer>& transfers) {
  std::vector<std::string> rows;
  for (const Transfer& transfer : transfers) {
    rows.push_back(fmt::format("{} {}->{}{}", transfer.value, transfer.from, transfer.to,
                               transfer.residual ? " residual" : ""));
  }
  return rows;
}

TEST(TransfersOf, SendsResidualValuesPastTheStagesBetween) {
  EXPECT_THAT(described(hand_plan().transfers),
              ::testing::ElementsAre("1 A->B", "3 A->C residual", "2 B->C"));
}

TEST(TransfersOf, NeedsNothingOnOneDevice) {
  EXPECT_TRUE(transfers_of(hand_model(), {{"A", 0, 2, {}}}).empty());
}

TEST(TransfersOf, SendsAValueOnceHoweverManySegmentsOfADeviceUseIt) {
  EXPECT_THAT(described(transfers_of(hand_model(), {{"A", 0, 0, {}}, {"B", 1, 2, {}}})),
              ::testing::ElementsAre("1 A->B", "3 A->B"));
}

TEST(TransfersOf, TakesModelInputsFromTheHeader) {
  Segmentation model = hand_model();
  model.segments[2].inputs.push_back(model.model_inputs[0]);
  EXPECT_THAT(described(transfers_of(model, hand_plan().stages)),
              ::testing::Contains("0 A->C residual"));
}

TEST(TransfersOf, BringsModelOutputsToTheTailer) {
  Segmentation model = hand_model();
  model.model_outputs.push_back(1);
  EXPECT_THAT(described(transfers_of(model, hand_plan().stages)),
              ::testing::ElementsAre("1 A->B", "1 A->C residual", "3 A->C residual", "2 B->C"));
}

TEST(CheckPlan, AcceptsAPlanThatKeepsEveryRule) {
  EXPECT_NO_THROW(check_plan(hand_plan(), hand_model(), hand_cluster(), hand_workload()));
}

TEST(CheckPlan, TellsWhatADeviceNeedsFromWhatItHasByTheByte) {
  const Segmentation model = hand_model();
  RunMemory memory(hand_workload());
  memory.run(model.segments[1]);
  ClusterSpec cluster = hand_cluster();
  cluster.devices[1].memory_bytes = memory.total_bytes();
  EXPECT_NO_THROW(check_plan(hand_plan(), model, cluster, hand_workload()));
  cluster.devices[1].memory_bytes -= 1;
  testing::expect_apart(
      error_of([&] { check_plan(hand_plan(), model, cluster, hand_workload()); }));
}

TEST(CheckSegmentation, RefusesAPlanForOtherCutsOfTheSameCount) {
  Segmentation model = hand_model();
  Plan plan = hand_plan();
  EXPECT_NO_THROW(check_segmentation(plan, model)) << "a plan that does not say";
  model.rule = "bytes";
  plan.segmentation = mark_of(model);
  EXPECT_NO_THROW(check_segmentation(plan, model));
  model.rule = "lingualinked";
  std::swap(model.segments[0].weights[0], model.segments[1].weights[0]);
  try {
    check_segmentation(plan, model);
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("made for 3 segments of 'hand' by rule bytes"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("3 segments of 'hand' by rule lingualinked"));
  }
}

TEST(CheckPlan, RefusesStagesThatDoNotRunEverySegmentOnceAndInOrder) {
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages.clear(); }), HasSubstr("no stage"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages.pop_back(); }),
              HasSubstr("nobody runs segment 2 ('part 2'); the model has 3 segments"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages[1].first_segment = 0; }),
              HasSubstr("device 'B' begins with segment 0; segment 1 is next"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages[1].first_segment = 2; }),
              HasSubstr("device 'B' begins with segment 2; segment 1 is next"));
  EXPECT_THAT(complaint([](Plan& plan) { std::swap(plan.stages[0], plan.stages[1]); }),
              HasSubstr("device 'B' begins with segment 1; segment 0 is next"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages[1].last_segment = 0; }),
              HasSubstr("device 'B' ends with segment 0; write one from 1 to 2"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages[2].last_segment = 3; }),
              HasSubstr("device 'C' ends with segment 3; write one from 2 to 2"));
}

TEST(CheckPlan, RefusesDevicesThatAreUnknownOrStandTwice) {
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages[1].device = "D"; }),
              HasSubstr("device 'D' is not in cluster 'three'"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.stages[1].device = "A"; }),
              HasSubstr("device 'A' stands twice"));
}

// Of hand_model() on A, B and A again.
Plan plan_of_both_ends() {
  Plan plan = hand_plan();
  plan.stages[2].device = "A";
  plan.transfers = transfers_of(hand_model(), plan.stages);
  return plan;
}

TEST(CheckPlan, LetsTheHeaderRunTheLastStageToo) {
  const Plan plan = plan_of_both_ends();
  EXPECT_EQ(header_keeps_last(plan.stages), 1);
  EXPECT_THAT(plan.devices(), ElementsAre("A", "B"));
  EXPECT_NO_THROW(check_plan(plan, hand_model(), hand_cluster(), hand_workload()));
  for (const Transfer& transfer : plan.transfers) EXPECT_NE(transfer.from, transfer.to);
}

TEST(CheckPlan, CountsBothStagesOfAHeaderThatHasTwo) {
  const Plan plan = plan_of_both_ends();
  const Segmentation model = hand_model();
  RunMemory memory(hand_workload());
  memory.add(plan.stages[0], model);
  memory.add(plan.stages[2], model);
  ClusterSpec cluster = hand_cluster();
  cluster.devices[0].memory_bytes = memory.total_bytes();
  EXPECT_NO_THROW(check_plan(plan, hand_model(), cluster, hand_workload()));
  cluster.devices[0].memory_bytes -= 1;
  EXPECT_THAT(error_of([&] { check_plan(plan, hand_model(), cluster, hand_workload()); }),
              HasSubstr("device 'A' needs"));
}

TEST(CheckPlan, RefusesALastStageOfTheHeaderThatStores) {
  Plan plan = plan_of_both_ends();
  plan.stages[2].stored_segments = {1};
  const auto check = [&] { check_plan(plan, hand_model(), hand_cluster(), hand_workload()); };
  EXPECT_THAT(error_of(check), HasSubstr("write what the header 'A' stores with its first stage"));
  plan.stages[2].stored_segments = {};
  plan.stages[0].stored_segments = {2};
  EXPECT_THAT(error_of(check), HasSubstr("stores segment 2 besides those it runs, but it runs it"));
}

TEST(CheckPlan, RefusesAHeaderThatTheClusterDoesNotWant) {
  ClusterSpec cluster = hand_cluster();
  cluster.header = "B";
  EXPECT_THAT(error_of([&] { check_plan(hand_plan(), hand_model(), cluster, hand_workload()); }),
              HasSubstr("device 'A' runs the first segment; cluster 'three' wants its header 'B'"));
}

TEST(CheckPlan, RefusesStoredSegmentsThatMakeNoSense) {
  const auto store = [](std::vector<SegmentId> ids) {
    return complaint([&](Plan& plan) { plan.stages[1].stored_segments = ids; });
  };
  EXPECT_EQ(store({0, 2}), "no error");
  EXPECT_THAT(store({3}), HasSubstr("stores segment 3; the model has 0 to 2"));
  EXPECT_THAT(store({-1}), HasSubstr("stores segment -1"));
  EXPECT_THAT(store({2, 0}), HasSubstr("not ascending: 0 after 2"));
  EXPECT_THAT(store({0, 0}), HasSubstr("not ascending: 0 after 0"));
  EXPECT_THAT(store({1}), HasSubstr("but it runs it"));
}

TEST(CheckPlan, RefusesKeepersThatMakeNoSense) {
  const auto keep = [](std::vector<Keeper> keepers) {
    return complaint([&](Plan& plan) {
      plan.stages = {{"A", 0, 2, {}}};
      plan.transfers.clear();
      plan.keepers = std::move(keepers);
    });
  };
  EXPECT_EQ(keep({{"C", {0, 2}}, {"B", {1}}}), "no error");
  EXPECT_THAT(keep({{"D", {0}}}), HasSubstr("device 'D' is not in cluster 'three'"));
  EXPECT_THAT(keep({{"A", {0}}}), HasSubstr("'A' stands among the keepers and elsewhere"));
  EXPECT_THAT(keep({{"B", {0}}, {"B", {1}}}), HasSubstr("'B' stands among the keepers"));
  EXPECT_THAT(keep({{"B", {}}}), HasSubstr("keeper 'B' stores nothing"));
  EXPECT_THAT(keep({{"B", {3}}}), HasSubstr("stores segment 3; the model has 0 to 2"));
  EXPECT_THAT(keep({{"B", {2, 0}}}), HasSubstr("not ascending: 0 after 2"));
}

TEST(CheckPlan, CountsWhatAKeeperStoresToTheByte) {
  Plan plan = hand_plan();
  plan.stages = {{"A", 0, 2, {}}};
  plan.transfers.clear();
  plan.keepers = {{"C", {0, 2}}};  // w0 4,000, w2 12,000, and "tied" 20,000 once
  ClusterSpec cluster = hand_cluster();
  const auto check = [&] { check_plan(plan, hand_model(), cluster, hand_workload()); };
  cluster.devices[2].memory_bytes = 36'000;
  EXPECT_EQ(error_of(check), "no error");
  cluster.devices[2].memory_bytes = 36'000 - 1;
  EXPECT_THAT(error_of(check),
              HasSubstr("device 'C' needs 36.000 kB for segments that it stores, 2 of them"));
}

TEST(CheckPlan, CountsMemoryToTheByte) {
  // Device C: w2 12,000 + tied 20,000; state 12 tokens x 400; activations 2 x (100 + 500 + 40) x 10.
  const double need = 32'000 + 4'800 + 12'800;
  EXPECT_EQ(run_memory_bytes(hand_model(), 2, 2, hand_workload()), need);
  ClusterSpec cluster = hand_cluster();
  const auto check = [&] { check_plan(hand_plan(), hand_model(), cluster, hand_workload()); };
  cluster.devices[2].memory_bytes = need;
  EXPECT_EQ(error_of(check), "no error");
  cluster.devices[2].memory_bytes = need - 1;
  EXPECT_THAT(
      error_of(check),
      HasSubstr("device 'C' needs 49.600 kB for segments 2 to 2 (weights 32.0 kB, KV 4.80 kB, "
                "activations 12.8 kB)"));
}

TEST(CheckPlan, CountsTheStatesOfAllRequestsInFlight) {
  Workload workload = hand_workload();
  workload.in_flight = 3;
  EXPECT_EQ(run_memory_bytes(hand_model(), 2, 2, workload) -
                run_memory_bytes(hand_model(), 2, 2, hand_workload()),
            2 * 4'800);
}

TEST(CheckPlan, CountsAStoredSegmentsWeightsAndNotItsState) {
  Plan plan = hand_plan();
  plan.stages[2].stored_segments = {0, 1};  // w0 4,000, w1 8,000, and "tied" a second time
  ClusterSpec cluster = hand_cluster();
  const auto check = [&] { check_plan(plan, hand_model(), cluster, hand_workload()); };
  cluster.devices[2].memory_bytes = 49'600 + 12'000;
  EXPECT_EQ(error_of(check), "no error");
  cluster.devices[2].memory_bytes -= 1;
  EXPECT_THAT(error_of(check), HasSubstr("device 'C' needs 61.600 kB"));
}

TEST(CheckPlan, RefusesTransfersThatAreNotThoseNeeded) {
  EXPECT_THAT(complaint([](Plan& plan) { plan.transfers.pop_back(); }),
              HasSubstr("value 2 from 'B' to 'C' is missing"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.transfers.push_back(plan.transfers[0]); }),
              HasSubstr("value 1 from 'A' to 'B' stands twice"));
  EXPECT_THAT(complaint([](Plan& plan) {
                plan.transfers.push_back({4, "C", "A", false, 1.0});
              }),
              HasSubstr("value 4 from 'C' to 'A' is not needed"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.transfers[1].to = "B"; }),
              HasSubstr("value 3 from 'A' to 'C' is missing"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.transfers[0].value = 9; }),
              HasSubstr("value 1 from 'A' to 'B' is missing"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.transfers[1].residual = false; }),
              HasSubstr("must have residual = true"));
  EXPECT_THAT(complaint([](Plan& plan) { plan.transfers[0].bytes = 7.0; }),
              HasSubstr("has 7 bytes; the value has 1000 n"));
}

TEST(Plan, FindsTheDeviceOfASegment) { EXPECT_EQ(hand_plan().device_of(1), "B"); }

}  // namespace
}  // namespace lingua
