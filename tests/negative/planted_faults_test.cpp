// StressParts bugs that the checks of the stress runs must see: without them, "no violation" might only mean that
// they see nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "runtime/planner/planner.h"
#include "tests/stress/decorated.h"
#include "tests/stress/stress_run.h"
#include "tests/support/toy_run.h"

namespace lingua::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kRequests = 4;

// Three devices that share the model, four requests of eight tokens, and the loss of the one in the middle.
Scenario middle_is_lost() {
  Scenario scenario;
  scenario.seed = 1;
  scenario.model = toy_segmentation(6, true);
  scenario.cluster.name = "three";
  scenario.cluster.default_link = {1e6, Seconds(0.002)};
  for (const char* name : {"a", "b", "c"})
    scenario.cluster.devices.push_back({name, 1e9, 1e9, 1e5, 1, Seconds(0)});
  scenario.cluster.header = "a";
  scenario.planner = "even";
  scenario.workload.prompt_tokens = 3;
  scenario.workload.max_tokens = 8;
  scenario.workload.in_flight = 2;
  scenario.workload.requests = kRequests;
  scenario.plan = make_plan(scenario.planner, scenario.plan_request());
  scenario.free = tokens_of_a_plain_loop(kRequests, toy_prompt, 8, scenario.model);
  for (int r = 0; r < kRequests; ++r) {
    Submit submit;
    submit.request = r;
    submit.inputs = {make_int64_tensor(toy_prompt(r))};
    submit.max_tokens = 8;
    submit.capacity = 11;
    scenario.requests.push_back(submit);
  }
  Fault kill;
  kill.device = scenario.plan.stages[1].device;
  kill.when.sender = kill.device;
  kill.when.message = 20;
  scenario.faults.faults = {kill};
  return scenario;
}

template <class Bug>
StressResult run_with_coordinator() {
  StressParts parts;
  parts.coordinator = [](Device& inner) { return std::make_unique<Bug>(inner); };
  return run_scenario(middle_is_lost(), parts);
}

TEST(PlantedFaults, WithoutABugTheRunRecoversAndNothingIsSeen) {
  const StressResult result = run_scenario(middle_is_lost());
  EXPECT_THAT(result.violations, IsEmpty());
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.answered, kRequests);
  EXPECT_EQ(result.recoveries, 1);
}

// Requests begin again without the tokens that they have.
class ForgetsTokens : public Decorated {
 public:
  using Decorated::Decorated;
  void send(const DeviceName& to, MessageBody body) override {
    if (auto* submit = std::get_if<Submit>(&body)) submit->made.clear();
    inner_.send(to, std::move(body));
  }
};

TEST(PlantedFaults, ARecoveryThatForgetsTheMadeTokensIsSeen) {
  EXPECT_THAT(run_with_coordinator<ForgetsTokens>().violations,
              Contains(HasSubstr("what is left can hold the model")));
}

// The last token of the deployment that was lost comes once more, as if it had been under way.
class PassesStaleToken : public Decorated {
 public:
  using Decorated::Decorated;
  void send(const DeviceName& to, MessageBody body) override {
    const bool begins_again =
        std::holds_alternative<Submit>(body) && !std::get<Submit>(body).made.empty();
    if (const auto* token = std::get_if<TokenMade>(&body)) last_ = {to, *token};
    inner_.send(to, std::move(body));
    if (begins_again && last_) inner_.send(last_->first, last_->second);
  }

 private:
  std::optional<std::pair<DeviceName, TokenMade>> last_;
};

TEST(PlantedFaults, AStaleTokenThatIsNotDroppedIsSeen) {
  EXPECT_THAT(run_with_coordinator<PassesStaleToken>().violations, Contains(HasSubstr("is next")));
}

class AnswersTwice : public Decorated {
 public:
  using Decorated::Decorated;
  void send(const DeviceName& to, MessageBody body) override {
    if (is_client(to) && std::holds_alternative<Done>(body)) inner_.send(to, body);
    inner_.send(to, std::move(body));
  }
};

