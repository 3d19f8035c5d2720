// Properties that hold for any graph, checked on random ones against brute force.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "runtime/base/random.h"
#include "runtime/partition/partition.h"
#include "tests/support/graph_builder.h"

namespace lingua {
namespace {

using testing::GraphBuilder;
using testing::kNew;
using testing::kTotal;

Graph random_graph(Rng& rng) {
  GraphBuilder g("random");
  std::vector<ValueId> known = {g.input("x", {kNew, 4.0}, DType::kFloat32), g.input("y", {kNew})};
  std::vector<ValueId> free = {g.step("new_tokens", StepScalar::kNewTokens),
                               g.step("cached_tokens", StepScalar::kCachedTokens)};
  for (int i = 0; i < 3; ++i) free.push_back(g.weight(fmt::format("w{}", i), {4, i + 1}));
  const auto pick = [&](const std::vector<ValueId>& from) { return from[rng.below(from.size())]; };
  const int count = 2 + static_cast<int>(rng.below(30));
  std::vector<ValueId> made;
  for (int n = 0; n < count; ++n) {
    std::vector<ValueId> operands = {rng.uniform() < 0.3 ? pick(free) : pick(known)};
    while (rng.uniform() < 0.5) operands.push_back(rng.uniform() < 0.4 ? pick(free) : pick(known));
    const bool list = rng.uniform() < 0.05;
    const auto width = static_cast<double>(1 + rng.below(8));
    const ValueId value = g.node(rng.uniform() < 0.4 ? "aten::mul" : "aten::op", operands,
                                 {rng.uniform() < 0.5 ? kNew : kTotal, width},
                                 {.flops = kNew * width, .is_tensor = !list, .can_be_sent = !list});
    const bool step_only = g.last_node().step_only;
    (step_only ? free : known).push_back(value);
    made.push_back(value);
  }
  std::vector<ValueId> outputs = {made.back()};
  while (rng.uniform() < 0.4) outputs.push_back(pick(made));
  for (ValueId id : outputs) g.value(id).can_be_sent = true;
  return g.finish(outputs);
}

bool has(const std::vector<ValueId>& values, ValueId id) {
  return std::find(values.begin(), values.end(), id) != values.end();
}

// Step-only values that are neither returned nor made from ones that are.
std::set<ValueId> step_only(const Graph& graph, bool steps) {
  std::set<ValueId> result;
  for (const Node& node : graph.nodes) {
    bool again = steps && node.step_only && !has(graph.outputs, node.outputs[0]);
    for (ValueId id : node.inputs) {
      again &= graph.values[id].kind != ValueKind::kActivation || result.contains(id);
    }
    if (again) result.insert(node.outputs[0]);
  }
  return result;
}

// By definition: made (or given) before, and used after or returned.
std::set<ValueId> live_across(const Graph& graph, NodeId cut, bool steps) {
  const auto skipped = step_only(graph, steps);
  std::set<ValueId> live;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.values.size()); ++id) {
    const Value& value = graph.values[id];
    const bool sent = value.kind == ValueKind::kActivation || value.kind == ValueKind::kInput;
    bool used = has(graph.outputs, id);
    for (NodeId n = cut + 1; n < static_cast<NodeId>(graph.nodes.size()); ++n) {
      used |= has(graph.nodes[n].inputs, id);
    }
    if (sent && used && value.producer <= cut && !skipped.contains(id)) live.insert(id);
  }
  return live;
}

constexpr Recompute kWays[] = {{.steps = false}, {.steps = true}, {false, true}, {true, true}};

std::vector<NodeId> some_allowed(const Graph& graph, const Recompute& recompute, Rng& rng) {
  std::vector<NodeId> after;
  for (const Cut& cut : all_cuts(graph, recompute)) {
    if (cut.allowed && rng.uniform() < 0.4) after.push_back(cut.after);
  }
  return after;
}

// What a device that runs the segment has: does every node find its operands?
void expect_runs_alone(const Graph& graph, const Segment& segment) {
  std::set<ValueId> there;
  for (const TensorSpec& input : segment.inputs) there.insert(input.value);
  std::vector<NodeId> order = segment.recomputed;
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  for (NodeId n : order) EXPECT_LT(n, segment.first_node);
  for (NodeId n = segment.first_node; n <= segment.last_node; ++n) order.push_back(n);
  StepFunction flops;
  for (NodeId n : order) {
    for (ValueId id : graph.nodes[n].inputs) {
      const Value& value = graph.values[id];
      if (value.kind == ValueKind::kWeight) {
        EXPECT_TRUE(
            std::any_of(segment.weights.begin(), segment.weights.end(),
                        [&](const WeightSpec& weight) { return weight.name == value.name; }));
      } else if (value.kind == ValueKind::kStep) {
        EXPECT_TRUE(std::count(segment.step_scalars.begin(), segment.step_scalars.end(),
                               value.step_scalar));
      } else {
        EXPECT_TRUE(there.contains(id)) << "node " << n << " lacks value " << id;
      }
    }
    there.insert(graph.nodes[n].outputs.begin(), graph.nodes[n].outputs.end());
    flops += graph.nodes[n].flops;
  }
  EXPECT_EQ(segment.flops, flops);
  for (const TensorSpec& output : segment.outputs) EXPECT_TRUE(there.contains(output.value));
}

class RandomGraph : public ::testing::TestWithParam<int> {};

