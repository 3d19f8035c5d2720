#include "runtime/app/planning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/app/json_settings.h"
#include "tests/cli/lingua_fixture.h"

namespace lingua {
namespace {

using nlohmann::json;

// What planning took is this machine's time.
json without_wall_time(json result) {
  if (result.is_object()) result.erase("planning_s");
  if (result.is_structured())
    for (json& part : result) part = without_wall_time(part);
  return result;
}

json made(const json& settings) {
  PlanningRequest request;
  set_from_json(settings, [&](SettingVisitor& visitor) { visit_planning(request, visitor); });
  return without_wall_time(plan_json(request, {}));
}

json printed(std::vector<std::string> more) {
  const auto outcome = testing::lingua(testing::operator+(
      {"plan", "bloom-560m", "--cluster", testing::kThreePhones, "--json"}, more));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return without_wall_time(json::parse(outcome.out));
}

TEST(Planning, JsonIsWhatTheProgramPrints) {
  const json least = {{"model", "bloom-560m"}, {"cluster", testing::kThreePhones}};
  json settings = {{"planner", "dp"}, {"max-tokens", 4}, {"overlap", "gain"}};
  settings.update(least);
  EXPECT_EQ(made(settings), printed({"--planner", "dp", "--max-tokens", "4", "--overlap", "gain"}));
  settings = {{"pareto", true}, {"objective", "latency,energy"}, {"planner", "dp"}};
  settings.update(least);
  EXPECT_EQ(made(settings),
            printed({"--pareto", "--objective", "latency,energy", "--planner", "dp"}));
}

}  // namespace
}  // namespace lingua