TEST(PlantedFaults, ARequestThatIsAnsweredTwiceIsSeen) {
  EXPECT_THAT(run_with_coordinator<AnswersTwice>().violations, Contains(HasSubstr("ended twice")));
}

class ForgetsARequest : public Decorated {
 public:
  using Decorated::Decorated;
  void send(const DeviceName& to, MessageBody body) override {
    const bool begins_again =
        std::holds_alternative<Submit>(body) && !std::get<Submit>(body).made.empty();
    if (!begins_again || std::exchange(forgotten_, true)) inner_.send(to, std::move(body));
  }

 private:
  bool forgotten_ = false;
};

TEST(PlantedFaults, ARequestThatIsNotBegunAgainIsSeen) {
  EXPECT_THAT(run_with_coordinator<ForgetsARequest>().violations,
              Contains(HasSubstr("can go no further")));
}

class NeverPrepares : public Decorated {
 public:
  using Decorated::Decorated;
  void send(const DeviceName& to, MessageBody body) override {
    const auto* prepare = std::get_if<Prepare>(&body);
    if (prepare == nullptr || prepare->epoch == 1) inner_.send(to, std::move(body));
  }
};

TEST(PlantedFaults, ARecoveryThatStandsStillIsSeen) {
  EXPECT_THAT(run_with_coordinator<NeverPrepares>().violations,
              Contains(HasSubstr("can go no further")));
}

// Says that it has a hundred times the memory that it has, to its own engine.
class OverrunsMemory : public Decorated {
 public:
  explicit OverrunsMemory(Device& inner) : Decorated(inner), spec_(inner.spec()) {
    spec_.memory_bytes *= 100;
  }
  const DeviceSpec& spec() const override { return spec_; }

 private:
  DeviceSpec spec_;
};

TEST(PlantedFaults, ADeviceThatOverrunsItsMemoryIsSeen) {
  Scenario scenario = middle_is_lost();
  Fault less;
  less.kind = FaultKind::kLessMemory;
  less.device = "a";
  less.factor = 0.001;
  scenario.faults.faults = {less};
  StressParts parts;
  parts.device = [](Device& inner) { return std::make_unique<OverrunsMemory>(inner); };
  EXPECT_THAT(run_scenario(scenario, parts).violations, Contains(HasSubstr("a takes")));
}

// Does not compute again what the devices that are new to a segment have never seen.
class KeepsOldSteps : public Decorated {
 public:
  using Decorated::Decorated;
  void send(const DeviceName& to, MessageBody body) override {
    if (auto* submit = std::get_if<Submit>(&body); submit != nullptr && !submit->made.empty())
      submit->inputs = {make_int64_tensor({1})};
    inner_.send(to, std::move(body));
  }
};

TEST(PlantedFaults, ARequestThatBeginsAgainWithAnotherPromptIsSeen) {
  EXPECT_THAT(run_with_coordinator<KeepsOldSteps>().violations,
              Contains(HasSubstr("a plain loop makes")));
}

// A loss that nothing explains.
class SaysItFails : public Decorated {
 public:
  using Decorated::Decorated;
  void send(const DeviceName& to, MessageBody body) override {
    if (name() == "c" && std::holds_alternative<StepResult>(body) && ++results_ == 5)
      inner_.send(kCoordinator, Failed{1, "for no reason"});
    inner_.send(to, std::move(body));
  }

 private:
  int results_ = 0;
};

TEST(PlantedFaults, ADeviceThatIsGivenUpWithoutAFaultIsSeen) {
  Scenario scenario = middle_is_lost();
  scenario.faults.faults.clear();
  StressParts parts;
  parts.device = [](Device& inner) { return std::make_unique<SaysItFails>(inner); };
  EXPECT_THAT(run_scenario(scenario, parts).violations,
              Contains(HasSubstr("nothing struck it, and yet: c failed")));
}

}  // namespace
}  // namespace lingua::testing
