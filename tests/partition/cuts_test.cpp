#include <gmock/gmock.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/partition/partition.h"
#include "tests/support/graph_builder.h"

namespace lingua {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::kNew;
using testing::kTotal;

std::vector<NodeId> allowed(const Graph& graph) {
  std::vector<NodeId> result;
  for (const Cut& cut : all_cuts(graph)) {
    if (cut.allowed) result.push_back(cut.after);
  }
  return result;
}

TEST(AllCuts, CountsActivationsAndInputsThatAreUsedLater) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew, 4.0}, DType::kFloat32);
  const ValueId w = g.weight("w", {4, 8});
  const ValueId a = g.node("aten::matmul", {x, w}, {kNew, 8.0});
  const ValueId b = g.node("aten::relu", {a}, {kNew, 8.0});
  const ValueId c = g.node("aten::cat", {b, x}, {kNew, 12.0});
  const auto cuts = all_cuts(g.finish({c}));
  ASSERT_EQ(cuts.size(), 2u);
  EXPECT_EQ(cuts[0].live_bytes, kNew * (4 * (8 + 4)));  // a and x, not w
  EXPECT_EQ(cuts[0].live_values, 2);
  EXPECT_EQ(cuts[1].live_bytes, kNew * (4 * (8 + 4)));  // b and x
  EXPECT_TRUE(cuts[0].allowed);
}

TEST(AllCuts, LetsAModelOutputCrossEveryLaterCut) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId early = g.node("aten::relu", {x}, {kNew});
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::relu", {a}, {kNew});
  const auto cuts = all_cuts(g.finish({early, b}));
  ASSERT_EQ(cuts.size(), 2u);
  EXPECT_EQ(cuts[0].live_values, 2);  // early, x
  EXPECT_EQ(cuts[1].live_values, 2);  // early, a
}

TEST(AllCuts, ForgetsStepOnlyValuesOnlyWhenTheyAreRecomputed) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId n = g.step("new_tokens", StepScalar::kNewTokens);
  const ValueId positions = g.node("aten::arange", {n}, {kNew});
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::add", {a, positions}, {kNew});
  const Graph graph = g.finish({b});
  EXPECT_EQ(all_cuts(graph)[1].live_values, 1);
  EXPECT_EQ(all_cuts(graph, {.steps = false})[1].live_values, 2);
}

TEST(AllCuts, NamesTheListThatCannotBeSent) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId list =
      g.node("prim::ListConstruct", {x}, {}, {.is_tensor = false, .can_be_sent = false});
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::cat", {list}, {kNew});
  const ValueId c = g.node("aten::add", {a, b}, {kNew});
  const Graph graph = g.finish({c});
  EXPECT_THAT(allowed(graph), ::testing::ElementsAre(2));
  EXPECT_THAT(all_cuts(graph)[0].why_not, HasSubstr("prim::ListConstruct"));
  EXPECT_THAT(all_cuts(graph)[0].why_not, HasSubstr("it is a list"));
}

TEST(AllCuts, CallsATensorThatCannotBeSentNoList) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId mask = g.node("aten::clone", {x}, {kNew}, {.can_be_sent = false});
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::add", {a, mask}, {kNew});
  const Graph graph = g.finish({b});
  EXPECT_THAT(all_cuts(graph)[0].why_not, HasSubstr("(aten::clone) cannot be sent: it is written"));
}

// state -> view -> copy_ -> view -> matmul -> relu -> matmul
Graph graph_with_state(bool with_view_behind) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew, 4.0}, DType::kFloat32);
  const ValueId state = g.state("k.0", {kCapacity, 4});
  const ValueId a = g.node("aten::relu", {x}, {kNew, 4.0});
  const ValueId room = g.node("aten::slice", {state}, {kNew, 4.0}, {.view = true});
  g.node("aten::copy_", {room, a}, {}, {.produces = false});
  const ValueId all = g.node("aten::slice", {state}, {kNew, 4.0}, {.view = true});
  const ValueId turned = g.node("aten::transpose", {all}, {4.0, kNew}, {.view = true});
  ValueId y = g.node("aten::matmul", {a, turned}, {kNew, kNew});
  y = g.node("aten::relu", {y}, {kNew, kNew});
  if (with_view_behind) y = g.node("aten::matmul", {y, turned}, {kNew, kNew});
  y = g.node("aten::relu", {y}, {kNew, kNew});
  return g.finish({y});
}

