#include "runtime/partition/partition.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "tests/support/synthetic_graph.h"

namespace lingua {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::kNew;
using testing::synthetic_bloom;
using testing::SyntheticBloom;

constexpr SyntheticBloom k560m{.layers = 24, .hidden = 1024, .heads = 16, .vocabulary = 250880};
constexpr SyntheticBloom k3b{.layers = 30, .hidden = 2560, .heads = 32, .vocabulary = 250880};

std::string message_of(const Graph& graph, const PartitionOptions& options) {
  try {
    partition(graph, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

double largest_share(const Segmentation& cut, const Graph& graph) {
  double most = 0;
  for (const Segment& segment : cut.segments) most = std::max(most, segment.flops.at({1, 0}));
  return most / graph.flops().at({1, 0});
}

// Of a table one row for each token is read, of a matrix all, whatever the number of rows.
TEST(Segments, ReadTheirMatricesOnceAndTheirTablesByTheToken) {
  GraphBuilder builder("table and matrix");
  const ValueId tokens = builder.input("tokens", {kNew});
  const ValueId table = builder.weight("table", {1000, 8});
  const ValueId x = builder.node("aten::embedding", {table, tokens}, {kNew, 8.0});
  builder.last_node().bytes_moved = kNew * (8 + 2 * 32);
  const ValueId matrix = builder.weight("matrix", {16, 8});
  const ValueId y = builder.node("aten::linear", {x, matrix}, {1.0, 16.0});
  Graph graph = builder.finish({y});
  graph.freedom = {true, false};
  const Segmentation whole = partition(graph, {.max_segments = 1});
  EXPECT_EQ(whole.freedom, graph.freedom);
  ASSERT_EQ(whole.segments.size(), 1U);
  EXPECT_EQ(whole.segments[0].weights_read, 16 * 8 * 4);
  EXPECT_EQ(whole.segments[0].bytes_moved.at({1, 0}), 8 + 2 * 32 + 32 + 16 * 8 * 4 + 16 * 4);
}

TEST(LinguaLinkedRule, CutsBloomLikeTheOriginal) {
  EXPECT_EQ(partition(synthetic_bloom(k560m), {.rule = "lingualinked"}).segments.size(), 50u);
  EXPECT_EQ(partition(synthetic_bloom(k3b), {.rule = "lingualinked"}).segments.size(), 62u);
}

TEST(LinguaLinkedRule, SendsLayerNormOutputAndResidualStream) {
  const auto cut = partition(synthetic_bloom(k560m), {.rule = "lingualinked"});
  double hop = 0;  // the paper's 8 h bytes a token
  for (const TensorSpec& input : cut.segments[2].inputs) hop += input.bytes.at({1, 0});
  EXPECT_EQ(hop, 8 * 1024);
}

TEST(LinguaLinkedRule, SendsMasksOnResidualPathsInsteadOfComputingThemAgain) {
  const auto cut = partition(synthetic_bloom(k560m), {.rule = "lingualinked"});
  for (const Segment& segment : cut.segments) EXPECT_TRUE(segment.recomputed.empty());
  std::vector<ValueId> skipped;  // used by attention halves far from their producer
  for (const TensorSpec& input : cut.segments[41].inputs) {
    if (producer_of(cut, input.value) < 40) skipped.push_back(input.value);
  }
  EXPECT_EQ(skipped.size(), 3u);  // the number of tokens, the mask, ALiBi
}

// x * rsqrt(mean(x^2) + e) in fp32, rounded, times a weight; or times 1 + weight and then rounded.
ValueId written_norm(GraphBuilder& g, ValueId x, bool plus_one) {
  const std::vector<StepFunction> dims = {kNew, 4.0};
  const ValueId factor = g.weight(fmt::format("norm_{}", x), {4});
  const ValueId wide = g.node("aten::to", {x}, dims);
  const ValueId mean = g.node("aten::mean", {g.node("aten::square", {wide}, dims)}, {kNew, 1.0});
  const ValueId scale = g.node("aten::rsqrt", {mean}, {kNew, 1.0});
  const ValueId y = g.node("aten::mul", {wide, scale}, dims);
  if (plus_one) return g.node("aten::to", {g.node("aten::addcmul", {y, y, factor}, dims)}, dims);
  return g.node("aten::mul", {g.node("aten::to", {y}, dims), factor}, dims);
}

TEST(LinguaLinkedRule, SeesNormsThatAreWrittenOutAndCutsBehindTheirCasts) {
  for (const bool plus_one : {false, true}) {
    GraphBuilder g("llama");
    const std::vector<StepFunction> dims = {kNew, 4.0};
    ValueId x = g.input("x", dims, DType::kFloat32);
    std::vector<ValueId> norms;
    for (int i = 0; i < 2; ++i) {
      norms.push_back(written_norm(g, x, plus_one));
      const ValueId gate = g.node("aten::linear", {norms.back(), g.weight("g", {4, 4})}, dims);
      const ValueId up = g.node("aten::linear", {norms.back(), g.weight("u", {4, 4})}, dims);
      const ValueId out = written_norm(g, g.node("aten::mul", {gate, up}, dims), plus_one);
      x = g.node("aten::add", {x, out}, dims);  // a norm that feeds no projection
    }
    const Graph graph = g.finish({x});
    const auto cut = partition(graph, {.rule = "lingualinked"});
    ASSERT_EQ(cut.segments.size(), 3u);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(cut.segments[i].last_node, graph.values[norms[i]].producer);
    }
  }
}

TEST(LinguaLinkedRule, TakesNoOtherProductForANorm) {
  GraphBuilder g("scaled");
  const std::vector<StepFunction> dims = {kNew, 4.0};
  ValueId x = g.input("x", dims, DType::kFloat32);
  x = g.node("aten::mul", {x, g.weight("scale", {4})}, dims);
  x = g.node("aten::linear", {x, g.weight("w", {4, 4})}, dims);
  EXPECT_THROW(partition(g.finish({x}), {.rule = "lingualinked"}), InfeasibleError);
}

TEST(LinguaLinkedRule, SaysWhenAGraphHasNoSuchNorms) {
  GraphBuilder g("mlp");
  ValueId x = g.input("x", {kNew, 4.0}, DType::kFloat32);
  for (int i = 0; i < 3; ++i) x = g.node("aten::linear", {x, g.weight("w", {4, 4})}, {kNew, 4.0});
  const Graph graph = g.finish({x});
  EXPECT_THROW(partition(graph, {.rule = "lingualinked"}), InfeasibleError);
  EXPECT_THAT(message_of(graph, {.rule = "lingualinked"}),
              HasSubstr("mlp has none; use rule bytes"));
}

TEST(LinguaLinkedRule, SaysHowManySegmentsItNeeds) {
  EXPECT_THAT(message_of(synthetic_bloom(k560m), {.rule = "lingualinked", .max_segments = 49}),
              HasSubstr("50 segments; max_segments is 49"));
}

TEST(BytesRule, CutsBloomWhereOnlyTheResidualStreamLives) {
  for (const SyntheticBloom& shape : {SyntheticBloom{}, SyntheticBloom{.layers = 2},
                                      SyntheticBloom{.kv_cache = false}, k560m, k3b}) {
    const auto cut = partition(synthetic_bloom(shape), {});
    ASSERT_EQ(cut.segments.size(), static_cast<std::size_t>(2 * shape.layers + 2));
    for (std::size_t i = 1; i < cut.segments.size(); ++i) {
      ASSERT_EQ(cut.segments[i].inputs.size(), 1u) << cut.segments[i].name;
      EXPECT_EQ(cut.segments[i].inputs[0].bytes.at({1, 128}),
                4.0 * static_cast<double>(shape.hidden));
    }
  }
}

// A prefill that computes logits after its last position only: the cut before them is the cheapest by far.
TEST(BytesRule, CutsAPrefillLikeADecodeStep) {
  GraphBuilder g("last position only");
  ValueId x = g.input("x", {kNew, 64.0}, DType::kFloat32);
  for (int layer = 0; layer < 12; ++layer) {
    const ValueId w = g.weight(fmt::format("w{}", layer), {64, 64});
    x = g.node("aten::matmul", {x, w}, {kNew, 64.0});
  }
  const ValueId last = g.node("aten::select", {x}, {1.0, 64.0});
  const ValueId logits = g.node("aten::matmul", {last, g.weight("head", {64, 512})}, {1.0, 512.0});
  const Graph graph = g.finish({logits});
  const auto cuts = [&](const Step& step) {
    std::vector<NodeId> after;
    for (const Segment& segment : partition(graph, {.step = step}).segments)
      after.push_back(segment.last_node);
    return after;
  };
  EXPECT_GE(cuts({1, 255}).size(), 12u);
  EXPECT_EQ(cuts({256, 0}), cuts({1, 255}));
}

TEST(BytesRule, RecomputesMasksWhereTheyAreUsedAndCountsTheirCost) {
  const Graph graph = synthetic_bloom();
  const auto cut = partition(graph, {});
  EXPECT_THAT(cut.segments[1].recomputed, ::testing::ElementsAre(0, 1, 2, 3, 4));
  EXPECT_TRUE(cut.segments[2].recomputed.empty());
  StepFunction sum;
  for (const Segment& segment : cut.segments) sum += segment.flops;
  const Step step{5, 3};
  const double masks = graph.nodes[3].flops.at(step);
  EXPECT_DOUBLE_EQ(sum.at(step), graph.flops().at(step) + 4 * masks);
}

TEST(BytesRule, StoresATiedEmbeddingOnFirstAndLastSegment) {
  const auto cut = partition(synthetic_bloom(), {});
  const WeightSpec table{"word_embeddings.weight", DType::kFloat32, {256, 64}};
  EXPECT_THAT(cut.segments.front().weights, ::testing::Contains(table));
  EXPECT_THAT(cut.segments.back().weights, ::testing::Contains(table));
}

TEST(BytesRule, NamesSegmentsForPeople) {
  const auto cut = partition(synthetic_bloom(), {});
  std::vector<std::string> names;
  for (const Segment& segment : cut.segments) names.push_back(segment.name);
  EXPECT_THAT(names, ::testing::ElementsAre("word_embeddings", "h.0 attention", "h.0 mlp",
                                            "h.1 attention", "h.1 mlp", "h.2 attention", "h.2 mlp",
                                            "h.3 attention", "h.3 mlp", "lm_head"));
}

TEST(BytesRule, GivesNoNameTwice) {
  const auto cut = partition(synthetic_bloom(), {.max_segment_bytes = 70'000});
  ASSERT_GT(cut.segments.size(), 10u);  // halves are in pieces
  std::set<std::string> names;
  for (const Segment& segment : cut.segments) {
    EXPECT_TRUE(names.insert(segment.name).second) << segment.name;
  }
}

TEST(BytesRule, NamesWholeBlocksWhenHalvesAreJoined) {
  const auto cut = partition(synthetic_bloom(k560m), {.max_segments = 8});
  EXPECT_EQ(cut.segments[1].name, "h.0 - h.3");
}

// A head in four pieces: nobody would cut there for the bytes that cross.
constexpr SyntheticBloom kInPieces{.vocabulary = 25600, .pieces = 4};

TEST(Pieces, OfAMatrixAreSegmentsByEveryRuleAndLeaveTheOtherCutsAsTheyAre) {
  SyntheticBloom whole = kInPieces;
  whole.pieces = 1;
  for (const char* rule : {"bytes", "lingualinked"}) {
    const auto uncut = partition(synthetic_bloom(whole), {.rule = rule});
    const auto cut = partition(synthetic_bloom(kInPieces), {.rule = rule});
    ASSERT_EQ(cut.segments.size(), uncut.segments.size() + 6) << rule;
    std::map<std::string, int> holders;
    for (const Segment& segment : cut.segments) {
      int pieces = 0;
      for (const WeightSpec& weight : segment.weights) {
        if (!weight.name.starts_with("word_embeddings.weight[")) continue;
        ++holders[weight.name];
        ++pieces;
      }
      EXPECT_LE(pieces, 1) << segment.name;
    }
    EXPECT_EQ(holders.size(), 4U);
    for (const auto& [name, count] : holders) EXPECT_EQ(count, 2) << name;
    const auto piece = cut.segments.end()[-2];
    EXPECT_LE(piece.weights_bytes(), uncut.segments.back().weights_bytes() / 4);
  }
}

TEST(Pieces, HaveTheirRowsForANameAndTheHeadsAreTold) {
  std::vector<std::string> names;
  for (const Segment& segment : partition(synthetic_bloom(kInPieces), {}).segments)
    names.push_back(segment.name);
  EXPECT_THAT(names,
              ::testing::IsSupersetOf({"word_embeddings 0:6400", "word_embeddings 19200:25600",
                                       "h.0 attention", "lm_head 0:6400", "lm_head 19200:25600"}));
}

TEST(Pieces, AreNotJoinedDownToMaxSegments) {
  const Graph graph = synthetic_bloom(kInPieces);
  for (const int most : {7, 8, 12}) {
    const auto cut = partition(graph, {.max_segments = most});
    EXPECT_EQ(cut.segments.size(), static_cast<std::size_t>(most));
    EXPECT_EQ(cut.segments.end()[-2].weights.size(), 1U);
  }
  EXPECT_THROW(partition(graph, {.max_segments = 6}), InfeasibleError);
  EXPECT_THAT(message_of(graph, {.max_segments = 6}),
              ::testing::AllOf(HasSubstr("6 segments (max_segments); it takes 7"),
                               HasSubstr("pieces of matrices")));
}

TEST(BytesRule, KeepsToMaxSegmentsAndBalancesWork) {
  const Graph graph = synthetic_bloom({.layers = 16});
  for (int count : {1, 2, 3, 5, 9, 17, 33}) {
    const auto cut = partition(graph, {.max_segments = count});
    EXPECT_EQ(cut.segments.size(), static_cast<std::size_t>(count));
    EXPECT_LE(largest_share(cut, graph), std::max(2.5 / count, 0.07)) << count;
  }
}

TEST(BytesRule, SplitsUntilWeightsFit) {
  const Graph graph = synthetic_bloom(k560m);
  const auto whole_block = partition(graph, {.max_segments = 26});
  const double bound = 1.1e9;  // the embedding takes 1.03 GB
  const auto cut = partition(graph, {.max_segments = 4, .max_segment_bytes = bound});
  EXPECT_EQ(cut.segments.size(), 4u);
  for (const Segment& segment : cut.segments) EXPECT_LE(segment.weights_bytes(), bound);
  EXPECT_EQ(whole_block.segments.size(), 26u);
}

TEST(BytesRule, SplitsInsideAHalfWhenTheBoundAsksForIt) {
  GraphBuilder g("chain");
  ValueId x = g.input("x", {kNew, 64.0}, DType::kFloat32);
  for (int i = 0; i < 10; ++i) {  // wide inside, narrow at the borders of pairs
    const double out = i % 2 == 1 && i < 9 ? 256 : 64;
    const ValueId w = g.weight(fmt::format("w{}", i), {64, 256});
    x = g.node("aten::linear", {x, w}, {kNew, out}, {.flops = kNew * 32768.0});
  }
  const Graph graph = g.finish({x});
  EXPECT_EQ(partition(graph, {}).segments.size(), 6u);
  const auto cut = partition(graph, {.max_segment_bytes = 65536});
  EXPECT_EQ(cut.segments.size(), 10u);
}

TEST(BytesRule, NamesTheNodeWhoseWeightsAreOverTheBound) {
  const auto options = PartitionOptions{.max_segment_bytes = 5e8};
  EXPECT_THROW(partition(synthetic_bloom(k560m), options), InfeasibleError);
  EXPECT_THAT(message_of(synthetic_bloom(k560m), options),
              ::testing::AllOf(HasSubstr("aten::embedding"), HasSubstr("1.03 GB"),
                               HasSubstr("max_segment_bytes is 500 MB")));
}

TEST(BytesRule, SaysWhenTheTwoBoundsContradictEachOther) {
  const PartitionOptions options{.max_segments = 2, .max_segment_bytes = 1.1e9};
  EXPECT_THROW(partition(synthetic_bloom(k560m), options), InfeasibleError);
  EXPECT_THAT(message_of(synthetic_bloom(k560m), options), HasSubstr("max_segments"));
}

TEST(BytesRule, CutsAChainOfEqualLayersEvenly) {
  GraphBuilder g("chain");
  ValueId x = g.input("x", {kNew, 64.0}, DType::kFloat32);
  for (int i = 0; i < 10; ++i) {
    const ValueId w = g.weight(fmt::format("w{}", i), {64, 64});
    x = g.node("aten::linear", {x, w}, {kNew, 64.0}, {.flops = kNew * 8192.0});
    x = g.node("aten::relu", {x}, {kNew, 64.0});
  }
  const Graph graph = g.finish({x});
  const auto cut = partition(graph, {});
  EXPECT_EQ(cut.segments.size(), 10u);
  EXPECT_NEAR(largest_share(cut, graph), 0.1, 1e-9);
}

// Levels of a network whose feature maps shrink four times from one to the next.
struct Images {
  static ValueId conv(GraphBuilder& g, ValueId x, int level, const std::string& name) {
    const ValueId w = g.weight(name, {16 << level, 16 << level, 3, 3});
    const ValueId y = g.node("aten::conv2d", {x, w}, size(level), {.scope = name, .flops = 4e6});
    return g.node("aten::relu", {y}, size(level), {.scope = name});
  }
  static std::vector<StepFunction> size(int level) {
    const double side = 64 >> level;
    return {static_cast<double>(16 << level), side, side};
  }
};

TEST(BytesRule, CutsAShrinkingNetworkAtItsPools) {
  GraphBuilder g("cnn");
  ValueId x = g.input("image", {3.0, 64.0, 64.0}, DType::kFloat32);
  for (int level = 0; level < 5; ++level) {
    for (int i = 0; i < 2; ++i)
      x = Images::conv(g, x, level, fmt::format("features.{}{}", level, i));
    x = g.node("aten::max_pool2d", {x},
               {static_cast<double>(16 << level), 32.0 / (1 << level), 32.0 / (1 << level)});
  }
  x = g.node("aten::linear", {x, g.weight("fc", {1024, 10})}, {10.0}, {.flops = 4e6});
  const Graph graph = g.finish({x});
  const auto cut = partition(graph, {});
  EXPECT_GE(cut.segments.size(), 5u);
  EXPECT_LE(largest_share(cut, graph), 0.3);
}

TEST(BytesRule, CutsANetworkWithLongSkips) {
  GraphBuilder g("unet");
  ValueId x = g.input("image", {3.0, 64.0, 64.0}, DType::kFloat32);
  std::vector<ValueId> skips;
  for (int level = 0; level < 4; ++level) {
    x = Images::conv(g, Images::conv(g, x, level, fmt::format("down.{}.a", level)), level,
                     fmt::format("down.{}.b", level));
    skips.push_back(x);
    x = g.node("aten::max_pool2d", {x},
               {static_cast<double>(16 << level), 32.0 / (1 << level), 32.0 / (1 << level)});
  }
  x = Images::conv(g, x, 4, "bottom");
  for (int level = 3; level >= 0; --level) {
    x = g.node("aten::conv_transpose2d", {x}, Images::size(level), {.flops = 1e6});
    const ValueId list = g.node("prim::ListConstruct", {skips[level], x}, {},
                                {.is_tensor = false, .can_be_sent = false});
    x = g.node("aten::cat", {list}, Images::size(level));
    x = Images::conv(g, Images::conv(g, x, level, fmt::format("up.{}.a", level)), level,
                     fmt::format("up.{}.b", level));
  }
  const Graph graph = g.finish({x});
  const auto cut = partition(graph, {});
  EXPECT_GE(cut.segments.size(), 6u);
  EXPECT_LE(largest_share(cut, graph), 0.35);
  bool residual = false;  // a skip is sent past the segments between
  for (const Segment& segment : cut.segments) {
    for (const TensorSpec& input : segment.inputs) {
      residual |=
          producer_of(cut, input.value) >= 0 && producer_of(cut, input.value) < segment.id - 1;
    }
  }
  EXPECT_TRUE(residual);
}

TEST(Partition, NamesTheRulesThatExist) {
  EXPECT_THROW(partition(synthetic_bloom(), {.rule = "best"}), UsageError);
  EXPECT_THAT(message_of(synthetic_bloom(), {.rule = "best"}), HasSubstr("bytes, lingualinked"));
  EXPECT_THROW(partition(synthetic_bloom(), {.max_segments = 0}), UsageError);
}

TEST(Partition, GivesOneSegmentToAGraphOfOneNode) {
  GraphBuilder g("one");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const auto cut = partition(g.finish({g.node("aten::relu", {x}, {kNew})}), {});
  ASSERT_EQ(cut.segments.size(), 1u);
  EXPECT_EQ(cut.segments[0].name, "nodes 0-0");
  EXPECT_EQ(cut.segments[0].outputs.size(), 1u);
}

}  // namespace
}  // namespace lingua
