// Which way each request takes to another plan, by what is predicted of all.

#include "runtime/balance/crossing_choice.h"

#include <gtest/gtest.h>

#include "tests/balance/slow_phone.h"

namespace lingua {
namespace {

using testing::SlowPhone;

// phone1 is five times slower; segment 2 goes from it to phone0. Links carry `bytes_per_s`.
struct Choice {
  explicit Choice(double bytes_per_s, double state_bytes = 4096) : run(3, 5) {
    run.instance.segmentation.freedom = {true, true};
    for (Segment& segment : run.instance.segmentation.segments) {
      segment.state = {{100 + segment.id,
                        "k",
                        DType::kInt8,
                        {kCapacity, static_cast<std::int64_t>(state_bytes)}}};
      segment.flops = StepFunction({0, 1e7, 0, 0, 0, 0});  // a millisecond a token
      segment.bytes_moved = segment.weights_read = 1e8;    // and ten a step
    }
    run.instance.cluster.links.clear();
    run.instance.cluster.shared_bytes_per_s = 0;
    run.instance.cluster.default_link = {bytes_per_s, Seconds(0.005)};
    for (DeviceSpec& device : run.instance.cluster.devices) {
      device.flops_per_s = 1e10;
      device.memory_bytes_per_s = 1e10;
      device.memory_bytes = 1e12;
    }
    run.request = run.instance.request(Objective::kLatency);
    present = run.present();
    after = run.plan;
    after.stages[0].last_segment = 2;
    after.stages[1].first_segment = 3;
    after.transfers = transfers_of(run.instance.segmentation, after.stages);
  }

  CrossingChoice operator()(const std::vector<RequestLeft>& requests, double stop_s = 0.1) const {
    return choose_crossing(Forecast(run.request, present, requests), run.plan, after, stop_s);
  }

  SlowPhone run;
  ClusterSpec present;
  Plan after;
};

RequestLeft request(std::int64_t id, std::int64_t prompt, std::int64_t made, std::int64_t max) {
  return {prompt, made, max, true, id};
}

TEST(CrossingChoice, SmallStatesAreKeptAndLargeOnesRebuilt) {
  const std::vector<RequestLeft> requests = {request(7, 500, 10, 1000)};
  const CrossingChoice small = Choice(1e7)(requests);
  EXPECT_TRUE(small.crossings.of(7) == Crossing::kMove ||
              small.crossings.of(7) == Crossing::kKeepTwice);
  const CrossingChoice large = Choice(1e7, 1e6)(requests);
  EXPECT_EQ(large.crossings.of(7), Crossing::kRebuild);
  EXPECT_LT(small.pause_s, large.pause_s / 10);
}

// 509 tokens of 4 kB over 1 MB/s: two seconds, in which nothing else happens where they move.
TEST(CrossingChoice, IdleLinksCopyAheadWhatWouldPauseForLong) {
  const CrossingChoice choice = Choice(1e6)({request(7, 500, 10, 1000)});
  EXPECT_EQ(choice.crossings.of(7), Crossing::kKeepTwice);
  EXPECT_NEAR(choice.copy_s, 509 * 4096 / 1e6, 0.1);
  EXPECT_LT(choice.pause_s, choice.copy_s);
}

TEST(CrossingChoice, WhoIsNearlyOverEndsWhereItRuns) {
  const CrossingChoice choice =
      Choice(1e7)({request(7, 500, 999, 1000), request(8, 500, 10, 1000)});
  EXPECT_EQ(choice.crossings.of(7), Crossing::kEnd);
  EXPECT_NE(choice.crossings.of(8), Crossing::kEnd);
}

// One that ends alone gains nothing: the pause of the other remains.
TEST(CrossingChoice, AllThatAreNearlyOverEndTogether) {
  const std::vector<RequestLeft> over = {request(7, 500, 999, 1000), request(8, 500, 999, 1000)};
  const CrossingChoice choice = Choice(1e7)(over);
  EXPECT_EQ(choice.crossings.of(7), Crossing::kEnd);
  EXPECT_EQ(choice.crossings.of(8), Crossing::kEnd);
  EXPECT_EQ(choice.pause_s, 0);
}

// Whose stage takes the longest is what tokens wait at; told to stop, it has begun the next of them.
TEST(CrossingChoice, AHeaderThatTokensWaitForPausesThemForAStepMore) {
  Choice choose(1e7);
  const std::vector<RequestLeft> requests = {request(7, 500, 10, 1000), request(8, 500, 10, 1000)};
  const auto pause_s = [&](const DeviceName& slow) {
    choose.present = choose.run.instance.cluster;
    for (DeviceSpec& device : choose.present.devices) {
      if (device.name == slow) device.slow_down(5);
    }
    const Forecast forecast(choose.run.request, choose.present, requests);
    EXPECT_EQ(forecast.slow_header_s(choose.run.plan) > 0, slow == "phone0");
    const double ways_s = cost_of_crossing(forecast, choose.run.plan, choose.after, 0.1,
                                           {Crossing::kMove, Crossing::kMove})
                              .pause_s;
    const double token_s = forecast.token_s(choose.run.plan);
    return ways_s - std::max(token_s, forecast.token_s(choose.after)) - token_s / 4;
  };
  // Two segments, each of a millisecond a token and ten a step, five times as long.
  EXPECT_NEAR(pause_s("phone0") - pause_s("phone2"), 2 * 5 * 0.011, 0.012);
}

TEST(CrossingChoice, AModelThatCannotDoWithAPartOfAPromptIsRebuilt) {
  Choice choose(1e8);
  choose.run.instance.segmentation.freedom.chunks = false;
  const CrossingChoice choice = choose({request(7, 500, 10, 1000)});
  EXPECT_EQ(choice.crossings.of(7), Crossing::kRebuild);
  EXPECT_EQ(choice.copy_s, 0);
}

TEST(CrossingChoice, StatesThatHaveNoRoomTwiceAreRebuilt) {
  Choice choose(1e8);
  for (DeviceSpec& device : choose.present.devices) device.memory_bytes = 1e4;
  EXPECT_EQ(choose({request(7, 500, 10, 1000)}).crossings.of(7), Crossing::kRebuild);
}

// Held against all ways for three requests of different length, of which those that are nearly over may end: none
// costs less than what was chosen.
TEST(CrossingChoice, NoOtherWaysCostLess) {
  Rng rng(5);
  for (int round = 0; round < 12; ++round) {
    const Choice choose(std::pow(10, rng.uniform(3.5, 7)));
    std::vector<RequestLeft> requests;
    for (std::int64_t id = 0; id < 3; ++id) {
      const auto prompt = static_cast<std::int64_t>(1 + rng.below(600));
      const auto made = static_cast<std::int64_t>(rng.below(50));
      requests.push_back(
          request(id, prompt, made, made + 100 + static_cast<std::int64_t>(rng.below(400))));
    }
    const Forecast forecast(choose.run.request, choose.present, requests);
    const CrossingChoice chosen = choose(requests);
    double least = std::numeric_limits<double>::infinity();
    for (int ways = 0; ways < 27; ++ways) {
      const auto way = [&](int divisor) {
        return static_cast<Crossing>(1 + ways / divisor % 3);  // rebuilt, moved, kept twice
      };
      least = std::min(least, cost_of_crossing(forecast, choose.run.plan, choose.after, 0.1,
                                               {way(1), way(3), way(9)})
                                  .loss_s);
    }
    EXPECT_LE(chosen.loss_s, 1.02 * least + 1e-9) << "round " << round;
  }
}

}  // namespace
}  // namespace lingua
