// Planners that are registered from outside.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/plan_costs.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using testing::Instance;
using testing::Paths;

int asked = 0;

// Proves nothing, and would be a start for a search that asked all planners which prove nothing.
PlannerResult plan_first_device(const PlanRequest& request) {
  ++asked;
  const PlanCosts costs(request);
  const lingua::Run all{0, 0, costs.segments() - 1};
  if (!costs.fits(all) || costs.header() > 0)
    throw InfeasibleError("the first device is too small");
  return {costs.stages({all})};
}

// Three devices of memory for all, and more chains of hope than can be tried one by one: a search by the
// estimate begins from the plans of others.
Instance searched_instance() {
  Rng rng(1);
  Instance instance = testing::random_instance(1, Paths::kResidual);
  instance.segmentation = testing::random_segmentation(40, Paths::kResidual, rng);
  instance.workload.prompt_tokens = 32;
  instance.workload.max_tokens = 8;
  instance.workload.kv_cache = true;
  instance.workload.in_flight = 4;
  instance.workload.requests = 500;
  instance.cluster = testing::random_cluster(3, testing::need_bytes(instance), 0.1, rng);
  instance.cluster.header.clear();
  return instance;
}

nlohmann::json plan_of(const std::string& planner, const PlanRequest& request) {
  nlohmann::json json = plan_to_json(make_plan(planner, request));
  json.erase("planning_s");
  return json;
}

TEST(Registry, ChangesNoPlanOfTheOtherPlanners) {
  const Instance instance = searched_instance();
  const PlanRequest request = instance.request(Objective::kThroughput);
  const std::vector<std::string> names = {"dp", "edgeshard", "lingualinked", "greedy", "random"};
  std::vector<nlohmann::json> before;
  for (const std::string& name : names) before.push_back(plan_of(name, request));
  ASSERT_EQ(before[0]["optimality"], "feasible");  // nothing proves it: it was searched for
  register_planner({"first-device", "everything on the first device", plan_first_device});
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(plan_of(names[i], request), before[i]);
  EXPECT_EQ(asked, 0);
  const Plan plan = make_plan("first-device", request);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(plan.planner, "first-device");
  EXPECT_EQ(plan.stages.size(), 1U);
}

TEST(Registry, RefusesANameThatIsTaken) {
  EXPECT_THROW(register_planner({"greedy", "another", plan_first_device}), UsageError);
}

}  // namespace
}  // namespace lingua
