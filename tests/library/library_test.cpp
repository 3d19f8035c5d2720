// liblingua.so as other programs have it: this one links nothing else of ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "runtime/include/lingua/lingua.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

json small(const json& more = json::object()) {
  json settings = {{"model", "bloom-560m"},
                   {"cluster", LINGUA_SOURCE "/platforms/three-phones.yaml"},
                   {"max_tokens", 2}};
  settings.update(more);
  return settings;
}

int code_of(const std::function<void()>& act, const std::string& word) {
  try {
    act();
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr(word));
    return failure.exit_code();
  }
  return 0;
}

TEST(Library, PlansAndSimulatesOftenInOneProcessAndLeavesNothingInIt) {
  const json planned = json::parse(plan(small().dump()));
  EXPECT_EQ(planned.at("planner"), "cbc");
  const json first = json::parse(simulate(small().dump()));
  const json second = json::parse(simulate(small().dump()));
  EXPECT_EQ(first.at("digest"), second.at("digest"));
  EXPECT_EQ(first.at("world"), "simulated");
  EXPECT_EQ(first.at("requests").size(), 1U);
  std::ostringstream maps;
  maps << std::ifstream("/proc/self/maps").rdbuf();
  EXPECT_THAT(maps.str(), HasSubstr("liblingua.so"));
  EXPECT_THAT(maps.str(), Not(HasSubstr("libtorch")));
}

TEST(Library, FailuresHaveTheProgramsExitCodes) {
  EXPECT_EQ(code_of([] { plan("{"); }, "JSON"), 2);
  EXPECT_EQ(code_of([] { plan(small({{"max_tokens", 0}}).dump()); }, "max-tokens"), 2);
  EXPECT_EQ(code_of(
                [] {
                  simulate(small({{"cluster", "/nonexistent.yaml"}}).dump());
                },
                "/nonexistent.yaml"),
            3);
  EXPECT_EQ(code_of([] { emulate(small().dump()); }, "bloom-560m"), 3);  // which has no weights
  EXPECT_EQ(code_of([] { settings_of("fly"); }, "'fly'"), 2);
  EXPECT_EQ(code_of([] { sweep_rows("/nonexistent.db"); }, "/nonexistent.db"), 3);
}

TEST(Library, WhatAHookThrowsEndsTheCall) {
  CallHooks hooks;
  int ticks = 0;
  hooks.tick = [&] {
    if (++ticks == 2) throw std::runtime_error("enough");
  };
  const json large = small({{"max_tokens", 4000}, {"requests", 4000}, {"planner", "even"}});
  EXPECT_THROW(simulate(large.dump(), hooks), std::runtime_error);
  EXPECT_EQ(ticks, 2);
}

TEST(Library, SettingsTellTheirLimits) {
  for (const json& setting : json::parse(settings_of("simulate"))) {
    if (setting.at("name") != "max-tokens") continue;
    EXPECT_EQ(setting.at("type"), "integer");
    EXPECT_EQ(setting.at("default"), 16);
    EXPECT_EQ(setting.at("least"), 1);
    return;
  }
  FAIL() << "no max-tokens";
}

TEST(Library, SweepsGiveARowForEachPoint) {
  const std::string folder = ::testing::TempDir() + "/lingua-library-test-";
  SweepCall call;
  call.spec = folder + "spec.yaml";
  call.database = folder + "sweep.db";
  std::remove(call.database.c_str());
  json base = small();
  base["max-tokens"] = base["max_tokens"];
  base.erase("max_tokens");
  std::ofstream(call.spec) << json{{"base", base}, {"axes", {{"planner", {"even", "dp"}}}}};
  EXPECT_EQ(json::parse(preview_sweep(call, 1)).at("points"), 2);
  std::uint64_t done = 0;
  SweepHooks hooks;
  hooks.advance = [&](const SweepAdvance& now) { done = now.done; };
  EXPECT_EQ(json::parse(run_sweep(call, hooks)).at("done"), 2);
  EXPECT_EQ(done, 2U);
  std::istringstream rows(sweep_rows(call.database));
  std::vector<std::string> planners;
  for (std::string line; std::getline(rows, line);) {
    const json row = json::parse(line);
    EXPECT_EQ(row.at("state"), "done") << line;
    EXPECT_THAT(row.at("version").get<std::string>(), HasSubstr(versions().program));
    planners.push_back(row.at("axes").at("planner"));
  }
  EXPECT_THAT(planners, ::testing::ElementsAre("even", "dp"));
}

}  // namespace
}  // namespace lingua
