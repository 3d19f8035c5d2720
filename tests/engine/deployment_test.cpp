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

TEST(Deployment, DevicesComputeAsAllDoUnlessTheyHaveAWayOfTheirOwn) {
  ToyDeployment toy;
  const Computing own{2, {4, 5}};
  toy.deployment.computing.threads = 3;
  toy.deployment.computing_of["a"] = own;
  EXPECT_EQ(toy.deployment.prepare_for("a").computing, own);
  EXPECT_EQ(toy.deployment.prepare_for("b").computing, Computing{3});
}

// A hundred kilobytes a tenth of a second.
TEST(Deployment, WhatIsUnderWayTakesALinkNoLongerThanItMay) {
  ToyDeployment toy;
  Deployment& deployment = toy.deployment;
  const auto pieces = [&](double bytes_per_s) {
    ClusterSpec cluster;
    cluster.default_link = {bytes_per_s, Seconds(0.01)};
    deployment.cluster = std::make_shared<const ClusterSpec>(cluster);
    const auto [bytes, window] = deployment.pieces_between("a", "b");
    return std::pair(bytes, window);
  };
  const std::pair<std::int64_t, std::int64_t> all(64 << 10, 8);
  deployment.window = 8;
  EXPECT_EQ(pieces(1e6), all) << "no bound";
  deployment.most_under_way = Seconds(0.1);
  EXPECT_EQ(pieces(1e9), all);
  EXPECT_EQ(pieces(1e6), std::pair(25'000L, 4L));
  EXPECT_EQ(pieces(1e5), std::pair(2'500L, 4L));
  EXPECT_EQ(pieces(5e3), std::pair(1'024L, 1L)) << "not smaller";
  deployment.cluster = nullptr;
  EXPECT_EQ(deployment.pieces_between("a", "b").bytes, 64 << 10) << "no speed is known";
}

}  // namespace
}  // namespace lingua
