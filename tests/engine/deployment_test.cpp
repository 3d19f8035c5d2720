#include "runtime/engine/deployment.h"

#include <gtest/gtest.h>

#include "tests/support/toy_model.h"

namespace lingua {
namespace {

struct ToyDeployment {
  ToyDeployment() {
    deployment.segmentation = &segmentation;
    deployment.source = &source;
    deployment.plan.stages = {{"phone", 0, 1, {}}};
    deployment.plan.segmentation = mark_of(segmentation);
  }

  Segmentation segmentation = testing::toy_segmentation(2, false);
  testing::ToySource source;
  Deployment deployment;
};

TEST(Deployment, TellsDevicesWhichSegmentationItIsOf) {
  const ToyDeployment toy;
  const Prepare prepare = toy.deployment.prepare_for("phone");
  EXPECT_EQ(prepare.segmentation, toy.deployment.plan.segmentation.digest);
  EXPECT_EQ(describe(prepare), "Prepare of epoch 1, segmentation " + prepare.segmentation);
}

}  // namespace
}  // namespace lingua
