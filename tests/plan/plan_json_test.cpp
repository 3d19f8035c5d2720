#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/predict/estimate.h"
#include "tests/plan/hand_model.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Plan full_plan() {
  Plan plan = testing::hand_plan();
  plan.segmentation = mark_of(testing::hand_model());
  plan.objective = Objective::kThroughput;
  plan.stages[1].stored_segments = {0, 2};
  plan.estimate =
      estimate(plan, testing::hand_model(), testing::hand_cluster(), testing::hand_workload());
  plan.optimality = Optimality::kFeasible;
  plan.gap = 0.1;
  plan.planning_s = 1.0 / 3;
  return plan;
}

// Every place in a document, as pointers.
std::vector<json::json_pointer> places(const json& root) {
  std::vector<json::json_pointer> result;
  const json flat = root.flatten();
  for (const auto& item : flat.items()) {
    for (json::json_pointer at(item.key()); !at.empty(); at = at.parent_pointer()) {
      if (std::find(result.begin(), result.end(), at) == result.end()) result.push_back(at);
    }
  }
  return result;
}

TEST(PlanJson, KeepsAllOfAPlanThroughText) {
  const json written = plan_to_json(full_plan());
  const Plan read = plan_from_json(json::parse(written.dump()), "plan.json");
  EXPECT_EQ(plan_to_json(read), written);
  EXPECT_EQ(read.stages[1].stored_segments, (std::vector<SegmentId>{0, 2}));
  EXPECT_EQ(read.planning_s, 1.0 / 3);
  EXPECT_EQ(read.transfers[1].bytes, full_plan().transfers[1].bytes);
  EXPECT_NO_THROW(
      check_plan(read, testing::hand_model(), testing::hand_cluster(), testing::hand_workload()));
}

TEST(PlanJson, KeepsKeepers) {
  Plan plan = full_plan();
  plan.stages = {{"A", 0, 2, {}}};
  plan.transfers.clear();
  plan.estimate = {};
  plan.keepers = {{"C", {0, 2}}, {"B", {1}}};
  const json written = plan_to_json(plan);
  const Plan read = plan_from_json(json::parse(written.dump()), "plan.json");
  EXPECT_EQ(plan_to_json(read), written);
  ASSERT_EQ(read.keepers.size(), 2U);
  EXPECT_EQ(read.keepers[0].device, "C");
  EXPECT_EQ(read.keepers[0].stored_segments, (std::vector<SegmentId>{0, 2}));
  EXPECT_NO_THROW(
      check_plan(read, testing::hand_model(), testing::hand_cluster(), testing::hand_workload()));
}

TEST(PlanJson, NamesTheFieldOfAKeeperAtFault) {
  json written = plan_to_json(full_plan());
  written["keepers"] = {{{"device", "D"}, {"stored_segments", {0, -1}}}};
  try {
    plan_from_json(written, "plan.json");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("plan.json: keepers[0].stored_segments[1]: -1"));
  }
  written["keepers"] = {{{"device", "D"}, {"stored_segments", {0}}, {"runs", 1}}};
  EXPECT_THROW(plan_from_json(written, "plan.json"), InputError);
}

TEST(PlanJson, NamesTheFileTheFieldAndTheValueAtFault) {
  json written = plan_to_json(full_plan());
  written["stages"][2]["first_segment"] = -1;
  try {
    plan_from_json(written, "plan.json");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), std::string("plan.json: stages[2].first_segment: -1 is not accepted; "
                                        "write a whole number of at least 0"));
  }
  written.erase("stages");
  try {
    plan_from_json(written, "plan.json");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), std::string("plan.json: field 'stages' is missing"));
  }
}

TEST(PlanJson, RefusesEveryMissingFieldOfWhatIsThere) {
  const json written = plan_to_json(full_plan());
  int refused = 0;
  for (const json::json_pointer& place : places(written)) {
    json changed = written;
    const bool optional = place.parent_pointer().empty() || place.back() == "stored_segments";
    if (optional || !changed[place.parent_pointer()].is_object()) continue;
    changed[place.parent_pointer()].erase(place.back());
    EXPECT_THROW(plan_from_json(changed, "plan.json"), InputError) << place.to_string();
    ++refused;
  }
  EXPECT_GT(refused, 50);
}

TEST(PlanJson, ReadsStagesWrittenByHand) {
  const json by_hand = json::parse(R"({"stages": [
      {"device": "A", "first_segment": 0, "last_segment": 0},
      {"device": "B", "first_segment": 1, "last_segment": 2}]})");
  const Plan plan = plan_from_json(by_hand, "plan.json");
  ASSERT_EQ(plan.stages.size(), 2u);
  EXPECT_EQ(plan.stages[1].device, "B");
  EXPECT_EQ(plan.stages[1].last_segment, 2);
  EXPECT_TRUE(plan.stages[1].stored_segments.empty());
  EXPECT_TRUE(plan.segmentation.digest.empty());
}

TEST(PlanJson, RefusesAStagesFieldThatIsNotKnown) {
  json written = plan_to_json(full_plan());
  written["stages"][0]["stored_segment"] = json::array();
  try {
    plan_from_json(written, "plan.json");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("plan.json: stages[0]: field 'stored_segment' is not known; "
                          "write device, first_segment, last_segment"));
  }
}

TEST(PlanJson, RefusesEveryFieldOfAnotherType) {
  const json written = plan_to_json(full_plan());
  const std::vector<json> others = {
      nullptr, true,      -1.5, "x", json::array({json::array()}), json::object({{"a", 1}}),
      1e300,   "\xff\xfe"};
  int refused = 0;
  for (const json::json_pointer& place : places(written)) {
    for (const json& other : others) {
      json changed = written;
      const bool number_for_number = changed[place].is_number() && other.is_number();
      if (changed[place].type() == other.type() || number_for_number) continue;
      changed[place] = other;
      EXPECT_THROW(plan_from_json(changed, "plan.json"), InputError)
          << place.to_string() << " = "
          << other.dump(-1, ' ', true, json::error_handler_t::replace);
      ++refused;
    }
  }
  EXPECT_GT(refused, 300);
}

TEST(PlanJson, RefusesNumbersOutOfRange) {
  const json written = plan_to_json(full_plan());
  for (const auto& [place, value] :
       {std::pair<const char*, json>{"/stages/0/first_segment", 0.5},
        {"/stages/0/last_segment", 4294967296},
        {"/stages/0/last_segment", std::uint64_t{18446744073709551615U}},
        {"/stages/1/stored_segments/0", -2},
        {"/transfers/0/value", 2147483648},
        {"/estimate/latency_s", -1},
        {"/planning_s", -1},
        {"/objective", "speed"},
        {"/optimality", "perfect"},
        {"/stages", json::array()},
        {"/transfers/0/bytes", json::array({1, 2, 3})}}) {
    json changed = written;
    changed[json::json_pointer(place)] = value;
    EXPECT_THROW(plan_from_json(changed, "plan.json"), InputError) << place;
  }
}

TEST(PlanJson, NeverFailsOnBrokenTextInAnyOtherWay) {
  const std::string text = plan_to_json(full_plan()).dump();
  Rng rng(7);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string broken = text;
    for (int k = 0; k < 2; ++k) broken[rng.below(broken.size())] = "0-9\"{}[],:xe."[rng.below(14)];
    const json parsed = json::parse(broken, nullptr, false);
    if (parsed.is_discarded()) continue;
    try {
      plan_from_json(parsed, "plan.json");
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace lingua
