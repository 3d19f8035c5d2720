// What a device does with the steps of its stage, without a device: stage runner, header and tailer.

#include "runtime/engine/stage_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/engine/deployment.h"
#include "runtime/engine/header.h"
#include "runtime/engine/refusal.h"
#include "runtime/engine/tailer.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

// Device a runs segments 0 and 1 of the toy, b the others.
class StageTest : public ::testing::Test {
 protected:
  Prepare prepare_for(const DeviceName& name,
                      std::vector<Stage> stages = {{"a", 0, 1, {}}, {"b", 2, 3, {}}}) {
    Deployment deployment;
    deployment.segmentation = &model_;
    deployment.source = &source_;
    deployment.plan.stages = std::move(stages);
    deployment.plan.transfers = transfers_of(model_, deployment.plan.stages);
    return deployment.prepare_for(name);
  }

  static Submit request(RequestId id) {
    Submit submit;
    submit.request = id;
    submit.inputs = {make_int64_tensor({1, 2, 3})};
    submit.max_tokens = 2;
    submit.capacity = 5;
    return submit;
  }

  Tensor rows(std::int64_t tokens, std::int64_t width) const {
    Tensor tensor{DType::kInt64, {tokens}, nullptr};
    if (width > 1) tensor.shape.push_back(width);
    tensor.data = allocate_bytes(tensor.bytes());
    return tensor;
  }

  // What a sends to b for a prompt of three tokens.
  Activations activations(RequestId id) const {
    return {1, id, 0, {3, 0}, 5, {2, 1000}, {rows(3, 2), rows(3, 1)}, {}, {}};
  }
  static Arrival from(const DeviceName& name) { return {name, Seconds(1), Seconds(2), 64}; }

  // Runs a step as a loop would; the segments in order.
  std::vector<SegmentId> run(StageRunner& stage, RequestId id, std::int64_t step) {
    std::vector<SegmentId> ran;
    stage.begin({ready(id, step)});
    StageRunner::Call call;
    while (stage.next_call(call)) {
      ran.push_back(call.segment);
      stage.take_results(results_of(call), Seconds(5), Seconds(6), effects_);
    }
    return ran;
  }

  static ReadyStep ready(RequestId id, std::int64_t step) {
    ReadyStep ready;
    ready.request = id;
    ready.step_index = step;
    return ready;
  }

  std::vector<SegmentResult> results_of(const StageRunner::Call& call) const {
    std::vector<SegmentResult> results(call.batch.size());
    for (SegmentResult& result : results) {
      for (const TensorSpec& spec : model_.segments[static_cast<std::size_t>(call.segment)].outputs)
        result.outputs.push_back({spec.dtype, {3}, allocate_bytes(24)});
    }
    return results;
  }