TEST_P(RandomGraph, LiveBytesEqualBruteForce) {
  Rng rng(static_cast<std::uint64_t>(GetParam()));
  const Graph graph = random_graph(rng);
  for (bool steps : {false, true}) {
    const auto cuts = all_cuts(graph, {.steps = steps});
    ASSERT_EQ(cuts.size(), graph.nodes.size() - 1);
    for (const Cut& cut : cuts) {
      StepFunction bytes;
      bool sendable = true;
      const auto live = live_across(graph, cut.after, steps);
      for (ValueId id : live) {
        bytes += graph.values[id].bytes();
        sendable &= graph.values[id].can_be_sent;
      }
      EXPECT_EQ(cut.live_bytes, bytes) << "after node " << cut.after;
      EXPECT_EQ(cut.live_values, static_cast<int>(live.size()));
      EXPECT_EQ(cut.allowed, sendable);
      EXPECT_EQ(cut.allowed, cut.why_not.empty());
    }
  }
}

TEST_P(RandomGraph, EverySegmentRunsAlone) {
  Rng rng(static_cast<std::uint64_t>(GetParam()) + 1000);
  const Graph graph = random_graph(rng);
  for (const Recompute& recompute : kWays) {
    const auto cut = cut_at(graph, some_allowed(graph, recompute, rng), recompute);
    std::set<ValueId> made;
    for (const TensorSpec& input : cut.model_inputs) made.insert(input.value);
    NodeId next = 0;
    for (const Segment& segment : cut.segments) {
      EXPECT_EQ(segment.first_node, next);
      next = segment.last_node + 1;
      expect_runs_alone(graph, segment);
      for (const TensorSpec& input : segment.inputs) EXPECT_TRUE(made.contains(input.value));
      for (const TensorSpec& output : segment.outputs) {
        EXPECT_TRUE(made.insert(output.value).second) << "made twice";
      }
    }
    EXPECT_EQ(next, static_cast<NodeId>(graph.nodes.size()));
    for (ValueId id : cut.model_outputs) EXPECT_TRUE(made.contains(id));
  }
}

TEST_P(RandomGraph, EveryOutputIsUsedLater) {
  Rng rng(static_cast<std::uint64_t>(GetParam()) + 2000);
  const Graph graph = random_graph(rng);
  const Recompute recompute{true, rng.below(2) == 0};
  const auto cut = cut_at(graph, some_allowed(graph, recompute, rng), recompute);
  for (const Segment& segment : cut.segments) {
    for (const TensorSpec& output : segment.outputs) {
      bool used = has(cut.model_outputs, output.value);
      for (const Segment& later : cut.segments) {
        for (const TensorSpec& input : later.inputs) {
          used |= later.id > segment.id && input.value == output.value;
        }
      }
      EXPECT_TRUE(used) << "value " << output.value;
    }
  }
}

double bytes_into(const Segment& segment, const Step& step) {
  double bytes = 0;
  for (const TensorSpec& input : segment.inputs) bytes += input.bytes.at(step);
  return bytes;
}

TEST_P(RandomGraph, NormsThatAreComputedAgainAddToNoCutAndNoSegmentsInputs) {
  Rng rng(static_cast<std::uint64_t>(GetParam()) + 4000);
  const Graph graph = random_graph(rng);
  for (bool steps : {false, true}) {
    const auto plain_cuts = all_cuts(graph, {.steps = steps});
    const auto cuts = all_cuts(graph, {.steps = steps, .norms = true});
    for (std::size_t c = 0; c < cuts.size(); ++c) {
      EXPECT_LE(cuts[c].live_values, plain_cuts[c].live_values);
      EXPECT_LE(cuts[c].live_bytes.at({3, 5}), plain_cuts[c].live_bytes.at({3, 5}));
      EXPECT_TRUE(cuts[c].allowed || !plain_cuts[c].allowed);
    }
    const auto after = some_allowed(graph, {.steps = steps}, rng);
    const auto plain = cut_at(graph, after, {.steps = steps});
    const auto again = cut_at(graph, after, {.steps = steps, .norms = true});
    for (std::size_t s = 0; s < plain.segments.size(); ++s) {
      for (const Step& step : {Step{1, 0}, Step{7, 0}, Step{1, 30}})
        EXPECT_LE(bytes_into(again.segments[s], step), bytes_into(plain.segments[s], step));
    }
  }
}

TEST(RandomGraphInput, HasNormsToSpeakOf) {
  int fewer = 0;
  for (std::uint64_t seed = 1; seed < 41; ++seed) {
    Rng rng(seed + 4000);
    const Graph graph = random_graph(rng);
    const auto plain = all_cuts(graph);
    const auto again = all_cuts(graph, {.norms = true});
    for (std::size_t c = 0; c < plain.size(); ++c)
      fewer += static_cast<int>(again[c].live_values < plain[c].live_values);
  }
  EXPECT_GT(fewer, 50);
}

TEST_P(RandomGraph, RuleBytesKeepsToItsBoundsAndCutsTheSameWithNormsComputedAgain) {
  Rng rng(static_cast<std::uint64_t>(GetParam()) + 3000);
  const Graph graph = random_graph(rng);
  const int count = 1 + static_cast<int>(rng.below(6));
  const auto cut = partition(graph, {.max_segments = count});
  const auto again = partition(graph, {.max_segments = count, .recompute_norms = true});
  EXPECT_LE(cut.segments.size(), static_cast<std::size_t>(count));
  ASSERT_EQ(cut.segments.size(), again.segments.size());
  for (std::size_t i = 0; i < cut.segments.size(); ++i) {
    EXPECT_EQ(cut.segments[i].last_node, again.segments[i].last_node);
    expect_runs_alone(graph, cut.segments[i]);
    expect_runs_alone(graph, again.segments[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraph, ::testing::Range(1, 41));

}  // namespace
}  // namespace lingua
