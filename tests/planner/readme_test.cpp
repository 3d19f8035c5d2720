// The planner of runtime/planner/README.md: that it is the file that is compiled here, and that it plans.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/base/files.h"
#include "tests/planner/problem.h"

namespace lingua {

PlannerResult plan_single(const PlanRequest& request);

namespace {

TEST(Readme, ShowsThePlannerThatIsCompiledHere) {
  const std::filesystem::path root = LINGUA_SOURCE_DIR;
  const std::string code = read_file(root / "tests/planner/readme_planner.cpp");
  EXPECT_THAT(read_file(root / "runtime/planner/README.md"),
              ::testing::HasSubstr("```cpp\n" + code + "```"));
}

TEST(Readme, ItsPlannerPlans) {
  testing::Problem problem;
  problem.cluster.devices[0].memory_bytes = 1000;  // A holds nothing
  const PlannerResult result = plan_single(problem.request());
  ASSERT_EQ(result.stages.size(), 1U);
  EXPECT_EQ(result.stages[0].device, "B");
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 1000;
  EXPECT_THROW(plan_single(problem.request()), InfeasibleError);
}

}  // namespace
}  // namespace lingua
