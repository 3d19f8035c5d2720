// Norms that are computed again where the value that they are of is sent as well.
#include <gmock/gmock.h>

#include "runtime/base/errors.h"
#include "runtime/partition/partition.h"
#include "tests/support/synthetic_graph.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using testing::GraphBuilder;
using testing::kNew;
using testing::synthetic_bloom;
using testing::SyntheticBloom;

const std::vector<StepFunction> kDims = {kNew, 4.0};
constexpr Recompute kNorms{.norms = true};

// norm(x) -> linear -> + x
struct Half {
  ValueId x = -1, norm = -1;
  Graph graph;
};

struct HalfOptions {
  std::string kind = "aten::layer_norm";
  std::int64_t gain = 4;
  bool residual = true;    // x is used after the norm
  bool writes = false;     // into the norm's result
  bool is_output = false;  // the norm's result is
  bool two = false;        // the norm is of two values
  double width = 4;        // of its result
};

Half half(const HalfOptions& options) {
  GraphBuilder g("half");
  Half made;
  const ValueId tokens = g.input("tokens", kDims, DType::kFloat32);
  const ValueId other = g.node("aten::relu", {tokens}, kDims);
  made.x = g.node("aten::relu", {other}, kDims);
  std::vector<ValueId> operands = {made.x, g.weight("gain", {options.gain})};
  if (options.two) operands.push_back(other);
  made.norm = g.node(options.kind, operands, {kNew, options.width}, {.flops = kNew * 20.0});
  if (options.writes) g.node("aten::add_", {made.norm, made.x}, {}, {.produces = false});
  const ValueId a = g.node("aten::relu", {made.x}, kDims);
  ValueId y = g.node("aten::linear", {made.norm, g.weight("w", {4, 4})}, kDims);
  if (options.residual) y = g.node("aten::add", {y, made.x}, kDims);
  y = g.node("aten::cat", {y, a, other}, {kNew, 12.0});
  made.graph = g.finish(options.is_output ? std::vector{y, made.norm} : std::vector{y});
  return made;
}

// How many values live behind the norm: other, x, and its result unless it is computed again.
int live_behind_norm(const HalfOptions& options, const Recompute& recompute = kNorms) {
  const Half made = half(options);
  return all_cuts(made.graph, recompute)[made.graph.values[made.norm].producer].live_values;
}

TEST(RecomputedNorms, AreNotSentBesideWhatTheyAreOf) {
  const Half made = half({});
  const auto plain = all_cuts(made.graph);
  const auto again = all_cuts(made.graph, kNorms);
  EXPECT_EQ(plain[2].live_bytes, kNew * (3 * 16));  // other, x, norm
  EXPECT_EQ(again[2].live_bytes, kNew * (2 * 16));
  const auto cut = cut_at(made.graph, {2}, kNorms);
  const Segment& behind = cut.segments[1];
  ASSERT_EQ(behind.inputs.size(), 2u);
  EXPECT_EQ(behind.inputs[1].value, made.x);
  EXPECT_THAT(behind.recomputed, ElementsAre(2));
}

TEST(RecomputedNorms, CostBothSidesTheirWeightsAndWork) {
  const Graph graph = half({}).graph;
  const auto plain = cut_at(graph, {2});
  const auto again = cut_at(graph, {2}, kNorms);
  const Node& norm = graph.nodes[2];
  EXPECT_EQ(again.segments[0].weights, plain.segments[0].weights);
  EXPECT_EQ(again.segments[0].flops, plain.segments[0].flops);
  EXPECT_EQ(again.segments[1].weights_bytes(), plain.segments[1].weights_bytes() + 16);
  EXPECT_EQ(again.segments[1].weights_read, plain.segments[1].weights_read + 16);
  EXPECT_EQ(again.segments[1].flops, plain.segments[1].flops + kNew * 20.0);
  EXPECT_EQ(again.segments[1].bytes_moved, plain.segments[1].bytes_moved + norm.bytes_moved);
  // Inside live a, y and the sum at once, or the norm, a and y; the norm is no input, which counts twice.
  EXPECT_EQ(plain.segments[1].activation_bytes({1, 0}), 2 * (3 * 16 + 48) + 48);
  EXPECT_EQ(again.segments[1].activation_bytes({1, 0}), 2 * (2 * 16 + 48) + 48);
}

TEST(RecomputedNorms, AreThoseOfOneValueThatIsSentAnyway) {
  EXPECT_EQ(live_behind_norm({}, {}), 3);
  EXPECT_EQ(live_behind_norm({}), 2);
  EXPECT_EQ(live_behind_norm({.kind = "lingua::rms_norm"}), 2);
  EXPECT_EQ(live_behind_norm({.kind = "aten::mul"}), 2);
  EXPECT_EQ(live_behind_norm({.kind = "aten::linear"}), 3);
  EXPECT_EQ(live_behind_norm({.kind = "aten::dropout"}), 3);
  EXPECT_EQ(live_behind_norm({.residual = false}), 3);  // x ends before the norm does
  EXPECT_EQ(live_behind_norm({.two = true}), 3);
  EXPECT_EQ(live_behind_norm({.is_output = true}), 3);
}