  const Segmentation model_ = testing::toy_segmentation(4, true);
  testing::ToySource source_;
  MemoryLedger ledger_{10'000};
  Effects effects_;
};

TEST_F(StageTest, AStepOfTheHeaderIsReadyAtOnceAndGoesOnToTheNextDevice) {
  StageRunner stage(prepare_for("a"), "a", ledger_);
  const RequestState request(StageTest::request(7), model_.model_inputs, Seconds(0));
  stage.start(request, Seconds(4), effects_);
  ASSERT_EQ(effects_.ready.size(), 1U);
  EXPECT_EQ(effects_.ready[0].request, 7);
  EXPECT_EQ(effects_.ready[0].ready_since, Seconds(4));
  EXPECT_THAT(run(stage, 7, 0), ElementsAre(0, 1));
  EXPECT_THAT(stage.finish(Seconds(6), effects_), IsEmpty()) << "b is the tailer";
  ASSERT_EQ(effects_.letters.size(), 1U);
  EXPECT_EQ(effects_.letters[0].to, "b");
  const auto& sent = std::get<Activations>(effects_.letters[0].body);
  EXPECT_THAT(sent.values, ::testing::UnorderedElementsAre(2, 1000));
  EXPECT_EQ(effects_.rows.size(), 2U);
  EXPECT_EQ(ledger_.states_bytes(), 2 * 8 * 5);
}

TEST_F(StageTest, AStepWaitsForAllItsTensors) {
  StageRunner stage(prepare_for("b"), "b", ledger_);
  Activations half = activations(7);
  half.values.pop_back();
  half.tensors.pop_back();
  stage.take(half, from("a"), Seconds(2), effects_);
  EXPECT_THAT(effects_.ready, IsEmpty());
  EXPECT_THAT(stage.waits_for(), HasSubstr("tensors of step 0 of request 7"));
  stage.take(activations(7), from("a"), Seconds(3), effects_);
  ASSERT_EQ(effects_.ready.size(), 1U);
  EXPECT_THAT(run(stage, 7, 0), ElementsAre(2, 3));
  const auto outputs = stage.finish(Seconds(6), effects_);
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_TRUE(outputs[0].generates);
  EXPECT_EQ(outputs[0].outputs.size(), 1U);
  EXPECT_EQ(stage.waits_for(), "");
}

TEST_F(StageTest, ARequestThatIsDroppedRunsNoMore) {
  StageRunner stage(prepare_for("b"), "b", ledger_);
  stage.take(activations(7), from("a"), Seconds(2), effects_);
  stage.take(activations(8), from("a"), Seconds(2), effects_);
  stage.drop(7);
  EXPECT_THAT(run(stage, 7, 0), IsEmpty());
  EXPECT_THAT(run(stage, 8, 0), ElementsAre(2, 3));
  stage.drop(8);  // in the middle of its run
  EXPECT_THAT(run(stage, 8, 0), IsEmpty());
}

TEST_F(StageTest, StepsThatRunAsOneGoOnWithoutTheOneThatFails) {
  StageRunner stage(prepare_for("b"), "b", ledger_);
  for (const RequestId id : {7, 8, 9}) stage.take(activations(id), from("a"), Seconds(2), effects_);
  const auto before = static_cast<std::ptrdiff_t>(effects_.rows.size());
  stage.begin({ready(8, 0), ready(9, 0), ready(7, 0)});
  StageRunner::Call call;
  ASSERT_TRUE(stage.next_call(call));
  ASSERT_EQ(call.batch.size(), 3U);
  EXPECT_EQ(call.batch[0].context.request, 8);
  auto results = results_of(call);
  results[1] = {{}, "no"};
  stage.take_results(std::move(results), Seconds(5), Seconds(6), effects_);
  stage.drop(9);
  ASSERT_TRUE(stage.next_call(call));
  ASSERT_EQ(call.batch.size(), 2U);
  EXPECT_EQ(call.batch[1].context.request, 7);
  stage.take_results(results_of(call), Seconds(6), Seconds(7), effects_);
  EXPECT_FALSE(stage.next_call(call));
  const auto outputs = stage.finish(Seconds(7), effects_);
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[0].request, 8);
  EXPECT_EQ(outputs[1].request, 7);
  std::vector<RequestId> computed;
  std::for_each(effects_.rows.begin() + before, effects_.rows.end(),
                [&](const EventRow& row) { computed.push_back(row.request); });
  EXPECT_THAT(computed, ElementsAre(8, 7, 8, 7)) << "a row for each step that has run";
}

TEST_F(StageTest, APromptInPiecesIsSentOnWithoutWaitingAndGivesOneToken) {
  Prepare prepare = prepare_for("a");
  prepare.scheduling.chunk = 2;
  StageRunner stage(prepare, "a", ledger_);
  Header header(prepare);
  const RequestState* request = header.submit(StageTest::request(7), Seconds(1));
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->step(), (Step{2, 0}));
  stage.start(*request, Seconds(1), effects_);
  run(stage, 7, 0);
  stage.finish(Seconds(6), effects_);
  EXPECT_TRUE(std::get<Activations>(effects_.letters[0].body).prompt_goes_on);
  EXPECT_THROW(header.take({1, 7, 0, 5, {}}, Seconds(2), effects_), WorldError)
      << "nobody asked for a token of the first piece";
  request = header.next_piece(7);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->step(), (Step{1, 2}));
  EXPECT_EQ(request->step_inputs()[0].shape, (std::vector<std::int64_t>{1}));
  stage.start(*request, Seconds(6), effects_);
  run(stage, 7, 1);
  stage.finish(Seconds(8), effects_);
  EXPECT_FALSE(std::get<Activations>(effects_.letters[1].body).prompt_goes_on);
  EXPECT_EQ(header.next_piece(7), nullptr);
  const RequestState* next = header.take({1, 7, 1, 5, {}}, Seconds(9), effects_);
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->step(), (Step{1, 3}));
  EXPECT_EQ(std::get<TokenMade>(effects_.letters[2].body).index, 0);
}

