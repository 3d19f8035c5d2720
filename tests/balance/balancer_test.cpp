#include "runtime/balance/balancer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/balance/recover.h"
#include "tests/balance/slow_phone.h"

namespace lingua {
namespace {

using testing::SlowPhone;

std::vector<RequestLeft> long_request() { return {{10, 1, 100'000, true}}; }

// A long request, a report of each phone every half second.
class BalancerTest : public ::testing::Test {
 protected:
  BalancerTest() : run_(3, 1) {
    plan_ = make_plan("dp", run_.request);
    slow_ = plan_.stages.back().device;
    balancer_.emplace(policy("optimal"), "dp", run_.request);
  }

  // Until a decision, or `reports` rounds; phone1 takes `slowness` times as long.
  std::optional<Decision> work(double slowness, int reports, double noise = 0) {
    for (int i = 0; i < reports; ++i) {
      now_ += Seconds(0.5);
      for (const Stage& stage : plan_.stages) {
        double factor = stage.device == slow_ ? slowness : 1;
        factor *= std::exp(rng_.uniform(-noise, noise));
        const WorkReport report{1, {}, {4, 0.01, 0.01 * factor}, {}, 0, {}};
        EXPECT_EQ(balancer_->heard(stage.device, report, now_), "");
      }
      auto decision = balancer_->consider(plan_, {}, long_request, false, now_);
      if (decision) return decision;
    }
    return std::nullopt;
  }

  SlowPhone run_;
  Plan plan_;
  DeviceName slow_;
  std::optional<Balancer> balancer_;
  Rng rng_{7};
  Seconds now_{0};
};

TEST_F(BalancerTest, NothingMovesWhileAllIsAsPlannedWith) {
  EXPECT_FALSE(work(1, 1000));
  EXPECT_EQ(balancer_->differences(), "");
}

TEST_F(BalancerTest, NothingMovesIn10000ReportsWithNoise) {
  EXPECT_FALSE(work(1, 10'000, 0.17)) << "a standard deviation of ten per cent";
}

TEST_F(BalancerTest, ASlowPhoneIsRelievedOnce) {
  ASSERT_FALSE(work(1, 50));
  const auto decision = work(5, 500);
  ASSERT_TRUE(decision);
  plan_ = decision->plan;
  EXPECT_FALSE(work(5, 500)) << "it is there";
}

TEST_F(BalancerTest, ACostlyMoveWaitsUntilStayingHasCostAsMuch) {
  ASSERT_FALSE(work(1, 50));
  const Seconds change = now_;
  const auto decision = work(5, 500);
  ASSERT_TRUE(decision);
  ASSERT_GT(decision->cost_s, 10);
  const double paid_s = decision->saved * (now_ - change).count();
  EXPECT_NEAR(paid_s, decision->cost_s, 0.25 * decision->cost_s);
}

TEST_F(BalancerTest, AMoveThatCameToNothingIsTriedAgainWhenSpeedsChange) {
  ASSERT_FALSE(work(1, 50));
  ASSERT_TRUE(work(5, 500));
  EXPECT_FALSE(work(5, 500));
  EXPECT_TRUE(work(15, 100));
}

TEST_F(BalancerTest, APhoneThatChangesAgainAndAgainIsNotFollowedForEver) {
  const double turn_s = 40;
  int moves = 0;
  int late_moves = 0;
  for (int turn = 0; turn < 20; ++turn) {
    const Seconds end = now_ + Seconds(turn_s);
    while (now_ < end) {
      const auto decision = work(turn % 2 == 0 ? 1 : 5, 1);
      if (!decision) continue;
      plan_ = decision->plan;
      ++moves;
      late_moves += turn >= 10;
    }
  }
  EXPECT_LE(late_moves, 5) << "half of the changes at the most";
  EXPECT_GE(moves, 1);
}

TEST_F(BalancerTest, APhoneThatHasJoinedIsUsedWhereThatPays) {
  for (const char* name : {"none", "optimal"}) {
    balancer_.emplace(policy(name), "dp", run_.request);
    const DeviceName last = plan_.stages.back().device;
    EXPECT_FALSE(balancer_->consider(plan_, {}, long_request, false, Seconds(1)));
    const Membership without{{last}, {}};
    const Plan rest = plan_for_remaining("dp", run_.request, without);
    EXPECT_FALSE(balancer_->consider(rest, without, long_request, false, Seconds(2)));
    const auto decision = balancer_->consider(rest, {}, long_request, false, Seconds(3));
    ASSERT_TRUE(decision) << name;
    EXPECT_EQ(decision->why, last + " is there");
    EXPECT_FALSE(balancer_->consider(decision->plan, {}, long_request, false, Seconds(30)));
  }
}

// Nobody asks between its absence, or its loss, and its coming.
TEST_F(BalancerTest, APhoneThatWasAbsentIsUsedThoughNobodyAskedBefore) {
  const DeviceName last = plan_.stages.back().device;
  const Plan rest = plan_for_remaining("dp", run_.request, {{last}, {}});
  balancer_.emplace(policy("none"), "dp", run_.request);
  EXPECT_FALSE(balancer_->consider(rest, {}, long_request, false, Seconds(1)))
      << "it was planned for";
  balancer_.emplace(policy("none"), "dp", run_.request);
  balancer_->was_absent(last);
  EXPECT_FALSE(balancer_->consider(rest, {{last}, {}}, long_request, false, Seconds(1)));
  ASSERT_TRUE(balancer_->consider(rest, {}, long_request, false, Seconds(3)));
}

TEST_F(BalancerTest, TheOracleGoesByTheTruth) {
  ClusterSpec truth = run_.instance.cluster;
  balancer_.emplace(policy("oracle"), "dp", run_.request, Truth{[&](Seconds) { return truth; }});
  EXPECT_FALSE(balancer_->consider(plan_, {}, long_request, false, Seconds(1)));
  truth.devices[static_cast<std::size_t>(truth.index_of(plan_.stages.back().device))].slow_down(5);
  EXPECT_TRUE(balancer_->consider(plan_, {}, long_request, false, Seconds(1.1)));
}

TEST_F(BalancerTest, TheOracleDoesNotFollowWhatIsSoonOver) {
  const ClusterSpec fast = run_.instance.cluster;
  ClusterSpec slow = fast;
  slow.devices[static_cast<std::size_t>(slow.index_of(plan_.stages.back().device))].slow_down(5);
  const auto moves_if_over_at = [&](double end_s) {
    const Seconds end(end_s);
    Truth truth{[&, end](Seconds now) { return now >= Seconds(1) && now < end ? slow : fast; },
                {Seconds(1), end}};
    balancer_.emplace(policy("oracle"), "dp", run_.request, truth);
    EXPECT_FALSE(balancer_->consider(plan_, {}, long_request, false, Seconds(0.5)));
    return balancer_->consider(plan_, {}, long_request, false, Seconds(1)).has_value();
  };
  EXPECT_TRUE(moves_if_over_at(1e6));
  EXPECT_FALSE(moves_if_over_at(1.001));
}

}  // namespace
}  // namespace lingua
