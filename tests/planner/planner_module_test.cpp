#include "runtime/planner/planner_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "runtime/base/errors.h"
#include "tests/planner/problem.h"

namespace lingua {

PlannerResult plan_single(const PlanRequest& request);  // the same, in this program

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::string kModule = LINGUA_PLANNER_MODULE;

Plan plan_with(const std::string& planner) {
  const testing::Problem problem;
  return make_plan(planner, problem.request());
}

TEST(PlannerModule, PlansAsThePlannerThatItHas) {
  const testing::Problem problem;
  const Plan plan = make_plan(kModule, problem.request());
  const std::vector<Stage> expected = plan_single(problem.request()).stages;
  ASSERT_EQ(plan.stages.size(), 1u);
  EXPECT_EQ(plan.stages[0].device, expected[0].device);
  EXPECT_EQ(plan.planner, kModule);
  EXPECT_GT(plan.estimate.tokens_per_s, 0);
  EXPECT_EQ(planner_of_file(kModule).summary,
            std::string("the whole model on the one device that answers soonest"));
}

// Its errors are those of the program.
TEST(PlannerModule, SaysWhatBindsWhereNothingFits) {
  testing::Problem problem;
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 1;
  EXPECT_THROW(make_plan(kModule, problem.request()), InfeasibleError);
}

TEST(PlannerModule, IsNamedByAPath) {
  for (const char* name : {"./mine.so", "mine.so", "/opt/mine", "planners/mine"})
    EXPECT_TRUE(is_planner_file(name)) << name;
  for (const char* name : {"dp", "cbc", "so", "lingualinked-published"})
    EXPECT_FALSE(is_planner_file(name)) << name;
}

TEST(PlannerModule, SaysWhyAFileIsNone) {
  const std::string text = ::testing::TempDir() + "text.so";
  std::ofstream(text) << "no library\n";
  const std::map<std::string, std::string> why = {
      {"./nowhere.so", "is no file"},
      {::testing::TempDir(), "is no file"},
      {text, "cannot be loaded"},
      {LINGUA_EMPTY_MODULE, "has no planner in it"},
      {LINGUA_OTHER_MODULE, "was made from other sources"},
  };
  for (const auto& entry : why) {
    EXPECT_THAT([&entry] { plan_with(entry.first); },
                ThrowsMessage<UsageError>(AllOf(HasSubstr(entry.first), HasSubstr(entry.second))));
  }
}

TEST(PlannerModule, ANameThatIsNotKnownSaysThatAFileMayBeWritten) {
  EXPECT_THAT([] { plan_with("nobody"); },
              ThrowsMessage<UsageError>(HasSubstr("path of a shared library")));
}

}  // namespace
}  // namespace lingua