TEST_F(StageTest, NoMorePiecesOfAPromptAreUnderWayThanThePlanCanUse) {
  Prepare prepare = prepare_for("a");
  prepare.scheduling.chunk = 1;
  ASSERT_EQ(prepare.stages, 2);
  Header header(prepare);
  Submit submit = request(7);
  submit.inputs = {make_int64_tensor(std::vector<std::int64_t>(9, 1))};
  submit.capacity = 11;
  ASSERT_NE(header.submit(submit, Seconds(1)), nullptr);
  for (int piece = 1; piece < 4; ++piece) ASSERT_NE(header.next_piece(7), nullptr);
  EXPECT_EQ(header.next_piece(7), nullptr) << "four are under way on two stages";
  const RequestState* next = header.take({1, 7, 0, kNoToken, {}}, Seconds(2), effects_);
  ASSERT_NE(next, nullptr) << "the first has left the pipeline";
  EXPECT_EQ(next->step_index(), 4);
  EXPECT_THROW(header.take({1, 7, 2, kNoToken, {}}, Seconds(2), effects_), WorldError)
      << "the second cannot be left out";
  EXPECT_EQ(header.take({1, 7, 1, kNoToken, {}}, Seconds(2), effects_), nullptr)
      << "the header still runs the fifth";
  EXPECT_NE(header.next_piece(7), nullptr);
  EXPECT_TRUE(effects_.letters.empty()) << "none of them is a token";
}

TEST_F(StageTest, WithoutAKvCacheAPromptStaysWhole) {
  Prepare prepare = prepare_for("a");
  prepare.scheduling.chunk = 2;
  Header header(prepare);
  Submit submit = request(7);
  submit.kv_cache = false;
  EXPECT_EQ(header.submit(submit, Seconds(1))->step(), (Step{3, 0}));
  Submit pass = request(8);
  pass.max_tokens = pass.capacity = 0;
  EXPECT_EQ(header.submit(pass, Seconds(1))->step(), (Step{3, 0}));
}

TEST_F(StageTest, TensorsThatContradictTheDeploymentAreNonsense) {
  StageRunner stage(prepare_for("b"), "b", ledger_);
  const auto taken = [&](const Activations& message) {
    return [&, message] { stage.take(message, from("a"), Seconds(2), effects_); };
  };
  Activations wrong = activations(7);
  wrong.tensors[0] = rows(4, 2);
  EXPECT_THAT(taken(wrong), ThrowsMessage<WorldError>(HasSubstr("shape [4, 2] instead of [3, 2]")));
  wrong = activations(8);
  wrong.tensors[1].data = nullptr;
  EXPECT_THAT(taken(wrong), ThrowsMessage<WorldError>(HasSubstr("no contents")));
  wrong = activations(9);
  wrong.values[0] = 3;
  EXPECT_THAT(taken(wrong), ThrowsMessage<WorldError>(HasSubstr("which is not used here")));
  stage.take(activations(10), from("a"), Seconds(2), effects_);
  wrong = activations(10);
  wrong.capacity = 6;
  EXPECT_THAT(taken(wrong), ThrowsMessage<WorldError>(HasSubstr("two shapes for one step")));
  wrong = activations(11);
  wrong.capacity = 0;
  wrong.prompt_goes_on = true;
  EXPECT_THAT(taken(wrong), ThrowsMessage<WorldError>(HasSubstr("single pass in several steps")));
}

TEST_F(StageTest, TakesTensorsFromThoseThatSendItSomeOnly) {
  MemoryLedger ledger(1e6);
  StageRunner stage(prepare_for("b"), "b", ledger);
  for (const char* stranger : {"b", "c", "coordinator"}) {
    EXPECT_THAT([&] { stage.take(activations(7), from(stranger), Seconds(2), effects_); },
                ThrowsMessage<WorldError>(HasSubstr(std::string(stranger) + " answers nonsense")));
  }
  stage.take(activations(7), from("a"), Seconds(2), effects_);
  EXPECT_EQ(effects_.ready.size(), 1U);
}

TEST_F(StageTest, AHeaderTakesTensorsOfStepsThatItHasStartedOnly) {
  MemoryLedger ledger(1e6);
  StageRunner header(prepare_for("a", {{"a", 0, 0, {}}, {"b", 1, 2, {}}, {"a", 3, 3, {}}}), "a",
                     ledger);
  EXPECT_THAT([&] { header.take(activations(4711), from("b"), Seconds(2), effects_); },
              ThrowsMessage<WorldError>(HasSubstr("not under way here")));
}

