#include "runtime/report/result_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Planner, phones, link, seed, rate.
ResultTable table_of(const std::vector<std::vector<ResultValue>>& rows) {
  ResultTable table;
  table.title = "test";
  table.columns = {{"planner", "", ColumnKind::kAxis},
                   {"phones", "", ColumnKind::kAxis},
                   {"link", "Mbit/s", ColumnKind::kAxis},
                   {"seed", "", ColumnKind::kSeed},
                   {"rate", "tokens/s", ColumnKind::kResult}};
  std::int64_t id = 0;
  for (const auto& values : rows) table.rows.push_back({++id, values, kDone, "", {}});
  return table;
}

ResultTable two_planners() {
  return table_of({{"even", 2.0, 20.0, 0.0, 1.0},
                   {"even", 2.0, 20.0, 1.0, 3.0},
                   {"even", 10.0, 20.0, 0.0, 5.0},
                   {"cbc", 2.0, 20.0, 0.0, 7.0},
                   {"cbc", 10.0, 20.0, 0.0, 9.0}});
}

TEST(PlotGroups, JoinsWhatDiffersInSeedsOnly) {
  const std::vector<PlotGroup> groups =
      plot_groups(two_planners(), {"phones", "rate", "planner", {}});
  ASSERT_EQ(groups.size(), 4U);
  EXPECT_EQ(groups[0].series, ResultValue("even"));  // first in the rows
  EXPECT_EQ(groups[0].x, ResultValue(2.0));
  EXPECT_THAT(groups[0].values, ElementsAre(1, 3));
  EXPECT_THAT(groups[0].rows, ElementsAre(1, 2));
  EXPECT_EQ(groups[1].x, ResultValue(10.0));  // as numbers, not as texts
  EXPECT_EQ(groups[2].series, ResultValue("cbc"));
}

TEST(PlotGroups, RefusesToAverageOverAnAxis) {
  ResultTable table = two_planners();
  table.rows[1].values[2] = 80.0;
  try {
    plot_groups(table, {"phones", "rate", "planner", {}});
    FAIL() << "averaged over two links";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("rows 1 and 2 would be averaged but differ in 'link' (20 and 80)"));
  }
  const auto held = plot_groups(table, {"phones", "rate", "planner", {{"link", 80.0}}});
  ASSERT_EQ(held.size(), 1U);
  EXPECT_THAT(held[0].values, ElementsAre(3));
  EXPECT_EQ(plot_groups(table, {"link", "rate", "planner", {{"phones", 2.0}}}).size(), 3U);
}

TEST(PlotGroups, LeavesOutWhatHasNoResult) {
  ResultTable table = two_planners();
  table.rows[0].state = "failed";
  table.rows[1].values[4] = std::nan("");
  table.rows[2].values[4] = ResultValue();
  table.rows[3].values[1] = std::nan("");
  table.rows[4].values[4] = "text";
  EXPECT_THAT(plot_groups(table, {"phones", "rate", "planner", {}}), IsEmpty());
}

TEST(PlotGroups, NamesTheColumnsThereAre) {
  try {
    plot_groups(two_planners(), {"phone", "rate", "", {}});
    FAIL() << "there is no column 'phone'";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no column 'phone' in 'test'; it has: planner, phones"));
  }
}

TEST(RerunCommand, IsOneCommandForAShellWhateverTheFileIsCalled) {
  EXPECT_EQ(rerun_command({"", "", "out/sweep.db"}, 17), "lingua rerun out/sweep.db 17");
  EXPECT_EQ(rerun_command({"", "", "my $(reboot)'s.db"}, 1),
            "lingua rerun 'my $(reboot)'\\''s.db' 1");
  EXPECT_EQ(rerun_command({"", "", "-x.db"}, 1), "lingua rerun ./-x.db 1");
  EXPECT_EQ(rerun_command({"", "", ""}, 1), "lingua rerun '' 1");
}

TEST(ValueText, IsShort) {
  EXPECT_EQ(value_text(0.1234567), "0.123457");
  EXPECT_EQ(value_text(4.0), "4");
  EXPECT_EQ(value_text("cbc"), "cbc");
  EXPECT_EQ(value_text(ResultValue()), "-");
  EXPECT_EQ(column_title({"TTFT", "s", ColumnKind::kResult}), "TTFT (s)");
}

}  // namespace
}  // namespace lingua
