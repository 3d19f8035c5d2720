// Planted bugs that the comparison of tokens must catch: without them, "the same tokens" might only
// mean that the check sees nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using testing::tokens_of_a_plain_loop;
using testing::ToyExecutor;
using testing::ToyRun;

const std::vector<Stage> kTwoStages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}};

// Forgets the states of a request after each step, as a device that joined in the middle would.
class Forgetful : public ToyExecutor {
 public:
  std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                 const std::vector<Tensor>& inputs) override {
    release(context.request);
    return ToyExecutor::outputs_of(id, context, inputs);
  }
};

// Keeps one state for all requests.
class Confused : public ToyExecutor {
 public:
  std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                 const std::vector<Tensor>& inputs) override {
    StepContext same = context;
    same.request = 0;
    return ToyExecutor::outputs_of(id, same, inputs);
  }
};

// Takes the inputs of a segment in the wrong order.
class Swapped : public ToyExecutor {
 public:
  std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                 const std::vector<Tensor>& inputs) override {
    return ToyExecutor::outputs_of(id, context, {inputs.rbegin(), inputs.rend()});
  }
};

// Computes with the weights of the segment in the wrong order.
class WrongWeights : public ToyExecutor {
 public:
  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override {
    ToyExecutor::load(segment, program, {weights.rbegin(), weights.rend()});
  }
};

template <class Bug>
ToyRun run_with(int in_flight = 1) {
  ToyRun run{.stages = kTwoStages, .in_flight = in_flight};
  run.make_executor = [] { return std::make_unique<Bug>(); };
  return run;
}

TEST(PlantedBugs, AForgottenStateChangesTheTokens) {
  EXPECT_NE(run_with<Forgetful>().tokens(), tokens_of_a_plain_loop());
}

TEST(PlantedBugs, StatesSharedBetweenRequestsChangeTheTokens) {
  EXPECT_NE(run_with<Confused>(3).tokens(), tokens_of_a_plain_loop());
}

TEST(PlantedBugs, InputsInTheWrongOrderChangeTheTokens) {
  EXPECT_NE(run_with<Swapped>().tokens(), tokens_of_a_plain_loop());
}

TEST(PlantedBugs, WeightsInTheWrongOrderChangeTheTokens) {
  EXPECT_NE(run_with<WrongWeights>().tokens(), tokens_of_a_plain_loop());
}

TEST(PlantedBugs, ATransferThatIsForgottenStopsTheRunInsteadOfChangingTheTokens) {
  ToyRun run{.stages = kTwoStages};
  run.change_deployment = [](Deployment& deployment) { deployment.plan.transfers.pop_back(); };
  EXPECT_THROW(run(), WorldError);
}

TEST(PlantedBugs, ATransferToTheWrongDeviceIsRefused) {
  ToyRun run{.stages = {{"a", 0, 1, {}}, {"b", 2, 3, {}}, {"c", 4, 5, {}}}};
  run.change_deployment = [](Deployment& deployment) {
    for (Transfer& transfer : deployment.plan.transfers) {
      if (transfer.from == "a" && transfer.to == "b") transfer.to = "c";
    }
  };
  EXPECT_THROW(run(), WorldError);
}

// What a device says that holds everything already.
void lack_nothing(Device& device, Epoch epoch) {
  device.send(kCoordinator, Lacks{epoch, {}, {}});
  device.send(kCoordinator, Ready{epoch, 1e9});
}

// A device that prepares as it should and then answers every message with `nonsense`.
std::function<void(Device&)> answering(MessageBody nonsense) {
  return [nonsense](Device& device) {
    while (auto message = device.receive(kNever)) {
      if (std::holds_alternative<Stop>(message->body)) return;
      if (const auto* prepare = std::get_if<Prepare>(&message->body)) {
        lack_nothing(device, prepare->epoch);
        device.send("a", Probe{prepare->epoch});
      }
      if (const auto* probe = std::get_if<Probe>(&message->body)) {
        device.send(kCoordinator, Reached{probe->epoch, message->from});
      }
      if (std::holds_alternative<Activations>(message->body)) device.send("a", nonsense);
    }
  };
}

void expect_refusal(const MessageBody& nonsense, const char* why) {
  ToyRun run{.stages = kTwoStages};
  run.impostors["b"] = answering(nonsense);
  EXPECT_THAT([&] { run(); }, ::testing::ThrowsMessage<WorldError>(::testing::HasSubstr(why)));
}

TEST(Nonsense, AResultOfAStepThatIsNotUnderWayIsRefused) {
  expect_refusal(StepResult{1, 0, 7, 3, {}}, "not under way");
}

TEST(Nonsense, AValueThatIsNotUsedIsRefused) {
  expect_refusal(Activations{1, 0, 1, {1, 3}, 8, {77}, {make_number(1)}, {}, {}},
                 "answers nonsense");
}

