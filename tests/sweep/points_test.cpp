#include "runtime/sweep/points.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <vector>

#include "runtime/sweep/file_digests.h"
#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::refusal;

SweepPoints points_of(const std::string& yaml) {
  return SweepPoints(parse_sweep(yaml, "s.yaml", testing::check_setting));
}

std::vector<std::uint64_t> numbers(const SweepPoints& points, const SweepShard& shard = {}) {
  std::vector<std::uint64_t> all;
  for (auto point = points.next(0, shard); point; point = points.next(point->number + 1, shard))
    all.push_back(point->number);
  return all;
}

TEST(SweepPoints, AreThoseOfNestedLoopsInTheirOrder) {
  const SweepPoints points = points_of(
      "base: {model: toy}\naxes:\n  planner: [even, dp, cbc]\n  seed: [9, 1..3]\n"
      "  phones: [{cluster: a, in-flight: 1}, {cluster: b}]\n");
  std::uint64_t number = 0;
  for (const char* planner : {"even", "dp", "cbc"}) {
    for (const int seed : {9, 1, 2, 3}) {
      for (const char* cluster : {"a", "b"}) {
        json axes = {{"planner", planner}, {"seed", seed}, {"cluster", cluster}};
        if (*cluster == 'a') axes["in-flight"] = 1;
        const SweepPoint point = points.at(number);
        EXPECT_EQ(point.number, number);
        EXPECT_EQ(point.axes, axes);
        axes["model"] = "toy";
        EXPECT_EQ(point.settings, axes);
        ++number;
      }
    }
  }
  EXPECT_EQ(points.size(), number);
  EXPECT_EQ(points.count(), number);
}

TEST(SweepPoints, LeaveOutWhatAnExpressionExcludes) {
  const SweepPoints points = points_of(testing::kHundred);
  EXPECT_EQ(points.size(), 120u);
  EXPECT_EQ(points.count(), 100u);
  std::vector<std::uint64_t> expected;
  for (std::uint64_t n = 0; n < 120; ++n)
    if (n >= 40 || n % 2 == 0) expected.push_back(n);
  EXPECT_EQ(numbers(points), expected);
}

TEST(SweepPoints, ExpressionsSeeEachSettingUnderItsNameAndNoneWhereItIsNotSet) {
  const SweepPoints points = points_of(
      "base: {supply: [slow, away]}\n"
      "axes:\n  p: [{in-flight: 1}, {int8: fit}, {in-flight: 3, int8: all}]\n  seed: 1..4\n"
      "exclude:\n  - int8 is none\n  - in_flight is not none and seed in [2, 4]\n"
      "  - int8 == \"fit\" and seed in range(3, 5) and \"away\" in supply\n");
  EXPECT_THAT(numbers(points), ElementsAre(4, 5, 8, 10));
}

TEST(SweepPoints, SayWhichPointAnExpressionCannotBeComputedOf) {
  const SweepPoints points = points_of("axes: {planner: [even, 3]}\nexclude: ['planner > 2']\n");
  EXPECT_THAT(refusal<InputError>([&] { numbers(points); }),
              ::testing::AllOf(HasSubstr("s.yaml: exclude[0]: line 1: "),
                               HasSubstr(R"(for {"planner":"even"})")));
}

TEST(SweepPoints, OfShardsAreApartAndTogetherAll) {
  const SweepPoints points = points_of(testing::kHundred);
  for (const std::uint64_t count : {1, 2, 3, 7, 200}) {
    std::vector<std::uint64_t> together;
    for (std::uint64_t index = 0; index < count; ++index) {
      const std::vector<std::uint64_t> shard = numbers(points, {index, count});
      EXPECT_EQ(shard.size(), points.count({index, count}));
      for (const std::uint64_t number : shard) EXPECT_EQ(number % count, index);
      together.insert(together.end(), shard.begin(), shard.end());
    }
    std::sort(together.begin(), together.end());
    EXPECT_EQ(together, numbers(points)) << count;
  }
  const SweepPoints plain = points_of("axes: {seed: 1..10}\n");
  EXPECT_EQ(plain.count({2, 3}), 3u);
  EXPECT_EQ(plain.count({0, 3}), 4u);
  EXPECT_EQ(plain.count({11, 20}), 0u);
}

TEST(SweepShard, IsReadAsWritten) {
  EXPECT_EQ(parse_shard("1/8").index, 0u);
  EXPECT_EQ(parse_shard("8/8").index, 7u);
  EXPECT_EQ(parse_shard("3/8").text(), "3/8");
  for (const char* text : {"", "1", "/", "0/8", "9/8", "1/0", "1/8x", " 1/8", "-1/8", "1//8",
                           "1/18446744073709551615"})
    EXPECT_THAT(refusal<UsageError>([&] { parse_shard(text); }), HasSubstr("write I/N")) << text;
}

TEST(SweepConfiguration, HasAnIdThatStaysAndDependsOnAllThatDecides) {
  const json settings = {{"model", "toy"}, {"seed", 7}};
  const auto id = [](const std::string& what, const json& with, const ResolveSettings& resolve) {
    return configuration_of(what, with, resolve).id;
  };
  const std::string plain = id("simulate", settings, nullptr);
  EXPECT_EQ(plain, "decbdb74f4bc573d4db8c737f324bd88");
  EXPECT_EQ(configuration_of("simulate", settings, nullptr).seed, 7);
  const auto resolve = [](const json&) { return json{{"files", {{"a", "1"}}}, {"seed", 9}}; };
  const std::set<std::string> ids = {plain, id("plan", settings, nullptr),
                                     id("simulate", settings, resolve),
                                     id("simulate", {{"model", "toy"}, {"seed", 8}}, nullptr),
                                     id("simulate", {{"model", "toy"}, {"seed", "7"}}, nullptr)};
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_EQ(configuration_of("plan", {{"model", "toy"}}, resolve).seed, 9);
  EXPECT_EQ(configuration_of("plan", {{"model", "toy"}}, nullptr).seed, std::nullopt);
}

TEST(FileDigests, AreOfContentAndFollowItsChanges) {
  const testing::SweepFolder folder;
  folder.write("a", "one");
  folder.write("b", "one");
  FileDigests digests;
  const std::string one = digests.of(folder.path("a"));
  EXPECT_EQ(one.size(), 32u);
  EXPECT_EQ(digests.of(folder.path("b")), one);
  folder.write("a", "another");
  EXPECT_NE(digests.of(folder.path("a")), one);
  std::filesystem::create_directories(folder.path("model/inner"));
  folder.write("model/x", "1");
  folder.write("model/inner/y", "2");
  const std::string whole = digests.of(folder.path("model"));
  folder.write("model/inner/y", "23");
  EXPECT_NE(digests.of(folder.path("model")), whole);
  EXPECT_THAT(refusal<InputError>([&] { digests.of(folder.path("none")); }), HasSubstr("none: No"));
}

}  // namespace
}  // namespace lingua
