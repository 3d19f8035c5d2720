// What is asked of a database: its status, its rows for other programs, one row.

#include <gmock/gmock.h>

#include <sstream>

#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::refusal;
using testing::SweepFolder;
using testing::tools;

SweepTools failing_tools() {
  SweepTools with = tools();
  with.evaluate = [](const std::string& what, const json& settings) -> json {
    if (settings["seed"] == 2) throw InfeasibleError("no plan fits");
    if (settings["seed"] == 3) throw InputError("said \"no\", and why:\nbad");
    return {{"seed", 7}, {"a", {{"b", settings.value("planner", "none")}}}};
  };
  return with;
}

TEST(SweepStatus, CountsWhatIsDoneFailedAndLeft) {
  const SweepFolder folder;
  folder.run("sweep.db", failing_tools(), {0, 2});
  const SweepStatus status = status_of_sweep(folder.path("sweep.db"), {}, 2);
  EXPECT_EQ(status.name, "hundred");
  EXPECT_EQ(status.version, "1.0");
  EXPECT_EQ(status.points, 100u);
  EXPECT_EQ(status.done, 54u);
  EXPECT_EQ(status.failed, 6u);
  EXPECT_EQ(status.left, 40u);
  EXPECT_GT(status.seconds, 0);
  EXPECT_NEAR(status.estimate_s, status.seconds / 60 * 40 / 2, 1e-12);
  EXPECT_THAT(status.reasons, ElementsAre(Pair("infeasible: no plan fits", 3),
                                          Pair("input: said \"no\", and why: bad", 3)));
  EXPECT_EQ(status_of_sweep(folder.path("sweep.db"), {0, 2}, 1).left, 0u);
}

std::string exported(const SweepFolder& folder, SweepFormat format) {
  std::ostringstream out;
  export_sweep(folder.path("sweep.db"), format, out);
  return out.str();
}

TEST(SweepExport, AsCsvHasAColumnForEachSettingAndResult) {
  const SweepFolder folder("axes: {seed: 1..3}\n");
  folder.run("sweep.db", failing_tools());
  std::istringstream lines(exported(folder, SweepFormat::kCsv));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "id,seed,state,reason,a.b,result.seed");
  std::getline(lines, line);
  EXPECT_EQ(line.substr(32), ",1,done,,none,7");
  std::getline(lines, line);
  EXPECT_EQ(line.substr(32), ",2,failed,infeasible: no plan fits,,");
  std::getline(lines, line, '\0');
  EXPECT_EQ(line.substr(32), ",3,failed,\"input: said \"\"no\"\", and why:\nbad\",,\n");
}

TEST(SweepExport, AsJsonLinesHasAllOfARow) {
  const SweepFolder folder("axes: {seed: 1..3}\n");
  folder.run("sweep.db", failing_tools());
  std::istringstream lines(exported(folder, SweepFormat::kJsonLines));
  std::vector<json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["axes"], (json{{"seed", 1}}));
  EXPECT_EQ(rows[0]["results"], (json{{"a.b", "none"}, {"seed", 7}}));
  EXPECT_EQ(rows[0]["state"], "done");
  EXPECT_FALSE(rows[0].contains("reason"));
  EXPECT_EQ(rows[0]["seed"], 1);
  EXPECT_EQ(rows[1]["reason"], "infeasible: no plan fits");
  EXPECT_EQ(rows[2]["number"], 2);
}

TEST(SweepRerun, FindsARowByAsMuchOfItsIdAsTellsItApart) {
  const SweepFolder folder;
  folder.run();
  const SweepPoints points(load_sweep(folder.path("sweep.yaml"), nullptr));
  const SweepPoint point = points.at(77);
  const std::string id = configuration_of("simulate", point.settings, nullptr).id;
  for (const std::size_t digits : {32, 12}) {
    const SweepRow row = find_in_sweep(folder.path("sweep.db"), id.substr(0, digits));
    EXPECT_EQ(row.number, 77);
    EXPECT_EQ(task_of(row).settings, point.settings);
  }
  const auto said = [&](const std::string& prefix) {
    return refusal<UsageError>([&] { find_in_sweep(folder.path("sweep.db"), prefix); });
  };
  EXPECT_THAT(said(""), HasSubstr("'' is the beginning of several ids in"));
  EXPECT_THAT(said("xyz"), HasSubstr("'xyz' is no point's id in"));
  EXPECT_THAT(said("%"), HasSubstr("'%' is no point's id in"));
}

}  // namespace
}  // namespace lingua
