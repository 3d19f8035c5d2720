#include "runtime/app/reproduction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/app/sweeping.h"
#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Planner, model, cluster, rate; a rate of nothing is a point that failed.
ResultTable table_of(const std::vector<std::vector<ResultValue>>& rows) {
  ResultTable table;
  table.columns = {{"planner", "", ColumnKind::kAxis},
                   {"model", "", ColumnKind::kAxis},
                   {"cluster", "", ColumnKind::kAxis},
                   {"rate", "tokens/s", ColumnKind::kResult}};
  std::int64_t id = 0;
  for (const auto& values : rows) {
    const bool done = !std::holds_alternative<std::monostate>(values.back());
    table.rows.push_back(
        {id++, values, done ? kDone : "failed", done ? "" : "infeasible: 'b' has 2 GB", {}});
  }
  return table;
}

const Comparison kDpOverEven = {"dp over even", "ours", {{"planner", "dp"}}, {{"planner", "even"}}};

// Ratios: a 3, b failed on one side, c 1.5, d failed on both; e has no partner.
ResultTable example() {
  return table_of({{"even", "a", "drawn:5:1:good", 2.0},
                   {"even", "b", "drawn:5:1:good", 4.0},
                   {"even", "c", "drawn:5:1:crowded", 4.0},
                   {"even", "d", "drawn:5:1:good", {}},
                   {"dp", "a", "drawn:5:1:good", 6.0},
                   {"dp", "b", "drawn:5:1:good", {}},
                   {"dp", "c", "drawn:5:1:crowded", 6.0},
                   {"dp", "d", "drawn:5:1:good", {}},
                   {"dp", "e", "drawn:5:1:good", 1.0}});
}

TEST(ComparePoints, PairsPointsThatAreTheSameButForWhatIsCompared) {
  const ComparedPoints points = compare_points(example(), kDpOverEven, "rate");
  EXPECT_THAT(points.columns, ElementsAre("model", "cluster"));
  ASSERT_EQ(points.pairs.size(), 4U);
  EXPECT_EQ(points.pairs[0].values[0], ResultValue("a"));
  EXPECT_EQ(points.pairs[0].ratio(), 3.0);
  EXPECT_EQ(points.pairs[1].ratio(), std::nullopt);
  EXPECT_EQ(points.pairs[2].ratio(), 1.5);
}

TEST(ComparePoints, SaysWhichValuesAColumnHas) {
  Comparison wrong = kDpOverEven;
  wrong.over[0].second = "evn";
  EXPECT_FALSE(has_sides(example(), wrong));
  EXPECT_TRUE(has_sides(example(), kDpOverEven));
  const ColumnValues apart = {{"planner", "even"}, {"model", "e"}};  // each is there, on other rows
  EXPECT_FALSE(has_sides(example(), {"", "", apart, apart}));
  try {
    compare_points(example(), wrong, "rate");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "comparison 'dp over even': planner has no value 'evn'; it has even, dp");
  }
}

TEST(ComparePoints, SaysWhatMustBeEqualWhereNothingIsInPairs) {
  const ResultTable table = table_of({{"even", "a", "x", 1.0}, {"dp", "b", "x", 1.0}});
  try {
    compare_points(table, kDpOverEven, "rate");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("those that must be equal are model, cluster"));
  }
}

TEST(SummariseRatios, IsWhatOneCalculatesByHand) {
  const ComparedPoints points = compare_points(example(), kDpOverEven, "rate");
  const RatioSummary summary = summarise_ratios(points.pairs, RatioRange{1.11, 1.5});
  EXPECT_EQ(summary.pairs, 2U);
  EXPECT_EQ(summary.of_failed, 1U);
  EXPECT_EQ(summary.over_failed, 0U);
  EXPECT_EQ(summary.both_failed, 1U);
  EXPECT_EQ(summary.failed(), 2U);
  EXPECT_DOUBLE_EQ(summary.least, 1.5);
  EXPECT_DOUBLE_EQ(summary.median, 2.25);
  EXPECT_DOUBLE_EQ(summary.most, 3);
  EXPECT_NEAR(summary.geometric_mean, 2.1213203, 1e-7);  // the root of 4.5
  EXPECT_EQ(summary.within, 1U);                         // both ends belong to it
}