TEST(AllCuts, KeepsAStateOnOneSide) {
  const Graph graph = graph_with_state(false);
  EXPECT_THAT(allowed(graph), ::testing::ElementsAre(0, 5, 6));
  const auto cuts = all_cuts(graph);
  EXPECT_THAT(cuts[1].why_not, HasSubstr("'k.0'"));
  EXPECT_THAT(cuts[2].why_not, HasSubstr("state 'k.0' is used on both sides"));
}

TEST(AllCuts, KeepsViewsOfAStateWithIt) {
  const Graph graph = graph_with_state(true);
  EXPECT_THAT(allowed(graph), ::testing::ElementsAre(0, 7));
  EXPECT_THAT(all_cuts(graph)[5].why_not, HasSubstr("is a view of state 'k.0'"));
}

TEST(AllCuts, KeepsAnInPlaceOperationWithTheValueItWrites) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId a = g.node("aten::conv", {x}, {kNew});
  const ValueId other = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::add_", {a, other}, {kNew});
  const ValueId c = g.node("aten::mul", {a, b}, {kNew});
  const Graph graph = g.finish({c});
  EXPECT_THAT(allowed(graph), ::testing::ElementsAre(2));
  EXPECT_THAT(all_cuts(graph)[1].why_not, HasSubstr("written in place by aten::add_"));
}

TEST(AllCuts, DoesNotTakeALogicalDunderForAnInPlaceOperation) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kBool);
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::relu", {a}, {kNew});
  const ValueId c = g.node("aten::__and__", {a, b}, {kNew});
  EXPECT_THAT(allowed(g.finish({c})), ::testing::ElementsAre(0, 1));
}

TEST(AllCuts, KeepsAModelInputThatIsWrittenInPlaceInOneSegment) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId before = g.node("aten::relu", {x}, {kNew});
  g.node("aten::add_", {x, before}, {}, {.produces = false});
  const ValueId a = g.node("aten::relu", {before}, {kNew});
  const ValueId b = g.node("aten::add", {a, x}, {kNew});
  const ValueId c = g.node("aten::relu", {b}, {kNew});
  EXPECT_THAT(allowed(g.finish({c})), ::testing::ElementsAre(3));
}

TEST(AllCuts, RecomputesAStepOnlyValueThatIsWrittenInPlaceWithItsWriter) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId n = g.step("new_tokens", StepScalar::kNewTokens);
  const ValueId mask = g.node("aten::ones", {n}, {kNew});
  g.node("aten::triu_", {mask}, {}, {.produces = false});
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::mul", {a, mask}, {kNew});
  const Segmentation segments = cut_at(g.finish({b}), {2});
  EXPECT_THAT(segments.segments[1].recomputed, ::testing::ElementsAre(0, 1));
  EXPECT_THAT(segments.segments[1].step_scalars, ::testing::ElementsAre(StepScalar::kNewTokens));
  EXPECT_EQ(segments.segments[1].inputs.size(), 1u);
}

TEST(AllCuts, SendsAStepOnlyValueThatIsWrittenFromOneThatIsNotComputedAgain) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId n = g.step("new_tokens", StepScalar::kNewTokens);
  const ValueId returned = g.node("aten::ones", {n}, {kNew});
  const ValueId of_returned = g.node("aten::relu", {returned}, {kNew});
  const ValueId mask = g.node("aten::ones", {n}, {kNew});
  g.node("aten::add_", {mask, of_returned}, {}, {.produces = false});
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  const ValueId b = g.node("aten::mul", {a, mask}, {kNew});
  const Segmentation cut = cut_at(g.finish({returned, b}), {4});
  EXPECT_TRUE(cut.segments[1].recomputed.empty());
  std::vector<ValueId> sent;
  for (const TensorSpec& output : cut.segments[0].outputs) sent.push_back(output.value);
  for (const TensorSpec& input : cut.segments[1].inputs)
    EXPECT_THAT(sent, ::testing::Contains(input.value));
}