TEST_F(StageTest, AStepKeepsItsRoomUntilItHasRunOrIsDropped) {
  StageRunner stage(prepare_for("b"), "b", ledger_);
  for (const bool runs : {true, false}) {
    stage.take(activations(7), from("a"), Seconds(2), effects_);
    const double rest = ledger_.free_bytes();
    EXPECT_THROW(ledger_.hold_weights(rest), WorldError);
    if (runs) {
      run(stage, 7, 0);
      stage.finish(Seconds(6), effects_);
    } else {
      stage.drop(7);
    }
    EXPECT_NO_THROW(ledger_.hold_weights(rest)) << runs;
    ledger_.hold_weights(0);
    ledger_.release(7);
  }
}

TEST_F(StageTest, AStepWithoutRoomIsRefusedAndLeavesNothing) {
  MemoryLedger small(100);
  StageRunner stage(prepare_for("b"), "b", small);
  EXPECT_THROW(stage.take(activations(7), from("a"), Seconds(2), effects_), RequestRefused);
  EXPECT_EQ(small.states_bytes(), 0);
  EXPECT_EQ(stage.waits_for(), "");
}

TEST_F(StageTest, TheHeaderTellsOfEachTokenAndOfTheEnd) {
  Header header(prepare_for("a"));
  EXPECT_NE(header.submit(request(7), Seconds(1)), nullptr);
  EXPECT_THAT(header.waits_for(), HasSubstr("result of step 0 of request 7"));
  const RequestState* next = header.take({1, 7, 0, 5, {}}, Seconds(2), effects_);
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->step(), (Step{1, 3}));
  EXPECT_EQ(header.take({1, 7, 1, 6, {}}, Seconds(3), effects_), nullptr);
  ASSERT_EQ(effects_.letters.size(), 3U);
  EXPECT_EQ(std::get<TokenMade>(effects_.letters[0].body).token, 5);
  const auto& done = std::get<Done>(effects_.letters[2].body);
  EXPECT_THAT(done.tokens, ElementsAre(5, 6));
  EXPECT_EQ(done.ending, Ending::kLength);
  EXPECT_EQ(header.waits_for(), "");
  EXPECT_THROW(header.take({1, 7, 2, 6, {}}, Seconds(3), effects_), WorldError);
}

TEST_F(StageTest, TheHeaderEndsARequestForTheReasonThatCameFirst) {
  Header header(prepare_for("a"));
  Submit stopping = request(1);
  stopping.max_tokens = 9;
  stopping.capacity = 12;
  stopping.stop_tokens = {5};
  header.submit(stopping, Seconds(0));
  header.cancel(1);
  header.take({1, 1, 0, 5, {}}, Seconds(1), effects_);
  EXPECT_EQ(std::get<Done>(effects_.letters.back().body).ending, Ending::kStop);
  stopping.request = 2;
  header.submit(stopping, Seconds(0));
  header.cancel(2);
  header.take({1, 2, 0, 4, {}}, Seconds(1), effects_);
  EXPECT_EQ(std::get<Done>(effects_.letters.back().body).ending, Ending::kCancelled);
}

TEST_F(StageTest, TheHeaderRefusesWhatTheModelDoesNotTake) {
  Header header(prepare_for("a"));
  Submit wrong = request(3);
  wrong.inputs = {make_number(1)};
  EXPECT_THROW(header.submit(wrong, Seconds(0)), RequestRefused);
  wrong = request(3);
  wrong.inputs[0].data = nullptr;
  EXPECT_THROW(header.submit(wrong, Seconds(0)), RequestRefused);
  EXPECT_NE(header.submit(request(3), Seconds(0)), nullptr) << "nothing was kept";
}

TEST(Tailer, RemembersWhatThePenaltyLooksAtUntilTheRequestIsOver) {
  std::vector<std::size_t> remembered;
  Tailer tailer([&](const Tensor&, const SampleContext& context) {
    remembered.push_back(context.recent.size());
    return TokenId{4};
  });
  StageRunner::StepOutput step;
  step.generates = true;
  step.step = {3, 0};
  step.sampling.repetition_penalty = 1.5;
  step.sampling.repetition_window = 3;
  step.recent = {1, 2};
  step.outputs = {Tensor{DType::kFloat32, {1, 2}, nullptr}};
  step.prompt_goes_on = true;
  EXPECT_EQ(tailer.result_of(step, 1).token, kNoToken);
  step.prompt_goes_on = false;
  step.step_index = 1;
  step.recent.clear();
  EXPECT_EQ(tailer.result_of(step, 1).token, 4);
  for (step.step_index = 2; step.step_index < 5; ++step.step_index) tailer.result_of(step, 1);
  EXPECT_THAT(remembered, ElementsAre(2, 3, 3, 3));
  tailer.release(0);
  EXPECT_THROW(tailer.result_of(step, 1), RequestRefused);
}

}  // namespace
}  // namespace lingua
