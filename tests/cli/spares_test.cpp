// --spares: what devices store for when another is lost, and what a loss costs then, in virtual time.

#include <fmt/format.h>

#include "tests/cli/equal_phones.h"

namespace lingua::testing {
namespace {

class SparesOption : public EqualPhones {
 protected:
  Outcome play(const std::string& verb, const std::vector<std::string>& more) const {
    return lingua(std::vector<std::string>{verb} + asked() +
                  std::vector<std::string>{"--requests", "6"} + more);
  }
  nlohmann::json done(const std::string& verb, const std::vector<std::string>& more) const {
    const Outcome outcome = play(verb, more + std::vector<std::string>{"--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }
  static std::vector<nlohmann::json> tokens(const nlohmann::json& run) {
    std::vector<nlohmann::json> all;
    for (const auto& request : run["requests"]) all.push_back(request["tokens"]);
    return all;
  }
  static std::string loss_of(const std::string& device, const nlohmann::json& whole) {
    const double middle_s =
        whole["deployment_s"].get<double>() + whole["makespan_s"].get<double>() / 2;
    return fmt::format("{}:{}s", device, middle_s);
  }
};

TEST_F(SparesOption, WhereTheySufficeALossSendsNoWeightsAndChangesNoToken) {
  const nlohmann::json whole = done("emulate", {"--spares", "1"});
  EXPECT_TRUE(whole["spares"]["lacking_segments"].empty());
  for (const auto& stage : whole["plan"]["stages"]) {
    const std::string device = stage["device"];
    const nlohmann::json with =
        done("emulate", {"--spares", "1", "--lose", loss_of(device, whole)});
    ASSERT_EQ(with["recoveries"].size(), 1U) << device;
    const nlohmann::json& recovery = with["recoveries"][0];
    EXPECT_EQ(recovery["weights_bytes"], 0) << device;
    EXPECT_EQ(tokens(with), tokens(whole)) << device;
    // A message to the devices and back, and the prompts and tokens computed again.
    const double resumed_s = recovery["resumed_s"].get<double>() - recovery["lost_s"].get<double>();
    EXPECT_LE(resumed_s, 1.5 * (recovery["predicted"]["ready_s"].get<double>() +
                                recovery["predicted"]["rebuild_s"].get<double>()))
        << device;
  }
}

TEST_F(SparesOption, WithoutThemWhatIsLostIsSentAndNoMore) {
  const nlohmann::json whole = done("simulate", {});
  for (const auto& stage : whole["plan"]["stages"]) {
    const std::string device = stage["device"];
    const nlohmann::json run = done("simulate", {"--lose", loss_of(device, whole)});
    ASSERT_EQ(run["recoveries"].size(), 1U) << device;
    const nlohmann::json& recovery = run["recoveries"][0];
    EXPECT_GT(recovery["weights_bytes"], 0);
    EXPECT_EQ(recovery["weights_bytes"], recovery["predicted"]["weights_bytes"]) << device;
    EXPECT_THAT((std::vector<std::string>{"anew", "stored"}),
                ::testing::Contains(recovery["plan"].get<std::string>()));
  }
}

// A plan of one phone, for which another stores.
class OnlyStores : public LinguaTest {
 protected:
  static nlohmann::json done(const std::vector<std::string>& more) {
    const Outcome outcome = lingua(
        more + std::vector<std::string>{"--cluster", kThreePhones, "--planner", "dp", "--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }
  const std::vector<std::string> alone_ = {"simulate", "bloom-560m", "--spares", "1"};
};

TEST_F(OnlyStores, ItsLossIsNone) {
  const nlohmann::json whole = done(alone_);
  ASSERT_EQ(whole["plan"]["stages"].size(), 1U);
  ASSERT_EQ(whole["plan"]["keepers"].size(), 1U);
  const auto lost = [&](const nlohmann::json& device) {
    const double middle_s =
        whole["deployment_s"].get<double>() + whole["makespan_s"].get<double>() / 2;
    return done(alone_ + std::vector<std::string>{
                             "--lose", fmt::format("{}:{}s", device.get<std::string>(), middle_s)});
  };
  const nlohmann::json keeper = lost(whole["plan"]["keepers"][0]["device"]);
  EXPECT_FALSE(keeper.contains("recoveries"));
  EXPECT_NEAR(keeper["makespan_s"].get<double>(), whole["makespan_s"].get<double>(), 1e-9);
  const nlohmann::json runner = lost(whole["plan"]["stages"][0]["device"]);
  ASSERT_EQ(runner["recoveries"].size(), 1U);
  EXPECT_EQ(runner["recoveries"][0]["weights_bytes"], 0);
  EXPECT_EQ(runner["recoveries"][0]["requests"], 1);
}

TEST_F(OnlyStores, IsPartOfAPlanThatIsSaved) {
  const std::string file = folder_.file("plan.json");
  const nlohmann::json plan = done({"plan", "bloom-560m", "--spares", "1", "--save-plan", file});
  const nlohmann::json again = done({"plan", "bloom-560m", "--plan", file});
  EXPECT_EQ(again["stages"], plan["stages"]);
  EXPECT_EQ(again["keepers"], plan["keepers"]);
}

TEST_F(SparesOption, StandBesideOverlap) {
  const nlohmann::json both = done("plan", {"--overlap", "gain", "--spares", "1"});
  EXPECT_TRUE(both.contains("secondary"));
  EXPECT_EQ(both["spares"]["losses_with"].size(), both["stages"].size());
}

TEST_F(SparesOption, AreShownToPeople) {
  const Outcome outcome = play("plan", {"--spares", "1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* word : {"spares for 1 loss", " also stores ", "sent without", "sent with"})
    EXPECT_THAT(outcome.err, ::testing::HasSubstr(word));
  const Outcome many = play("plan", {"--spares", "8"});
  EXPECT_THAT(many.err, ::testing::HasSubstr("memory does not suffice for spares of segments 0-"));
  expect_refused(play("plan", {"--spares", "9"}), 2, {"--spares", "9"});
}

}  // namespace
}  // namespace lingua::testing