TEST(Nonsense, ActivationsForADeviceThatGetsNoneAreRefused) {
  expect_refusal(Activations{1, 4711, 0, {3, 0}, 8, {}, {}, {}, {}}, "not for it to send to a");
}

TEST(Nonsense, AMessageForSomebodyElseIsRefused) {
  expect_refusal(Done{0, {1, 2}, {}, {}}, "only the coordinator");
}

TEST(Nonsense, AStopFromAnotherDeviceIsRefused) { expect_refusal(Stop{}, "only the coordinator"); }

// A device that runs everything and ends each request with `nonsense`, then sends `rows`.
std::function<void(Device&)> ending_with(MessageBody nonsense, std::vector<EventRow> rows = {}) {
  return [=](Device& device) {
    while (auto message = device.receive(kNever)) {
      if (std::holds_alternative<Stop>(message->body)) return;
      if (const auto* prepare = std::get_if<Prepare>(&message->body))
        lack_nothing(device, prepare->epoch);
      if (std::holds_alternative<Submit>(message->body)) {
        device.send(kCoordinator, TokenMade{0, 0, 3});
        device.send(kCoordinator, nonsense);
      }
      if (std::holds_alternative<AskEvents>(message->body)) device.send(kCoordinator, Events{rows});
    }
  };
}

ToyRun run_ending_with(const MessageBody& nonsense, std::vector<EventRow> rows = {}) {
  ToyRun run{.stages = {{"a", 0, 5, {}}}, .requests = 1, .max_tokens = 1};
  run.impostors["a"] = ending_with(nonsense, std::move(rows));
  return run;
}

TEST(NonsenseToTheCoordinator, OutputsThatNobodyAskedForAreRefused) {
  const auto run = run_ending_with(Done{0, {3}, {make_number(1)}});
  EXPECT_THAT([&] { run(); }, ::testing::ThrowsMessage<WorldError>(::testing::HasSubstr(
                                  "a answers nonsense: the end of request 0")));
}

TEST(NonsenseToTheCoordinator, ASecondTokenWhereOneWasAskedForIsRefused) {
  const auto run = run_ending_with(TokenMade{0, 1, 3});
  EXPECT_THAT([&] { run(); },
              ::testing::ThrowsMessage<WorldError>(::testing::HasSubstr("asks for 1")));
}

TEST(NonsenseToTheCoordinator, AnEndForAnotherReasonIsRefused) {
  const auto run = run_ending_with(Done{0, {3}, {}, Ending::kStop});
  EXPECT_THAT([&] { run(); },
              ::testing::ThrowsMessage<WorldError>(::testing::HasSubstr("not why it ended")));
}

TEST(NonsenseToTheCoordinator, AReasonIsOneBoundedPrintableLine) {
  const auto run = run_ending_with(Failed{1, "\x1b[2J\n" + std::string(1'000'000, 'x')});
  try {
    run();
    FAIL() << "accepted";
  } catch (const WorldError& error) {
    const std::string what = error.what();
    EXPECT_LT(what.size(), 1000U);
    EXPECT_EQ(what.find_first_of("\x1b\n"), std::string::npos) << what;
  }
}

TEST(NonsenseToTheCoordinator, RowsThatCannotBeCostNoAnswer) {
  const EventRow row{"a", event::kCompute, 2, 0, 0, Seconds(0.1), Seconds(0.2), 8};
  EventRow nonsense = row;
  nonsense.who = "\xff\x1b[2J";
  const RunResult result = run_ending_with(Done{0, {3}, {}}, {row, nonsense})();
  ASSERT_EQ(result.answers.size(), 1U);
  EXPECT_EQ(result.log.rows().size(), 1U);
  ASSERT_EQ(result.notes.size(), 1U);
  EXPECT_THAT(result.notes[0], ::testing::HasSubstr("lacks 1 rows of a"));
}

TEST(NonsenseToTheCoordinator, ADeviceLostAfterTheLastAnswerCostsItsRowsOnly) {
  ToyRun run{.stages = {{"a", 0, 5, {}}}, .requests = 1, .max_tokens = 1};
  run.impostors["a"] = [](Device& device) {
    while (auto message = device.receive(kNever)) {
      if (const auto* prepare = std::get_if<Prepare>(&message->body)) {
        lack_nothing(device, prepare->epoch);
      } else if (std::holds_alternative<Submit>(message->body)) {
        device.send(kCoordinator, TokenMade{0, 0, 3});
        device.send(kCoordinator, Done{0, {3}, {}});
      } else if (std::holds_alternative<AskEvents>(message->body)) {
        device.send(kCoordinator, Failed{1, "no room"});
        return;
      }
    }
  };
  const RunResult result = run();
  ASSERT_EQ(result.answers.size(), 1U);
  EXPECT_THAT(result.notes, ::testing::ElementsAre(::testing::HasSubstr("no room")));
}

}  // namespace
}  // namespace lingua
