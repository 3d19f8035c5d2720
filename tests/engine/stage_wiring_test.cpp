#include "runtime/engine/stage_wiring.h"

#include <gtest/gtest.h>

#include <limits>

#include "runtime/base/errors.h"
#include "runtime/engine/deployment.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

class StageWiringTest : public ::testing::Test {
 protected:
  StageWiringTest() {
    deployment_.segmentation = &segmentation_;
    deployment_.source = &source_;
    deployment_.plan.stages = {{"a", 0, 1, {}}, {"b", 2, 2, {}}, {"c", 3, 3, {}}};
    deployment_.plan.transfers = transfers_of(segmentation_, deployment_.plan.stages);
  }
  StageWiring wiring(int stage) {
    const DeviceName& device = deployment_.plan.stages[static_cast<std::size_t>(stage)].device;
    return StageWiring(deployment_.prepare_for(device), device);
  }

  Segmentation segmentation_ = testing::toy_segmentation(4, true);
  testing::ToySource source_;
  Deployment deployment_;
};

TEST_F(StageWiringTest, TheHeaderNeedsNothingFromOutsideAndSendsResidualsPastItsNeighbour) {
  const StageWiring header = wiring(0);
  EXPECT_TRUE(header.is_header());
  ASSERT_EQ(header.parts().size(), 1U);
  EXPECT_EQ(header.parts()[0].external_inputs, 0);
  ASSERT_EQ(header.parts()[0].outgoing.size(), 2U);
  EXPECT_EQ(header.parts()[0].outgoing[0].to, "b");
  EXPECT_EQ(header.parts()[0].outgoing[0].values.size(), 2U)
      << "hidden state and positions, in one message";
  EXPECT_EQ(header.parts()[0].outgoing[1].to, "c");
  EXPECT_EQ(header.parts()[0].outgoing[1].values, std::vector<ValueId>{1000});
}

TEST_F(StageWiringTest, TheTailerWaitsForNeighbourAndResidual) {
  const StageWiring tailer = wiring(2);
  EXPECT_TRUE(tailer.is_tailer());
  ASSERT_EQ(tailer.parts().size(), 1U);
  EXPECT_EQ(tailer.parts()[0].external_inputs, 2);
  EXPECT_GE(tailer.incoming_slot(1000), 0);
  EXPECT_EQ(tailer.incoming_slot(1), -1) << "a value of another border";
  EXPECT_TRUE(tailer.parts()[0].outgoing.empty());
}

TEST_F(StageWiringTest, AHeaderAtBothEndsHasTwoPartsAndKeepsItsResidualsForTheSecond) {
  deployment_.plan.stages = {{"a", 0, 1, {}}, {"b", 2, 2, {}}, {"a", 3, 3, {}}};
  deployment_.plan.transfers = transfers_of(segmentation_, deployment_.plan.stages);
  const StageWiring wiring(deployment_.prepare_for("a"), "a");
  EXPECT_TRUE(wiring.is_header() && wiring.is_tailer());
  ASSERT_EQ(wiring.parts().size(), 2U);
  EXPECT_EQ(wiring.parts()[0].external_inputs, 0);
  ASSERT_EQ(wiring.parts()[0].outgoing.size(), 1U);
  EXPECT_EQ(wiring.parts()[0].outgoing[0].to, "b");
  EXPECT_EQ(wiring.parts()[1].external_inputs, 1) << "the hidden state; positions are here";
  EXPECT_EQ(wiring.incoming_slot(1000), -1);
  EXPECT_EQ(wiring.waiting_part(wiring.incoming_slot(3)), 1);
  EXPECT_TRUE(wiring.parts()[1].outgoing.empty());
}

TEST_F(StageWiringTest, ARelayedValueGoesThroughTheStageBetweenWhichNeedNotUseIt) {
  // Segment 2, of device b, does without the positions.
  segmentation_.segments[2].inputs.pop_back();
  deployment_.communication.residuals = ResidualPath::kRelay;
  deployment_.plan.transfers =
      transfers_of(segmentation_, deployment_.plan.stages, deployment_.communication);
  const StageWiring header = wiring(0);
  ASSERT_EQ(header.parts()[0].outgoing.size(), 1U) << "everything to its neighbour";
  EXPECT_EQ(header.parts()[0].outgoing[0].values.size(), 2U);
  const Prepare between = deployment_.prepare_for("b");
  ASSERT_EQ(between.passing.size(), 1U);
  EXPECT_EQ(between.passing[0].value, 1000);
  EXPECT_EQ(between.senders, std::vector<DeviceName>{"a"});
  const StageWiring relay = wiring(1);
  EXPECT_EQ(relay.parts()[0].external_inputs, 2);
  const int slot = relay.incoming_slot(1000);
  ASSERT_GE(slot, 0);
  EXPECT_TRUE(relay.is_relayed(slot));
  EXPECT_FALSE(relay.is_relayed(relay.incoming_slot(2)));
  ASSERT_EQ(relay.parts()[0].outgoing.size(), 1U);
  EXPECT_EQ(relay.parts()[0].outgoing[0].to, "c");
  EXPECT_EQ(relay.parts()[0].outgoing[0].values.size(), 2U);
  EXPECT_EQ(deployment_.prepare_for("c").senders, std::vector<DeviceName>{"b"});
  EXPECT_EQ(wiring(2).parts()[0].external_inputs, 2);
}

TEST_F(StageWiringTest, RefusesADeploymentThatContradictsItself) {
  Prepare prepare = deployment_.prepare_for("b");
  prepare.segments.clear();
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError);
  prepare = deployment_.prepare_for("b");
  prepare.routes.push_back({4711, {"c"}});
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError);
  prepare = deployment_.prepare_for("b");
  prepare.runs.push_back(prepare.runs[0]);
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError);
  prepare.runs = {{2, 1}};
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError);
  prepare = deployment_.prepare_for("b");
  prepare.runs = {{2, std::numeric_limits<SegmentId>::max()}};
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError);
  prepare = deployment_.prepare_for("b");
  prepare.segments[0].outputs.push_back(prepare.segments[0].inputs[0]);
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError) << "a value that is made twice";
}

TEST_F(StageWiringTest, RefusesAHeaderOrTailerThatRunsNothing) {
  for (const char* device : {"a", "c"}) {
    Prepare prepare = deployment_.prepare_for(device);
    prepare.runs.clear();
    EXPECT_THROW(StageWiring(prepare, device), WorldError) << device;
  }
  Prepare prepare = deployment_.prepare_for("c");
  prepare.model_outputs.clear();
  EXPECT_THROW(StageWiring(prepare, "c"), WorldError);
}

}  // namespace
}  // namespace lingua
