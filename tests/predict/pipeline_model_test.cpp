// A pipeline's timing by hand; tests/sim/estimate_test.cpp compares it with the simulator.

#include "runtime/predict/pipeline_model.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

constexpr double kTiny = 1e-3;  // what control messages take here in all

ClusterSpec instant_cluster() {
  ClusterSpec cluster;
  cluster.default_link = {1e9, Seconds(0)};
  return cluster;
}

// One step of a request takes 1 s on each of A and B; between them go 1000 bytes.
PipelineWork two_stages(int requests, int in_flight) {
  PipelineWork work;
  work.devices = {"A", "B"};
  work.messages = {{0, 1}};
  work.stretch = {1};
  work.kinds = {{{{1, 1}}, {{{{1000}}, {1}, 1}}}};
  work.requests = requests;
  work.in_flight = in_flight;
  return work;
}

TEST(PipelineModel, RequestsOnOneDeviceTakeTurnsAndTheOlderGoesFirst) {
  PipelineWork work;
  work.devices = {"A"};
  work.stretch = {1, 1};
  work.kinds = {{{{2}, {1}}, {{{{}, {}}, {1, 1}, 0}}}};
  work.requests = 2;
  work.in_flight = 2;
  const Replay played = replay(work, instant_cluster());
  EXPECT_TRUE(played.complete);
  EXPECT_NEAR(played.first_step_s, 2, kTiny);
  EXPECT_NEAR(played.makespan_s, 6, kTiny);
}

TEST(PipelineModel, StagesWorkAtOnceWhenRequestsAreInFlight) {
  EXPECT_NEAR(replay(two_stages(3, 1), instant_cluster()).makespan_s, 6, kTiny);
  EXPECT_NEAR(replay(two_stages(3, 2), instant_cluster()).makespan_s, 4, kTiny);
  EXPECT_NEAR(replay(two_stages(30, 3), instant_cluster()).makespan_s, 31, kTiny);
}

TEST(PipelineModel, TransfersGoOnWhileTheirSenderComputes) {
  ClusterSpec cluster = instant_cluster();
  cluster.links[{"A", "B"}] = {2000, Seconds(0.25)};  // 0.25 + 0.5 s for a message
  EXPECT_NEAR(replay(two_stages(3, 3), cluster).makespan_s, 1 + 0.75 + 3, kTiny);
  cluster.links[{"A", "B"}] = {500, Seconds(0.25)};  // the link is the bottleneck: 2 s each
  EXPECT_NEAR(replay(two_stages(3, 3), cluster).makespan_s, 1 + 0.25 + 3 * 2 + 1, kTiny);
}

TEST(PipelineModel, ARequestFollowsWhenTheCoordinatorHasHeardOfAnothersEnd) {
  ClusterSpec cluster = instant_cluster();
  cluster.links[{"A", kCoordinator}] = {1e9, Seconds(0.3)};
  cluster.links[{kCoordinator, "A"}] = {1e9, Seconds(0.2)};
  EXPECT_NEAR(replay(two_stages(2, 1), cluster).makespan_s, 2 + 0.5 + 2, kTiny);
  EXPECT_NEAR(replay(two_stages(2, 2), cluster).makespan_s, 3, kTiny);
}

TEST(PipelineModel, AStageWaitsForEveryMessageOfAStep) {
  PipelineWork work = two_stages(1, 1);
  work.devices = {"A", "B", "C"};
  work.messages = {{0, 1}, {0, 2}, {1, 2}};
  work.kinds = {{{{1, 1, 1}}, {{{{1000, 1000, 1000}}, {1}, 1}}}};
  ClusterSpec cluster = instant_cluster();
  cluster.links[{"A", "C"}] = {200, Seconds(0)};
  EXPECT_NEAR(replay(work, cluster).makespan_s, 1 + 5 + 1, kTiny);
}

TEST(PipelineModel, MessagesOutOfOneDeviceShareItsRadio) {
  PipelineWork work = two_stages(1, 1);
  work.devices = {"A", "B", "C"};
  work.messages = {{0, 1}, {0, 2}, {1, 2}};
  work.kinds = {{{{1, 1, 1}}, {{{{1000, 500, 0.001}}, {1}, 1}}}};
  ClusterSpec cluster = instant_cluster();
  cluster.default_link = {1000, Seconds(0)};
  // Half a radio each until the 500 bytes are there, 1 s after A; B has its 1000 after 1.5 s.
  EXPECT_NEAR(replay(work, cluster).makespan_s, 1 + 1.5 + 1 + 1, 0.2);
}

TEST(PipelineModel, LongStepsStandForSeveral) {
  PipelineWork work = two_stages(4, 2);
  work.kinds = {{{{1, 1}, {0.1, 0.1}, {0.1, 0.1}, {0.1, 0.1}},
                 {{{{1000}, {10}, {10}, {10}}, {1, 1, 1, 1}, 1}}}};
  work.stretch = {1, 1, 1, 1};
  const double all = replay(work, instant_cluster()).makespan_s;
  work.kinds = {{{{1, 1}, {0.3, 0.3}}, {{{{1000}, {30}}, {1, 3}, 1}}}};
  work.stretch = {1, 3};
  EXPECT_NEAR(replay(work, instant_cluster()).makespan_s / all, 1, 0.05);
}

// A request of 1 s a stage and one of 3 s, in turn, on two stages.
TEST(PipelineModel, RequestsOfSeveralKindsTakeTurns) {
  PipelineWork work = two_stages(4, 1);
  work.kinds.push_back({{{3, 3}}, {{{{1000}}, {1}, 1}}});
  work.turn = {0, 1};
  EXPECT_NEAR(replay(work, instant_cluster()).makespan_s, 2 + 6 + 2 + 6, kTiny);
  work.in_flight = 4;
  const Replay played = replay(work, instant_cluster());
  EXPECT_NEAR(played.makespan_s, 1 + 3 + 3 + 1 + 3, kTiny);
  EXPECT_NEAR(played.ends_s[0], 4, kTiny);  // its answer is there at 2 s, and A computes until then
}

TEST(PipelineModel, TheSizesOfARequestFollowTheWidthOfItsNumber) {
  PipelineWork work = two_stages(2, 1);
  work.kinds[0].bytes.push_back({{{3000}}, {1}, 1});
  work.widths = {0, 1};
  ClusterSpec cluster = instant_cluster();
  cluster.links[{"A", "B"}] = {1000, Seconds(0)};
  EXPECT_NEAR(replay(work, cluster).makespan_s, 2 + 1 + 2 + 3, kTiny);
}

TEST(PipelineModel, SaysWhenAStageNeverGetsAnInput) {
  PipelineWork work = two_stages(1, 1);
  work.messages.clear();
  work.kinds[0].bytes[0].messages = {{}};
  EXPECT_FALSE(replay(work, instant_cluster()).complete);
}

}  // namespace
}  // namespace lingua