TEST(SummariseRatios, HasNoneWhereAllFailed) {
  const RatioSummary summary = summarise_ratios({{{}, {}, 2.0}}, RatioRange{1, 2});
  EXPECT_EQ(summary.pairs, 0U);
  EXPECT_EQ(summary.of_failed, 1U);
  EXPECT_EQ(summary.median, 0);
}

TEST(AddGroups, TellsValuesApartByWhatTheyLookLike) {
  ComparedPoints points = compare_points(example(), kDpOverEven, "rate");
  add_groups({"wifi", "cluster", {{"good", "drawn:*:good"}, {"other", "*"}}}, points);
  const std::vector<ValueSummary> by = summaries_by(points, "wifi", std::nullopt);
  ASSERT_EQ(by.size(), 2U);
  EXPECT_EQ(by[0].value, ResultValue("good"));
  EXPECT_EQ(by[0].summary.pairs, 1U);
  EXPECT_DOUBLE_EQ(by[0].summary.median, 3);
  EXPECT_EQ(by[0].summary.failed(), 2U);
  EXPECT_DOUBLE_EQ(by[1].summary.median, 1.5);
  EXPECT_THROW(add_groups({"kind", "cluster", {{"good", "drawn:*:good"}}}, points), InputError);
}

TEST(GrowthAlong, CountsNeighboursThatBothHaveARatio) {
  // x: 1, 2, none, 3 along the models; y: 2, 1, 4, 4.
  const ResultTable table = table_of({{"even", "a", "x", 1.0},
                                      {"even", "b", "x", 1.0},
                                      {"even", "c", "x", {}},
                                      {"even", "d", "x", 1.0},
                                      {"dp", "a", "x", 1.0},
                                      {"dp", "b", "x", 2.0},
                                      {"dp", "c", "x", 1.0},
                                      {"dp", "d", "x", 3.0},
                                      {"even", "a", "y", 1.0},
                                      {"even", "b", "y", 1.0},
                                      {"even", "c", "y", 1.0},
                                      {"even", "d", "y", 1.0},
                                      {"dp", "a", "y", 2.0},
                                      {"dp", "b", "y", 1.0},
                                      {"dp", "c", "y", 4.0},
                                      {"dp", "d", "y", 4.0}});
  const RatioGrowth growth = growth_along(compare_points(table, kDpOverEven, "rate"), "model");
  EXPECT_EQ(growth.steps, 4U);
  EXPECT_EQ(growth.grown, 2U);
}

constexpr const char* kStudy = R"(
question: What is gained?
published: {what: speed-up, range: [1.4, 2], source: a paper}
result: rate
groups:
  wifi: {of: cluster, kinds: {good: "drawn:*:good", crowded: "*"}}
by: [model, wifi]
comparisons:
  - {name: dp over even, arm: ours, of: {planner: dp}, over: {planner: even}}
)";

TEST(ParseStudy, ReadsWhatAStudyHas) {
  const ComparedStudy study = parse_study(kStudy, "study.yaml");
  EXPECT_EQ(study.question, "What is gained?");
  ASSERT_TRUE(study.range());
  EXPECT_EQ(study.range()->high, 2);
  EXPECT_THAT(study.by, ElementsAre("model", "wifi"));
  ASSERT_EQ(study.comparisons.size(), 1U);
  EXPECT_EQ(study.comparisons[0].of, kDpOverEven.of);
}

