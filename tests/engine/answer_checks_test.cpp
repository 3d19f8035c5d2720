#include "runtime/engine/answer_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/events/event_log.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

class AnswerChecksTest : public ::testing::Test {
 protected:
  AnswerChecksTest() {
    deployment_.segmentation = &segmentation_;
    deployment_.source = &source_;
    deployment_.plan.stages = {{"a", 0, 1, {}}, {"b", 2, 3, {}}};
    checks_.emplace(deployment_);
  }
  void ask(RequestId id, std::int64_t max_tokens, std::vector<TokenId> stops = {}) {
    Submit submit;
    submit.request = id;
    submit.inputs = {make_int64_tensor({1, 2, 3})};
    submit.max_tokens = max_tokens;
    submit.stop_tokens = std::move(stops);
    checks_->submitted(submit);
  }
  // What the model gives for a pass of three tokens, by its own specs.
  Tensor output() const {
    const TensorSpec& spec = segmentation_.segments.back().outputs.front();
    Tensor tensor{spec.dtype, {}, nullptr};
    for (const StepFunction& dim : spec.dims) {
      tensor.shape.push_back(static_cast<std::int64_t>(dim.at({3, 0})));
    }
    tensor.data = allocate_bytes(tensor.bytes());
    return tensor;
  }

  Segmentation segmentation_ = testing::toy_segmentation(4, true);
  testing::ToySource source_;
  Deployment deployment_;
  std::optional<AnswerChecks> checks_;
};

TEST_F(AnswerChecksTest, TakesAnAnswerTokenByToken) {
  ask(7, 2);
  EXPECT_EQ(checks_->take(TokenMade{7, 0, 3}), "");
  EXPECT_EQ(checks_->take(TokenMade{7, 1, 4}), "");
  EXPECT_EQ(checks_->take(Done{7, {3, 4}, {}}), "");
}

TEST_F(AnswerChecksTest, RefusesTokensThatAreNotTheNext) {
  ask(7, 2);
  EXPECT_THAT(checks_->take(TokenMade{8, 0, 3}), HasSubstr("not under way"));
  EXPECT_THAT(checks_->take(TokenMade{7, 1, 3}), HasSubstr("token 0 comes next"));
  EXPECT_THAT(checks_->take(TokenMade{7, 0, kNoToken}), HasSubstr("token id -1"));
  EXPECT_THAT(checks_->take(TokenMade{7, 0, testing::kToyVocabulary}), HasSubstr("token id"));
  EXPECT_THAT(checks_->take(TokenMade{7, 0, std::numeric_limits<TokenId>::max()}),
              HasSubstr("token id"));
  EXPECT_EQ(checks_->take(TokenMade{7, 0, 3}), "");
  EXPECT_EQ(checks_->take(TokenMade{7, 1, 3}), "");
  EXPECT_THAT(checks_->take(TokenMade{7, 2, 3}), HasSubstr("asks for 2"));
}

TEST_F(AnswerChecksTest, RefusesATokenBehindTheOneThatStops) {
  ask(7, 5, {4});
  EXPECT_EQ(checks_->take(TokenMade{7, 0, 3}), "");
  EXPECT_EQ(checks_->take(TokenMade{7, 1, 4}), "");
  EXPECT_THAT(checks_->take(TokenMade{7, 2, 3}), HasSubstr("the one before has stopped"));
}

TEST_F(AnswerChecksTest, RefusesAnEndThatIsNotThatOfItsTokens) {
  ask(7, 3, {5});
  EXPECT_THAT(checks_->take(Done{7, {}, {}}), HasSubstr("no token"));
  EXPECT_EQ(checks_->take(TokenMade{7, 0, 3}), "");
  EXPECT_THAT(checks_->take(Done{7, {4}, {}}), HasSubstr("not the 1 it made"));
  EXPECT_THAT(checks_->take(Done{7, {3}, {}}), HasSubstr("none that stops it"));
  EXPECT_EQ(checks_->take(TokenMade{7, 1, 5}), "");
  EXPECT_THAT(checks_->take(Done{7, {3, 5}, {output()}, Ending::kStop}),
              HasSubstr("1 outputs instead of 0"));
  EXPECT_EQ(checks_->take(Done{7, {3, 5}, {}, Ending::kStop}), "");
  EXPECT_THAT(checks_->take(Done{7, {3, 5}, {}, Ending::kStop}), HasSubstr("not under way"))
      << "twice";
}

