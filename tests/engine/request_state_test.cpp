#include "runtime/engine/request_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/base/errors.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<TensorSpec> inputs_of_toy() { return testing::toy_segmentation(2, false).model_inputs; }

Submit submit(std::vector<std::int64_t> prompt, std::int64_t max_tokens, bool kv_cache) {
  Submit request;
  request.inputs = {make_int64_tensor(prompt)};
  request.max_tokens = max_tokens;
  request.capacity = static_cast<std::int64_t>(prompt.size()) + max_tokens;
  request.kv_cache = kv_cache;
  return request;
}

std::vector<std::int64_t> ids(const Tensor& tensor) {
  const auto* data = reinterpret_cast<const std::int64_t*>(tensor.data.get());
  return {data, data + tensor.elements()};
}

TEST(RequestState, PrefillsThePromptThenDecodesOneTokenAtATime) {
  RequestState state(submit({7, 8, 9}, 3, true), inputs_of_toy(), Seconds(0));
  EXPECT_EQ(state.step(), (Step{3, 0}));
  EXPECT_FALSE(state.take(11, Seconds(1)));
  EXPECT_EQ(state.step(), (Step{1, 3}));
  EXPECT_THAT(ids(state.step_inputs()[0]), ElementsAre(11));
  EXPECT_FALSE(state.take(12, Seconds(2)));
  EXPECT_EQ(state.step(), (Step{1, 4}));
  EXPECT_TRUE(state.take(13, Seconds(3)));
  EXPECT_THAT(state.tokens(), ElementsAre(11, 12, 13));
}

TEST(RequestState, RecomputesAllPositionsWithoutACache) {
  RequestState state(submit({7, 8, 9}, 3, false), inputs_of_toy(), Seconds(0));
  EXPECT_FALSE(state.take(11, Seconds(1)));
  EXPECT_EQ(state.step(), (Step{4, 0}));
  EXPECT_THAT(ids(state.step_inputs()[0]), ElementsAre(7, 8, 9, 11));
}

TEST(RequestState, EndsAtAStopToken) {
  Submit request = submit({1}, 10, true);
  request.stop_tokens = {5};
  RequestState state(request, inputs_of_toy(), Seconds(0));
  EXPECT_FALSE(state.take(4, Seconds(1)));
  EXPECT_TRUE(state.take(5, Seconds(2)));
  EXPECT_THAT(state.tokens(), ElementsAre(4, 5));
}

TEST(RequestState, TellsTheTailerOfThePromptOnceAndAsMuchAsThePenaltyLooksAt) {
  Submit request = submit({7, 8, 9}, 5, true);
  request.sampling.repetition_window = 2;
  EXPECT_THAT(RequestState(request, inputs_of_toy(), Seconds(0)).recent(), ElementsAre())
      << "no penalty, nothing to send";
  request.sampling.repetition_penalty = 1.2;
  RequestState state(request, inputs_of_toy(), Seconds(0));
  EXPECT_THAT(state.recent(), ElementsAre(8, 9));
  state.take(11, Seconds(1));
  EXPECT_THAT(state.recent(), ElementsAre());
  request.sampling.repetition_window = 64;
  EXPECT_THAT(RequestState(request, inputs_of_toy(), Seconds(0)).recent(), ElementsAre(7, 8, 9));
}

TEST(RequestState, EndsWithTheNextResultWhenCancelled) {
  RequestState state(submit({1}, 10, true), inputs_of_toy(), Seconds(0));
  EXPECT_FALSE(state.take(4, Seconds(1)));
  state.cancel();
  EXPECT_TRUE(state.take(5, Seconds(2)));
  EXPECT_THAT(state.tokens(), ElementsAre(4, 5));
}

TEST(CheckSubmit, RefusesSamplingThatMakesNoSense) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<Sampling> bad;
  for (double value : {-0.1, nan, infinity}) bad.push_back({.temperature = value});
  for (double value : {0.0, -1.0, 1.01, nan}) bad.push_back({.top_p = value});
  for (double value : {0.0, -1.0, nan, infinity}) bad.push_back({.repetition_penalty = value});
  bad.push_back({.top_k = -1});
  bad.push_back({.repetition_window = -1});
  for (std::size_t i = 0; i < bad.size(); ++i) {
    Submit request = submit({1, 2}, 4, true);
    request.sampling = bad[i];
    EXPECT_THAT([&] { check_submit(request, inputs_of_toy()); },
                ThrowsMessage<WorldError>(HasSubstr("sampling")))
        << i;
  }
  Submit request = submit({1, 2}, 4, true);
  request.sampling = {0.8, 40, 0.95, 1.1, 0, 7};
  EXPECT_NO_THROW(check_submit(request, inputs_of_toy()));
}

TEST(CheckSubmit, RefusesWhatTheModelDoesNotTake) {
  const auto refused = [](const Submit& request, const char* why) {
    EXPECT_THAT([&] { check_submit(request, inputs_of_toy()); },
                ThrowsMessage<WorldError>(HasSubstr(why)));
  };
  Submit request = submit({1, 2}, 4, true);
  request.inputs.clear();
  refused(request, "0 inputs");
  request = submit({1, 2}, 4, true);
  request.inputs[0].dtype = DType::kFloat64;
  refused(request, "float64");
  request = submit({1, 2}, 4, true);
  request.inputs[0].shape = {1, 2};
  refused(request, "shape [1, 2]");
  request = submit({1, 2}, 4, true);
  request.capacity = 5;
  refused(request, "need 6");
  request = submit({1, 2}, -1, true);
  refused(request, "negative");
}

}  // namespace
}  // namespace lingua
