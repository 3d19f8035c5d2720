// A second deployment beside the first, over the engine's own loops on simulated devices.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::tokens_of_a_plain_loop;
using testing::ToyRun;

// What crossed the links: names of weights and segments of programs, once for each time.
struct Sent {
  std::multiset<std::string> weights;
  std::multiset<SegmentId> programs;
};

// Runs under `first` until a request has ended, then under `second`.
ToyRun moving(const std::vector<Stage>& first, const std::vector<Stage>& second, Sent& sent,
              Crossing crossing = Crossing::kEnd) {
  ToyRun run{.stages = first};
  run.change_job = [=](RunJob& job) { testing::move_after_one(job, second, crossing); };
  run.wire_bytes = [&sent](const MessageBody& body) {
    if (const auto* chunk = std::get_if<WeightChunk>(&body)) {
      if (chunk->offset == 0) sent.weights.insert(chunk->weight);
    }
    if (const auto* program = std::get_if<SegmentProgram>(&body))
      sent.programs.insert(program->segment);
    return 1000.0;
  };
  return run;
}

const std::vector<Stage> kBefore = {{"a", 0, 2, {}}, {"b", 3, 5, {}}};

TEST(Epochs, AMovedBoundarySendsTheSegmentThatMovedAndNothingElse) {
  Sent sent;
  ToyRun run = moving(kBefore, {{"a", 0, 3, {}}, {"b", 4, 5, {}}}, sent);
  run.requests = 20;
  run();
  EXPECT_EQ(sent.programs.size(), 7U);
  EXPECT_EQ(sent.programs.count(3), 2U) << "to b, then to a";
  EXPECT_EQ(sent.weights.count("weight 3"), 2U);
  EXPECT_EQ(sent.weights.count("weight 4"), 1U);
  EXPECT_EQ(sent.weights.count("shared"), 2U) << "a had it";
}

TEST(Epochs, AnOverlapThatIsStoredMovesAndNothingIsSent) {
  Sent sent;
  ToyRun run =
      moving({{"a", 0, 2, {3}}, {"b", 3, 5, {}}}, {{"a", 0, 3, {}}, {"b", 4, 5, {}}}, sent);
  run.requests = 20;
  run();
  EXPECT_EQ(sent.programs.size(), 7U) << "all in the first deployment";
}

TEST(Epochs, TokensAreTheSameBeforeAndAfterForEveryMove) {
  const std::vector<std::vector<Stage>> plans = {
      {{"a", 0, 0, {}}, {"b", 1, 5, {}}},
      {{"a", 0, 3, {}}, {"b", 4, 5, {}}},
      {{"a", 0, 5, {}}},
      {{"b", 0, 5, {}}},
      {{"b", 0, 2, {}}, {"a", 3, 5, {}}},  // header and tailer change places
      {{"a", 0, 0, {}}, {"b", 1, 4, {}}, {"a", 5, 5, {}}},
      kBefore,
  };
  for (const auto& second : plans) {
    for (const int in_flight : {1, 3}) {
      for (const Crossing crossing : {Crossing::kEnd, Crossing::kRebuild}) {
        Sent sent;
        // In a process of its own: SimGrid simulates once.
        EXPECT_EXIT(
            {
              ToyRun run = moving(kBefore, second, sent, crossing);
              run.in_flight = in_flight;
              run.requests = 30;
              _exit(run.tokens() == tokens_of_a_plain_loop(30) ? 0 : 1);
            },
            ::testing::ExitedWithCode(0), "")
            << "to " << second.size() << " stages, " << in_flight << " in flight, crossing "
            << static_cast<int>(crossing);
      }
    }
  }
}

TEST(Epochs, ADeviceThatWasLeftOutComesIn) {
  Sent sent;
  ToyRun run = moving(kBefore, {{"a", 0, 1, {}}, {"c", 2, 3, {}}, {"b", 4, 5, {}}}, sent);
  run.spares = {"c"};
  run.requests = 20;
  const RunResult result = run();
  EXPECT_EQ(result.answers.size(), 20U);
  bool computed = false;
  for (const EventRow& row : result.log.rows())
    computed = computed || (row.who == "c" && row.what == event::kCompute);
  EXPECT_TRUE(computed);
  EXPECT_EQ(sent.programs.size(), 8U);
}

TEST(Epochs, AMoveThatDoesNotFitLeavesTheRunningPlan) {
  Sent sent;
  ToyRun run = moving(kBefore, {{"a", 0, 5, {}}}, sent);
  run.change_model = [](Segmentation& model) {
    for (const int i : {0, 5}) {
      model.segments[static_cast<std::size_t>(i)].weights.push_back(
          {fmt::format("ballast {}", i), DType::kInt64, {1000}});
    }
  };
  run.memory_bytes = 12'000;  // one of the two has room
  run.requests = 10;
  const RunResult result = run();
  EXPECT_EQ(result.answers.size(), 10U);
  ASSERT_EQ(result.moves.size(), 1U);
  EXPECT_THAT(result.moves[0].failed, HasSubstr("a has no room for"));
}