TEST_F(AnswerChecksTest, ACancelledRequestMayEndEarly) {
  ask(7, 3);
  EXPECT_EQ(checks_->take(TokenMade{7, 0, 3}), "");
  checks_->cancelled(7);
  EXPECT_EQ(checks_->take(Done{7, {3}, {}, Ending::kCancelled}), "");
}

TEST_F(AnswerChecksTest, RefusesOutputsOfAnotherNumberDtypeShapeOrWithoutContents) {
  ask(1, 0);
  const auto refused = [&](const std::vector<Tensor>& outputs, const char* why) {
    EXPECT_THAT(checks_->take(Done{1, {}, outputs}), HasSubstr(why));
  };
  refused({}, "0 outputs instead of 1");
  refused({output(), output()}, "2 outputs");
  Tensor tensor = output();
  tensor.dtype = tensor.dtype == DType::kInt64 ? DType::kFloat64 : DType::kInt64;
  refused({tensor}, "dtype");
  for (std::vector<std::int64_t> shape : {std::vector<std::int64_t>{}, {0}, {1, 1}, {1 << 20, 7}}) {
    tensor = output();
    tensor.shape = shape;
    refused({tensor}, "shape");
  }
  tensor = output();
  tensor.data = nullptr;
  refused({tensor}, "no contents");
  EXPECT_THAT(checks_->take(Done{1, {4}, {output()}}), HasSubstr("tokens"));
  EXPECT_EQ(checks_->take(Done{1, {}, {output()}}), "");
}

TEST_F(AnswerChecksTest, RowsThatADeviceCannotHaveWrittenAreNotPlausible) {
  ask(1, 2);
  const EventRow good{"b", event::kCompute, 2, 1, 0, Seconds(1), Seconds(2), 8};
  const auto plausible = [&](const EventRow& row) {
    return checks_->plausible(row, "b", Seconds(10));
  };
  EXPECT_TRUE(plausible(good));
  EventRow row = good;
  row.who = "a->b";
  EXPECT_TRUE(plausible(row));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto changed = [&](auto change) {
    EventRow other = good;
    change(other);
    return other;
  };
  for (const EventRow& bad :
       {changed([](EventRow& r) { r.who = "a"; }), changed([](EventRow& r) { r.who = "b->a"; }),
        changed([](EventRow& r) { r.who = "x\xff->b"; }), changed([](EventRow& r) { r.who = ""; }),
        changed([](EventRow& r) { r.what = "\x1b[2J"; }),
        changed([](EventRow& r) { r.segment = 4; }), changed([](EventRow& r) { r.segment = -2; }),
        changed([](EventRow& r) { r.request = 2; }), changed([](EventRow& r) { r.step = -2; }),
        changed([&](EventRow& r) { r.start = Seconds(nan); }),
        changed([&](EventRow& r) { r.end = Seconds(nan); }),
        changed([](EventRow& r) { r.start = Seconds(3); }),
        changed([](EventRow& r) { r.end = Seconds(1e9); }),
        changed([&](EventRow& r) { r.bytes = nan; }), changed([](EventRow& r) { r.bytes = -1; }),
        changed([](EventRow& r) { r.bytes = 1e300; })}) {
    EXPECT_FALSE(plausible(bad)) << bad.who << " " << bad.what << " " << bad.bytes;
  }
}

}  // namespace
}  // namespace lingua