std::string refusal(std::string yaml, const std::string& from, const std::string& to) {
  yaml.replace(yaml.find(from), from.size(), to);
  try {
    parse_study(yaml, "study.yaml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(ParseStudy, NamesFieldValueAndWhatIsAccepted) {
  EXPECT_EQ(
      refusal(kStudy, "[1.4, 2]", "[2, 1.4]"),
      "study.yaml: published.range: '[2,1.4]' is not accepted; write [LOW, HIGH], both above 0");
  EXPECT_EQ(refusal(kStudy, "arm: ours", "arm: mine"),
            "study.yaml: comparisons[0].arm: 'mine' is not accepted; write one of published, ours, "
            "field");
  EXPECT_EQ(
      refusal(kStudy, "over: {planner: even}", "over: {model: a}"),
      "study.yaml: comparisons[0]: names other columns in 'of' than in 'over'; write the same "
      "ones in both");
  EXPECT_THAT(refusal(kStudy, "question:", "questoin:"),
              HasSubstr("'questoin' is not a field here; write one of question, "));
  EXPECT_EQ(refusal(kStudy, "result: rate", "result: 3"),
            "study.yaml: result: '3' is not accepted; write a text");
}

TEST(ReportStudy, IsTheTableThatOneCalculatesByHand) {
  ComparedStudy study = parse_study(kStudy, "study.yaml");
  study.name = "01-gain";
  const StudyReport report = report_study(study, example(), false);
  EXPECT_EQ(study_text(report), R"(01-gain: What is gained?
published: 1.40 to 2.00, speed-up (a paper)
9 points, 3 failed
  3 as: infeasible: 'b' has 2 GB

comparison      of  pairs  failed  least  median  most  mean  within
dp over even  ours      2       2   1.50    2.25  3.00  2.12  1 of 2

dp over even     pairs  failed  least  median  most  mean  within
  model: a           1       0   3.00    3.00  3.00  3.00  0 of 1
  model: b           0       1      -       -     -     -       -
  model: c           1       0   1.50    1.50  1.50  1.50  1 of 1
  model: d           0       1      -       -     -     -       -
  wifi: good         1       2   3.00    3.00  3.00  3.00  0 of 1
  wifi: crowded      1       0   1.50    1.50  1.50  1.50  1 of 1
)");
  EXPECT_EQ(overall_text({report}),
            "study    comparison      of     published  pairs  failed  least  median  most  mean  "
            "within\n"
            "01-gain  dp over even  ours  1.40 to 2.00      2       2   1.50    2.25  3.00  2.12  "
            "1 of 2\n");
  EXPECT_THAT(study_csv(report), HasSubstr("dp over even,ours,,,2,1,0,1,1.5,2.25,3,2.12132,1\n"
                                           "dp over even,ours,model,a,1,0,0,0,3,3,3,3,0\n"));
  EXPECT_THAT(pairs_csv(report), HasSubstr("comparison,model,cluster,wifi,of,over,ratio\n"
                                           "dp over even,a,drawn:5:1:good,good,6,2,3\n"
                                           "dp over even,b,drawn:5:1:good,good,,4,\n"));
  EXPECT_EQ(study_json(report)["comparisons"][0]["by"]["wifi"][1]["median"], 1.5);
  EXPECT_EQ(ratio_figure(report).series[0].points.size(), 2U);
  EXPECT_THAT(value_figure(report).x.categories,
              ElementsAre("model a", "model c", "wifi good", "wifi crowded"));
}

TEST(ReportStudy, LeavesOutWhatAPartOfTheSweepLacks) {
  ComparedStudy study = parse_study(kStudy, "study.yaml");
  study.comparisons.push_back({"cbc over even", "ours", {{"planner", "cbc"}}, kDpOverEven.over});
  study.by.emplace_back("seed");
  EXPECT_EQ(report_study(study, example(), true).compared.size(), 1U);
  EXPECT_THROW(report_study(study, example(), false), InputError);
}

TEST(ChosenStudies, TakesBeginsThatOneStudyHas) {
  const std::vector<std::string> there = {"03-assignment", "04-multithreading", "04b-more"};
  EXPECT_THAT(chosen_studies(there, {}),
              ElementsAre("03-assignment", "04-multithreading", "04b-more"));
  EXPECT_THAT(chosen_studies(there, {"04-", "03"}),
              ElementsAre("03-assignment", "04-multithreading"));
  EXPECT_THROW(chosen_studies(there, {"04"}), UsageError);
  EXPECT_THROW(chosen_studies(there, {"7"}), UsageError);
}

std::set<std::string> ids_of(const std::filesystem::path& spec) {
  const SweepPoints points(load_sweep(spec, sweep_tools("1").check));
  std::set<std::string> ids;
  for (auto point = points.next(0); point; point = points.next(point->number + 1))
    ids.insert(configuration_of("simulate", point->settings, nullptr).id);
  return ids;
}

// What --quick gives can be held against the whole tables.
TEST(CommittedStudies, HaveQuickPointsThatAreOfTheWholeSweep) {
  const std::filesystem::path specs = LINGUA_STUDIES;
  for (const std::string& name : studies_in(specs)) {
    const std::set<std::string> all = ids_of(specs / name / "sweep.yaml");
    std::vector<std::string> other;
    for (const std::string& id : ids_of(specs / name / "quick.yaml"))
      if (all.count(id) == 0) other.push_back(id);
    EXPECT_THAT(other, IsEmpty()) << name;
    load_study(specs / name);
  }
}

}  // namespace
}  // namespace lingua