TEST(RecomputedNorms, SmallerThanWhatTheyAreOfAreSent) {
  EXPECT_EQ(live_behind_norm({.kind = "aten::mean", .width = 1}), 3);
  EXPECT_EQ(live_behind_norm({.width = 5}), 2);
}

TEST(RecomputedNorms, HaveWeightsOfAtMostFourRows) {
  EXPECT_EQ(live_behind_norm({.gain = 16}), 2);
  EXPECT_EQ(live_behind_norm({.gain = 17}), 3);
}

TEST(RecomputedNorms, ThatAreWrittenInPlaceAreSent) {
  const Half made = half({.writes = true});
  EXPECT_EQ(all_cuts(made.graph, kNorms)[3].live_values, 3);
  EXPECT_FALSE(all_cuts(made.graph, kNorms)[2].allowed);
}

// As transformers writes it: in fp32, rounded, times a weight, or times 1 + weight and then rounded.
ValueId written_norm(GraphBuilder& g, ValueId x, bool plus_one) {
  const testing::NodeOptions half{.dtype = DType::kBFloat16};
  const ValueId weight = g.weight("gain", {4}, DType::kBFloat16);
  const ValueId wide = g.node("aten::to", {x}, kDims);
  const ValueId mean = g.node("aten::mean", {g.node("aten::pow", {wide}, kDims)}, {kNew, 1.0});
  const ValueId scale =
      g.node("aten::rsqrt", {g.node("aten::add", {mean}, {kNew, 1.0})}, {kNew, 1.0});
  const ValueId y = g.node("aten::mul", {wide, scale}, kDims);
  if (!plus_one)
    return g.node("aten::mul", {weight, g.node("aten::to", {y}, kDims, half)}, kDims, half);
  const ValueId factor = g.node("aten::add", {g.node("aten::float", {weight}, {4.0})}, {4.0});
  return g.node("aten::type_as", {g.node("aten::mul", {y, factor}, kDims), x}, kDims, half);
}

TEST(RecomputedNorms, MayBeWrittenOut) {
  for (const bool plus_one : {false, true}) {
    for (const bool steps : {false, true}) {
      GraphBuilder g("llama");
      const testing::NodeOptions half{.dtype = DType::kBFloat16};
      const ValueId x = g.node("aten::relu", {g.input("in", kDims, DType::kBFloat16)}, kDims, half);
      const ValueId norm = written_norm(g, x, plus_one);
      const ValueId y = g.node("aten::linear", {norm, g.weight("w", {4, 4})}, kDims, half);
      const Graph graph = g.finish({g.node("aten::add", {y, x}, kDims, half)});
      const NodeId end = graph.values[norm].producer;
      EXPECT_EQ(all_cuts(graph, {.steps = steps})[end].live_bytes, kNew * 16.0);
      EXPECT_EQ(all_cuts(graph, {steps, true})[end].live_bytes, kNew * 8.0);
      const auto cut = cut_at(graph, {end}, {steps, true});
      EXPECT_EQ(cut.segments[1].recomputed.size(), static_cast<std::size_t>(end));  // all but relu
      ASSERT_EQ(cut.segments[1].inputs.size(), 1u);
      EXPECT_EQ(cut.segments[1].inputs[0].value, x);
    }
  }
}

TEST(LinguaLinkedRule, SendsTheResidualStreamAloneWhenNormsAreComputedAgain) {
  constexpr SyntheticBloom k560m{.layers = 24, .hidden = 1024, .heads = 16, .vocabulary = 250880};
  const Graph graph = synthetic_bloom(k560m);
  const auto plain = partition(graph, {.rule = "lingualinked"});
  const auto again = partition(graph, {.rule = "lingualinked", .recompute_norms = true});
  ASSERT_EQ(again.segments.size(), plain.segments.size());
  StepFunction flops;
  for (std::size_t s = 0; s < again.segments.size(); ++s) {
    EXPECT_EQ(again.segments[s].last_node, plain.segments[s].last_node);
    EXPECT_EQ(again.segments[s].name, plain.segments[s].name);
    flops += again.segments[s].flops;
  }
  double hop = 0;
  for (const TensorSpec& input : again.segments[2].inputs) hop += input.bytes.at({1, 0});
  EXPECT_EQ(hop, 4 * 1024);  // the mask, ALiBi and the number of tokens go to attention halves
  EXPECT_EQ(flops, graph.flops() + kNew * (48 * 5 * 1024.0));  // one norm for each half
  // The last norm is of a value that nobody else uses: it is sent.
  EXPECT_TRUE(again.segments.back().recomputed.empty());
  EXPECT_EQ(again.segments.back().inputs, plain.segments.back().inputs);
}

TEST(LinguaLinkedRule, CountsTheWeightsOfNormsThatAreComputedAgain) {
  const Graph graph = synthetic_bloom();
  double most = 0;
  for (const Segment& segment : partition(graph, {.rule = "lingualinked"}).segments)
    most = std::max(most, segment.weights_bytes());
  const PartitionOptions options{
      .rule = "lingualinked", .max_segment_bytes = most, .recompute_norms = true};
  EXPECT_THROW(partition(graph, options), InfeasibleError);
}

}  // namespace
}  // namespace lingua
