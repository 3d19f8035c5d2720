#include "runtime/app/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "runtime/app/json_settings.h"
#include "runtime/base/files.h"
#include "runtime/events/report.h"
#include "tests/cli/lingua_fixture.h"

namespace lingua {
namespace {

using nlohmann::json;

SimulationRequest request_of(const json& settings) {
  SimulationRequest request;
  set_from_json(settings, [&](SettingVisitor& visitor) { visit_simulation(request, visitor); });
  return request;
}

// What planning took is this machine's time.
json without_wall_time(json result) {
  EXPECT_EQ(result["plan"].erase("planning_s"), 1U);
  return result;
}

json printed(std::vector<std::string> arguments) {
  const auto outcome = testing::lingua(std::move(arguments));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return without_wall_time(json::parse(outcome.out));
}

TEST(Simulation, JsonIsWhatTheProgramPrints) {
  const json settings = {{"model", "bloom-560m"}, {"cluster", testing::kThreePhones},
                         {"planner", "dp"},       {"max-tokens", 4},
                         {"requests", 3},         {"in-flight", 2},
                         {"slo", "5 s,1 s"},      {"spread", "2%"}};
  std::string said;
  Audience audience;
  audience.say = [&](const std::string& text) { said += text; };
  const json made = without_wall_time(simulate_json(request_of(settings), audience));
  EXPECT_EQ(made, printed({"simulate", "bloom-560m", "--cluster", testing::kThreePhones,
                           "--planner", "dp", "--max-tokens", "4", "--requests", "3", "--in-flight",
                           "2", "--slo", "5 s,1 s", "--spread", "2%", "--json"}));
  EXPECT_EQ(made["requests"].size(), 3U);
  EXPECT_EQ(said, "");
}

TEST(Simulation, JsonOfALossIsWhatTheProgramPrintsAndFilesAreWritten) {
  const TemporaryFolder folder;
  const std::string log = folder.file("log.csv");
  const json settings = {{"model", "bloom-560m"},
                         {"cluster", testing::kThreePhones},
                         {"planner", "dp"},
                         {"objective", "throughput"},
                         {"max-tokens", 12},
                         {"requests", 8},
                         {"in-flight", 4},
                         {"lose", {"oneplus-6:9s"}},
                         {"log", log}};
  std::string said;
  Audience audience;
  audience.say = [&](const std::string& text) { said += text; };
  const json made = without_wall_time(simulate_json(request_of(settings), audience));
  EXPECT_EQ(made,
            printed({"simulate", "bloom-560m", "--cluster", testing::kThreePhones, "--planner",
                     "dp", "--objective", "throughput", "--max-tokens", "12", "--requests", "8",
                     "--in-flight", "4", "--lose", "oneplus-6:9s", "--json"}));
  EXPECT_EQ(made["recoveries"].size(), 1U);
  EXPECT_THAT(read_file(log), ::testing::HasSubstr("oneplus-9"));
  EXPECT_EQ(said,
            "lingua: event log and metrics lack what oneplus-6 had noted and not sent when it was "
            "lost\nevent log: " +
                log + "\n");
}

TEST(Simulation, EverySettingOfTheProgramIsOneOfJson) {
  const auto help = testing::lingua({"simulate", "--help"});
  std::set<std::string> options;
  const std::regex option("(^|\\n) +(-h,)?--([a-z0-9-]+)");
  for (std::sregex_iterator at(help.out.begin(), help.out.end(), option), end; at != end; ++at)
    options.insert((*at)[3]);
  options.erase("help");
  EXPECT_GT(options.size(), 50U);
  SimulationRequest request;
  std::set<std::string> settings;
  for (const json& one :
       settings_json([&](SettingVisitor& visitor) { visit_simulation(request, visitor); }))
    settings.insert(one["name"]);
  EXPECT_EQ(settings, options);
}

}  // namespace
}  // namespace lingua