// A device and a coordinator that the test plays.
void play(const std::function<void(Mailbox&, const Deployment&)>& coordinator) {
  ClusterSpec cluster;
  cluster.name = "test";
  cluster.default_link = {1e6, Seconds(0.002)};
  cluster.devices = {{"a", 1e9, 1e9, 1e9, 1, Seconds(0)}, {"b", 1e9, 1e9, 1e9, 1, Seconds(0)}};
  const Segmentation model = testing::toy_segmentation(testing::kToySegments, true);
  testing::ToySource source;
  Deployment deployment;
  deployment.segmentation = &model;
  deployment.source = &source;
  deployment.plan.stages = {{"a", 0, 5, {}}};
  SimOptions options;
  options.wire_bytes = [](const MessageBody&) { return 1000.0; };
  options.make_executor = [](const DeviceSpec&) {
    return std::make_unique<testing::ToyExecutor>();
  };
  SimCluster sim(cluster, options);
  sim.start("a", [](Device& device) { run_worker(device, {}); });
  sim.start(kCoordinator, [&](Device& device) {
    coordinator(device, deployment);
    device.send("a", Stop{});
  });
  sim.run();
}

// Brings a deployment about, and forgets what else is said.
void deploy(Mailbox& mailbox, const Deployment& deployment) {
  Deployer deployer(deployment);
  Effects effects;
  deployer.begin(effects);
  while (true) {
    for (Letter& letter : effects.letters) mailbox.send(letter.to, std::move(letter.body));
    effects.letters.clear();
    if (deployer.ready()) return;
    deployer.take(*mailbox.receive(kNever), mailbox.now(), effects);
  }
}

Submit request_in(Epoch epoch, RequestId id) {
  Submit submit = ToyRun{}.request(static_cast<int>(id));
  submit.epoch = epoch;
  return submit;
}

// The tokens that come until the end of a request, or nothing for a second.
std::vector<TokenId> answer_to(Mailbox& mailbox, RequestId request) {
  while (const auto message = mailbox.receive(mailbox.now() + Seconds(1))) {
    if (const auto* done = std::get_if<Done>(&message->body)) {
      if (done->request == request) return done->tokens;
    }
  }
  return {};
}

TEST(Epochs, WorkForAComingEpochWaitsAndForOneThatIsGoneIsDropped) {
  play([](Mailbox& mailbox, const Deployment& first) {
    mailbox.send("a", request_in(1, 0));  // before there is anything
    deploy(mailbox, first);
    EXPECT_EQ(answer_to(mailbox, 0), tokens_of_a_plain_loop()[0]);
    mailbox.send("a", request_in(2, 1));
    EXPECT_THAT(answer_to(mailbox, 1), IsEmpty());
    mailbox.send("a", request_in(1, 2));
    EXPECT_EQ(answer_to(mailbox, 2), tokens_of_a_plain_loop()[2]) << "the first goes on";
    Deployment second = first;
    second.epoch = 2;
    deploy(mailbox, second);
    EXPECT_EQ(answer_to(mailbox, 1), tokens_of_a_plain_loop()[1]);
    mailbox.send("a", Retire{1});
    mailbox.send("a", request_in(1, 3));
    EXPECT_THAT(answer_to(mailbox, 3), IsEmpty());
  });
}

TEST(Epochs, AFailureOfTheComingOneIsSaidAndTheRunningOneGoesOn) {
  play([](Mailbox& mailbox, const Deployment& first) {
    deploy(mailbox, first);
    Prepare next = first.prepare_for("a");
    next.epoch = 2;
    next.runs = {{0, 9}};  // segments that it does not store
    mailbox.send("a", next);
    const auto said = mailbox.receive(kNever);
    const auto* failed = std::get_if<Failed>(&said->body);
    ASSERT_NE(failed, nullptr) << describe(said->body);
    EXPECT_EQ(failed->epoch, 2);
    EXPECT_THAT(failed->reason, HasSubstr("runs segment 6 and does not store it"));
    mailbox.send("a", request_in(1, 0));
    EXPECT_EQ(answer_to(mailbox, 0), tokens_of_a_plain_loop()[0]);
    Deployment third = first;
    third.epoch = 3;
    deploy(mailbox, third);
    mailbox.send("a", request_in(3, 1));
    EXPECT_EQ(answer_to(mailbox, 1), tokens_of_a_plain_loop()[1]);
  });
}

TEST(Epochs, TensorsOfARequestThatIsOverAreDropped) {
  play([](Mailbox& mailbox, const Deployment& first) {
    deploy(mailbox, first);
    mailbox.send("a", Release{0});
    mailbox.send("a", Activations{1, 0, 3, {1, 5}, 8, {}, {}, {}, {}});
    mailbox.send("a", request_in(1, 1));
    EXPECT_EQ(answer_to(mailbox, 1), tokens_of_a_plain_loop()[1]);
  });
}

}  // namespace
}  // namespace lingua
