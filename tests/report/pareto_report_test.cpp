#include "runtime/report/pareto_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::Instance;
using testing::random_instance;

const std::vector<Objective> kTimeAndEnergy = {Objective::kLatency, Objective::kEnergy};

TEST(ParetoReport, IsShownAsTableJsonAndPicture) {
  const Instance instance = random_instance(3, testing::Paths::kChain);
  const ParetoFront front =
      pareto_front("dp", instance.request(Objective::kLatency), kTimeAndEnergy);
  const std::string table = pareto_table(front);
  EXPECT_THAT(table, HasSubstr("latency"));
  EXPECT_THAT(table, HasSubstr("J/token"));
  const nlohmann::json json = pareto_to_json(front);
  EXPECT_EQ(json["points"].size(), front.points.size());
  EXPECT_EQ(json["points"][0]["values"]["latency"], front.points[0].values[0]);
  EXPECT_EQ(json["points"][0]["plan"]["stages"].size(), front.points[0].plan.stages.size());
  const std::string picture = pareto_picture(front);
  EXPECT_EQ(picture.find("<svg"), 0U);
  EXPECT_EQ(picture.find("nan"), std::string::npos);
  EXPECT_EQ(picture.find("inf"), std::string::npos);
  EXPECT_EQ(picture, pareto_picture(front));
}

// Numbers of points that lie on each other: each label stands clear of all others.
TEST(ParetoReport, ItsPictureHasAPlaceForEveryLabelAndGoal) {
  Instance instance = random_instance(3, testing::Paths::kChain);
  ParetoFront front;
  front.goals = {Objective::kLatency, Objective::kThroughput, Objective::kEnergy};
  const PlanRequest request = instance.request(Objective::kLatency);
  const Plan plan = make_plan("dp", request);
  for (int i = 0; i < 14; ++i)
    front.points.push_back({plan, {2 + 0.002 * i, 0.1 - 0.0001 * i, 0.3 + 0.001 * i}});
  const std::string picture = pareto_picture(front);
  EXPECT_THAT(picture, HasSubstr("throughput, tokens/s (more is better)"));
  EXPECT_THAT(picture, HasSubstr("latency, s (less is better)"));
  EXPECT_THAT(picture, HasSubstr("energy, J per token (less is better)"));
  struct Label {
    double x = 0;
    double y = 0;
  };
  std::vector<Label> labels;
  // <text x="12.0" y="34.0" text-anchor="middle" font-weight="bold" font-size="14">5</text>
  const std::string head = "<text x=\"";
  const std::string tail = "text-anchor=\"middle\" font-weight=\"bold\" font-size=\"14\">";
  for (auto at = picture.find(head); at != std::string::npos; at = picture.find(head, at + 1)) {
    Label label;
    int end = 0;
    const char* numbers = picture.c_str() + at + head.size();
    if (std::sscanf(numbers, "%lf\" y=\"%lf\" %n", &label.x, &label.y, &end) == 2 &&
        std::string_view(numbers + end).starts_with(tail)) {
      labels.push_back(label);
    }
  }
  ASSERT_EQ(labels.size(), 2 * front.points.size());
  for (std::size_t a = 0; a < labels.size(); ++a) {
    for (std::size_t b = a + 1; b < labels.size(); ++b) {
      EXPECT_TRUE(std::abs(labels[a].x - labels[b].x) >= 9 ||
                  std::abs(labels[a].y - labels[b].y) >= 13)
          << a << " and " << b;
    }
  }
}

}  // namespace
}  // namespace lingua
