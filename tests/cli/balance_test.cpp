// --balance: the load moves as a phone becomes slow, and no token changes.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/cli/equal_phones.h"

namespace lingua::testing {
namespace {

class Balance : public EqualPhones {
 protected:
  // ben falls to a third of its speed a second after the phones are ready.
  nlohmann::json balanced(const std::vector<std::string>& verb, const std::string& policy) const {
    const Outcome outcome =
        lingua(verb + asked() +
               std::vector<std::string>{"--overlap", "gain", "--requests", "8", "--supply",
                                        "slow:ben:4s:0.33", "--report-every", "0.1", "--balance",
                                        policy, "--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }
  static std::vector<nlohmann::json> tokens(const nlohmann::json& run) {
    std::vector<nlohmann::json> all;
    for (const auto& request : run["requests"]) all.push_back(request["tokens"]);
    return all;
  }
  static double makespan_s(const nlohmann::json& run) { return run["makespan_s"].get<double>(); }
};

TEST_F(Balance, ASlowPhoneIsRelievedAndNoTokenChanges) {
  const auto none = balanced({"emulate"}, "none");
  EXPECT_FALSE(none.contains("moves"));
  const auto oracle = balanced({"emulate"}, "oracle");
  for (const char* policy : {"threshold", "optimal"}) {
    const auto run = balanced({"emulate"}, policy);
    EXPECT_EQ(tokens(run), tokens(none)) << policy;
    EXPECT_LT(makespan_s(run), makespan_s(none) / 1.32) << policy;
    EXPECT_LT(makespan_s(run), makespan_s(oracle) / 0.9) << policy;
    ASSERT_GE(run["moves"].size(), 1U) << policy;
    const auto& move = run["moves"][0];
    const auto& states = move["states"];
    EXPECT_GE(states["kept_twice"].get<int>() + states["moved"].get<int>(), 1) << move;
    EXPECT_GT(move["states_bytes"], 0);
    EXPECT_NE(move["why"].get<std::string>().find("ben is "), std::string::npos) << move;
    EXPECT_GT(move["predicted"]["gain_s"], 0);
    EXPECT_GT(move["pause_s"], 0);
  }
  const auto between = balanced({"emulate"}, "lingualinked");
  EXPECT_EQ(tokens(between), tokens(none));
  EXPECT_LE(makespan_s(between), makespan_s(none));
  ASSERT_GE(between["moves"].size(), 1U);
  for (const auto& move : between["moves"]) EXPECT_EQ(move["weights_bytes"], 0);
}

TEST_F(Balance, ThePauseIsPredictedWithinAQuarterOfIt) {
  for (const char* slow : {"ben:4.2s", "ben:5.5s", "carla:7s"}) {
    const Outcome outcome =
        lingua(std::vector<std::string>{"simulate"} + asked() +
               std::vector<std::string>{"--overlap", "gain", "--requests", "12", "--report-every",
                                        "0.1", "--supply", std::string("slow:") + slow + ":0.33",
                                        "--balance", "optimal", "--json"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto moves = outcome.json()["moves"];
    ASSERT_GE(moves.size(), 1U) << slow;
    const double pause_s = moves[0]["pause_s"].get<double>();
    EXPECT_NEAR(moves[0]["predicted"]["pause_s"].get<double>(), pause_s, pause_s / 4) << slow;
  }
}

TEST_F(Balance, PacedWorkersAreRelievedToo) {
  const auto run = balanced({"run", "--local", "--pace"}, "optimal");
  ASSERT_GE(run["moves"].size(), 1U);
  EXPECT_GT(run["moves"][0]["states_bytes"], 0) << "from worker to worker";
  EXPECT_EQ(tokens(run), tokens(balanced({"emulate"}, "none")));
}

TEST_F(Balance, APolicyThatIsNotKnownIsRefused) {
  expect_refused(
      lingua({"simulate", "bloom-560m", "--cluster", kThreePhones, "--balance", "magic"}), 2,
      {"'magic'", "none, lingualinked, threshold, optimal, oracle"});
}

}  // namespace
}  // namespace lingua::testing
