#include "runtime/balance/recover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

// Six segments on four devices, each of which could hold them all.
testing::Instance roomy_instance(std::uint64_t seed) {
  Rng rng(seed);
  testing::Instance instance;
  instance.segmentation = testing::random_segmentation(6, testing::Paths::kResidual, rng);
  instance.cluster = testing::random_cluster(4, 1e9, 0.1, rng);
  instance.workload.in_flight = 1 + static_cast<int>(rng.below(3));
  return instance;
}

class Remaining : public ::testing::TestWithParam<int> {};

TEST_P(Remaining, NobodyWhoIsLostIsInThePlan) {
  const testing::Instance instance = roomy_instance(GetParam());
  const PlanRequest request = instance.request(Objective::kLatency);
  for (const DeviceSpec& device : instance.cluster.devices) {
    PlanRequest asked = request;
    asked.rules.header = asked.rules.tailer = device.name;
    asked.rules.excluded = {device.name == "phone0" ? "phone1" : "phone0"};
    const Plan plan = plan_for_remaining("dp", asked, {{device.name}, {}});
    for (const Stage& stage : plan.stages) {
      EXPECT_NE(stage.device, device.name);
      EXPECT_NE(stage.device, asked.rules.excluded[0]);
    }
  }
}

TEST_P(Remaining, IsAsGoodAsAPlanForAClusterThatNeverHadThem) {
  const testing::Instance instance = roomy_instance(GetParam());
  const PlanRequest request = instance.request(Objective::kLatency);
  const Plan plan = plan_for_remaining("dp", request, {{"phone2"}, {}});
  testing::Instance without = instance;
  without.cluster.devices.erase(without.cluster.devices.begin() + 2);
  if (without.cluster.header == "phone2") without.cluster.header.clear();
  const Plan expected = make_plan("dp", without.request(Objective::kLatency));
  EXPECT_DOUBLE_EQ(plan.estimate.latency_s, expected.estimate.latency_s);
}

TEST_P(Remaining, NothingGoesOverALinkThatIsCut) {
  const testing::Instance instance = roomy_instance(GetParam());
  const PlanRequest request = instance.request(Objective::kLatency);
  const Membership left{{}, {{"phone0", "phone1"}, {"phone3", "phone2"}}};
  // Plans that use all devices where they can.
  for (const char* planner : {"even", "compute", "dp"}) {
    const Plan plan = plan_for_remaining(planner, request, left);
    const auto passes = [&](const DeviceName& a, const DeviceName& b) {
      for (const Transfer& transfer : plan.transfers) {
        if (transfer.from == a && transfer.to == b) return true;
      }
      return plan.tailer() == a && plan.header() == b;
    };
    for (const auto& [a, b] : left.cut) {
      EXPECT_FALSE(passes(a, b)) << planner;
      EXPECT_FALSE(passes(b, a)) << planner;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Remaining, ::testing::Range(1, 21));

TEST(RemainingDevices, SaysWhoIsLeftWhenTheyCannotHoldTheModel) {
  testing::Instance instance = roomy_instance(1);
  for (DeviceSpec& device : instance.cluster.devices) device.memory_bytes = 3e7;
  try {
    plan_for_remaining("even", instance.request(Objective::kLatency), {{"phone0", "phone3"}, {}});
    FAIL() << "there is a plan";
  } catch (const InfeasibleError& error) {
    EXPECT_THAT(error.what(), HasSubstr("what is left (phone1, phone2): "));
  }
  try {
    plan_for_remaining("even", instance.request(Objective::kLatency),
                       {{"phone0", "phone1", "phone2", "phone3"}, {}});
    FAIL() << "there is a plan";
  } catch (const InfeasibleError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no device is left"));
  }
}

}  // namespace
}  // namespace lingua