TEST(CutAt, RefusesACutThatIsNotAllowed) {
  EXPECT_THROW(cut_at(graph_with_state(false), {2}), BugError);
  EXPECT_THROW(cut_at(graph_with_state(false), {7}), BugError);
  EXPECT_THROW(cut_at(graph_with_state(false), {5, 0}), BugError);
}

TEST(CutAt, GivesEachSideItsOperandsInTheOrderOfTheGraph) {
  const Segmentation cut = cut_at(graph_with_state(false), {0, 5});
  ASSERT_EQ(cut.segments.size(), 3u);
  const Segment& middle = cut.segments[1];
  EXPECT_EQ(middle.id, 1);
  EXPECT_EQ(middle.first_node, 1);
  EXPECT_EQ(middle.last_node, 5);
  ASSERT_EQ(middle.state.size(), 1u);
  EXPECT_EQ(middle.state[0].name, "k.0");
  EXPECT_THAT(middle.state[0].shape, ::testing::ElementsAre(kCapacity, 4));
  ASSERT_EQ(middle.inputs.size(), 1u);
  EXPECT_EQ(middle.inputs[0].bytes, kNew * 16.0);
  ASSERT_EQ(cut.model_inputs.size(), 1u);
  EXPECT_EQ(cut.model_inputs[0].name, "x");
  EXPECT_EQ(producer_of(cut, cut.model_outputs[0]), 2);
}

TEST(CutAt, HoldsAWeightOfBothSidesOnceOnEach) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew, 4.0}, DType::kFloat32);
  const ValueId w = g.weight("w", {4, 4});
  const ValueId same = g.weight("w", {4, 4});
  ValueId y = g.node("aten::matmul", {x, w}, {kNew, 4.0});
  y = g.node("aten::matmul", {y, same}, {kNew, 4.0});
  y = g.node("aten::matmul", {y, w}, {kNew, 4.0});
  const Segmentation cut = cut_at(g.finish({y}), {1});
  EXPECT_EQ(cut.segments[0].weights_bytes(), 64);
  EXPECT_EQ(cut.segments[1].weights_bytes(), 64);
  EXPECT_EQ(cut.segments[0].weights[0], (WeightSpec{"w", DType::kFloat32, {4, 4}}));
}

// Inputs and outputs aside: a lives until it is used last, s as long as its view, m, o.
TEST(CutAt, KnowsWhatLivesAtOnceInsideASegment) {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew, 4.0}, DType::kFloat32);
  const ValueId w = g.weight("w", {4, 8});
  const ValueId a = g.node("aten::matmul", {x, w}, {kNew, 8.0});
  const ValueId s = g.node("aten::matmul", {a, a}, {kNew, kTotal});
  const ValueId view = g.node("aten::transpose", {s}, {kTotal, kNew}, {.view = true});
  const ValueId m = g.node("aten::softmax", {view}, {kTotal, kNew});
  const ValueId o = g.node("aten::matmul", {m, a}, {kNew, 8.0});
  const ValueId out = g.node("aten::add", {o, x}, {kNew, 8.0});
  const Segmentation one = cut_at(g.finish({out}), {});
  const Segment& segment = one.segments.at(0);
  const auto scores = [](const Step& step) {
    return 4.0 * static_cast<double>(step.new_tokens * (step.new_tokens + step.cached_tokens));
  };
  for (const Step& step : {Step{1, 0}, Step{1, 1}, Step{16, 0}, Step{1, 700}, Step{500, 300}}) {
    const double n = 32.0 * static_cast<double>(step.new_tokens);
    const double inner = std::max(n + 2 * scores(step), 2 * n + scores(step));
    const double border = 2 * (n / 2 + n);
    EXPECT_EQ(segment.activation_bytes(step), border + inner) << step.new_tokens;
  }
}

}  // namespace
}  // namespace lingua
