#include "runtime/app/sweeping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "runtime/app/sweep_results.h"
#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Sweeping : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.file(name)) << text;
    return folder_.file(name);
  }

  TemporaryFolder folder_;
};

TEST_F(Sweeping, TakesTheSettingsOfItsVerbsButNoFilesToWrite) {
  const SweepTools tools = sweep_tools("1");
  for (const char* name : {"model", "cluster", "planner", "seed", "supply", "lose", "slo"})
    EXPECT_EQ(tools.check("simulate", name), "") << name;
  EXPECT_EQ(tools.check("plan", "pareto"), "");
  for (const char* name :
       {"timeline", "log", "save-plan", "json", "trace-messages", "nonsense", ""})
    EXPECT_NE(tools.check("simulate", name), "") << name;
  EXPECT_EQ(tools.check("simulate", "planer"), "planner, plan");
  EXPECT_THAT(tools.check("simulate", "nonsense"), HasSubstr("lingua simulate --help"));
  EXPECT_NE(tools.check("plan", "supply"), "");
  EXPECT_NE(tools.check("plan", "picture"), "");
}

TEST_F(Sweeping, APointIsWhatItsFilesHoldNotWhatTheyAreCalled) {
  const SweepTools tools = sweep_tools("1");
  const std::string file = write("a.yaml", "one");
  const json settings = {{"cluster", file}, {"model", "bloom-560m"}, {"seed", 3}};
  const json first = tools.resolve(settings);
  EXPECT_EQ(first.size(), 1U);
  EXPECT_EQ(first["cluster"][0].get<std::string>().size(), 32U);
  EXPECT_EQ(tools.resolve({{"cluster", write("b.yaml", "one")}}), first);
  EXPECT_NE(tools.resolve({{"cluster", write("b.yaml", "two")}}), first);
  // What is written as NAME=FILE, and what is no file.
  EXPECT_EQ(tools.resolve({{"input-file", json::array({"x=" + file})}})["input-file"][0],
            first["cluster"][0]);
  EXPECT_EQ(tools.resolve({{"planner", file}})["planner"], first["cluster"])
      << "a planner's module";
  EXPECT_EQ(tools.resolve({{"cluster", "drawn:8:3"}, {"objective", file}}), json::object());
}

TEST_F(Sweeping, ACommandSaysAllThatAPointIs) {
  EXPECT_EQ(command_of_point("simulate", {{"cluster", "my phones.yaml"},
                                          {"in-flight", 3},
                                          {"lose", {"a:1s", "b:2s"}},
                                          {"no-kv-cache", true},
                                          {"ignore-eos", false}}),
            "lingua simulate --cluster 'my phones.yaml' --in-flight 3 --lose a:1s --lose b:2s "
            "--no-kv-cache");
}

TEST_F(Sweeping, ResultsHaveAxesFirstAndUnitsByTheirNames) {
  SweepTools tools = sweep_tools("1");
  tools.prepare = nullptr;
  tools.evaluate = [](const std::string&, const json& settings) -> json {
    if (settings["seed"] == 2) throw InfeasibleError("too small");
    return {{"energy_j", 2},
            {"tokens_per_s", 0.5},
            {"digest", "ab"},
            {"dtype", "bf16"},
            {"rule", settings["planner"]},
            {"world", {{"a", 1}}},
            {"devices", json::array({1, 2})}};
  };
  SweepRunRequest request;
  request.spec = write("s.yaml",
                       "name: mine\nbase: {model: bloom-560m}\n"
                       "axes:\n  planner: [dp, even]\n  phones: [{cluster: a, in-flight: 2}]\n"
                       "  seed: 1..2\n");
  request.database = folder_.file("s.db");
  run_sweep(request, tools);
  const ResultTable table = results_of_sweep(request.database);
  EXPECT_EQ(table.title, "mine");
  std::vector<std::string> columns;
  for (const ResultColumn& column : table.columns) columns.push_back(column_title(column));
  EXPECT_THAT(columns, ElementsAre("planner", "cluster", "in-flight", "seed",
                                   "tokens_per_s (tokens/s)", "energy_j (J)", "rule", "world.a"));
  EXPECT_EQ(table.columns[3].kind, ColumnKind::kSeed);
  ASSERT_EQ(table.rows.size(), 4U);
  EXPECT_EQ(table.rows[2].id, 2);
  EXPECT_EQ(table.rows[2].values[0], ResultValue("even"));
  EXPECT_EQ(table.rows[2].values[2], ResultValue(2.0));
  EXPECT_EQ(table.rows[2].values[4], ResultValue(0.5));
  EXPECT_FALSE(table.rows[1].done());
  EXPECT_EQ(table.rows[1].reason, "infeasible: too small");
  EXPECT_EQ(table.rows[1].values[4], ResultValue());
}

}  // namespace
}  // namespace lingua
