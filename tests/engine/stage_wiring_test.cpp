#include "runtime/engine/stage_wiring.h"

#include <gtest/gtest.h>

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
    const Stage& s = deployment_.plan.stages[static_cast<std::size_t>(stage)];
    return StageWiring(deployment_.prepare_for(s), s.device);
  }

  Segmentation segmentation_ = testing::toy_segmentation(4, true);
  testing::ToySource source_;
  Deployment deployment_;
};

TEST_F(StageWiringTest, TheHeaderNeedsNothingFromOutsideAndSendsResidualsPastItsNeighbour) {
  const StageWiring header = wiring(0);
  EXPECT_TRUE(header.is_header());
  EXPECT_EQ(header.external_inputs(), 0);
  ASSERT_EQ(header.outgoing().size(), 2U);
  EXPECT_EQ(header.outgoing()[0].to, "b");
  EXPECT_EQ(header.outgoing()[0].values.size(), 2U) << "hidden state and positions, in one message";
  EXPECT_EQ(header.outgoing()[1].to, "c");
  EXPECT_EQ(header.outgoing()[1].values, std::vector<ValueId>{1000});
}

TEST_F(StageWiringTest, TheTailerWaitsForNeighbourAndResidual) {
  const StageWiring tailer = wiring(2);
  EXPECT_TRUE(tailer.is_tailer());
  EXPECT_EQ(tailer.external_inputs(), 2);
  EXPECT_GE(tailer.incoming_slot(1000), 0);
  EXPECT_EQ(tailer.incoming_slot(1), -1) << "a value of another border";
  EXPECT_TRUE(tailer.outgoing().empty());
}

TEST_F(StageWiringTest, RefusesADeploymentThatContradictsItself) {
  Prepare prepare = deployment_.prepare_for(deployment_.plan.stages[1]);
  prepare.segments.clear();
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError);
  prepare = deployment_.prepare_for(deployment_.plan.stages[1]);
  prepare.routes.push_back({4711, {"c"}});
  EXPECT_THROW(StageWiring(prepare, "b"), WorldError);
}

}  // namespace
}  // namespace lingua
