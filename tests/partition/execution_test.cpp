// Segments that run one by one, with copies of what is sent, compute what the whole graph computes:
// on random graphs with views, in-place operations, states and step-only values, over two steps.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "runtime/base/random.h"
#include "runtime/partition/partition.h"
#include "tests/support/graph_builder.h"

namespace lingua {
namespace {

using testing::GraphBuilder;
using testing::kNew;

// A tensor is one number that views share; an operation mixes the numbers that it reads.
using Cell = std::shared_ptr<std::uint64_t>;
using Memory = std::map<ValueId, Cell>;

Cell cell(std::uint64_t number) { return std::make_shared<std::uint64_t>(number); }

void run_node(const Graph& graph, NodeId n, Memory& memory) {
  const Node& node = graph.nodes[n];
  std::uint64_t mixed = static_cast<std::uint64_t>(n) + 1;
  for (ValueId id : node.inputs) mixed = Rng(mixed ^ *memory.at(id)).next();
  const bool writes = node.kind.ends_with("_");
  if (writes) *memory.at(node.inputs[0]) = mixed;
  for (ValueId id : node.outputs) {
    const bool shares = writes || node.kind == "aten::view";
    memory[id] = shares ? memory.at(node.inputs[0]) : cell(mixed);
  }
}

std::uint64_t given(ValueId id, int step) {
  return Rng(static_cast<std::uint64_t>(id * 10 + step)).next();
}

// What a device has when a step begins: weights, step scalars and its states.
Memory at_rest(const Graph& graph, int step, Memory& states) {
  Memory memory;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.values.size()); ++id) {
    const ValueKind kind = graph.values[id].kind;
    if (kind == ValueKind::kWeight) memory[id] = cell(given(id, 0));
    if (kind == ValueKind::kStep) memory[id] = cell(given(id, step));
    if (kind != ValueKind::kState) continue;
    if (!states.contains(id)) states[id] = cell(0);
    memory[id] = states[id];
  }
  return memory;
}

using Outputs = std::vector<std::uint64_t>;

Outputs run_whole(const Graph& graph, int step, Memory& states) {
  Memory memory = at_rest(graph, step, states);
  for (ValueId id : graph.inputs) {
    if (graph.values[id].kind == ValueKind::kInput) memory[id] = cell(given(id, step));
  }
  for (NodeId n = 0; n < static_cast<NodeId>(graph.nodes.size()); ++n) run_node(graph, n, memory);
  Outputs outputs;
  for (ValueId id : graph.outputs) outputs.push_back(*memory.at(id));
  return outputs;
}

Outputs run_segments(const Graph& graph, const Segmentation& cut, int step,
                     std::vector<Memory>& states) {
  std::map<ValueId, std::uint64_t> sent;
  for (const TensorSpec& input : cut.model_inputs) sent[input.value] = given(input.value, step);
  for (const Segment& segment : cut.segments) {
    Memory memory = at_rest(graph, step, states[static_cast<std::size_t>(segment.id)]);
    for (const TensorSpec& input : segment.inputs) memory[input.value] = cell(sent.at(input.value));
    for (NodeId n : segment.recomputed) run_node(graph, n, memory);
    for (NodeId n = segment.first_node; n <= segment.last_node; ++n) run_node(graph, n, memory);
    for (const TensorSpec& output : segment.outputs) sent[output.value] = *memory.at(output.value);
  }
  Outputs outputs;
  for (ValueId id : cut.model_outputs) outputs.push_back(sent.at(id));
  return outputs;
}

Graph random_graph(Rng& rng) {
  GraphBuilder g("random");
  std::vector<ValueId> constants = {g.step("new_tokens", StepScalar::kNewTokens),
                                    g.weight("w", {4})};
  std::vector<ValueId> tensors = {g.input("x", {kNew}, DType::kFloat32),
                                  g.input("y", {kNew}, DType::kFloat32), g.state("k", {kCapacity}),
                                  g.state("v", {kCapacity})};
  const auto pick = [&](const std::vector<ValueId>& from) { return from[rng.below(from.size())]; };
  // Mostly recent values, as in a real network.
  const auto recent = [&] {
    const std::size_t back = 1 + rng.below(std::min<std::size_t>(4, tensors.size()));
    return rng.uniform() < 0.15 ? pick(tensors) : tensors[tensors.size() - back];
  };
  ValueId last = -1;
  const int count = 5 + static_cast<int>(rng.below(30));
  for (int n = 0; n < count; ++n) {
    const double kind = rng.uniform();
    std::vector<ValueId> operands = {kind > 0.3 && rng.uniform() < 0.2 ? pick(constants)
                                                                       : recent()};
    if (kind < 0.15) {
      tensors.push_back(g.node("aten::view", operands, {kNew}));
    } else if (kind < 0.3) {
      operands.push_back(rng.uniform() < 0.3 ? pick(constants) : recent());
      const bool produces = rng.uniform() < 0.5;
      const ValueId value = g.node("aten::add_", operands, {kNew}, {.produces = produces});
      if (produces) tensors.push_back(value);
    } else {
      while (rng.uniform() < 0.5)
        operands.push_back(rng.uniform() < 0.2 ? pick(constants) : recent());
      last = g.node(rng.uniform() < 0.4 ? "aten::mul" : "aten::op", operands, {kNew});
      tensors.push_back(last);
    }
  }
  if (last < 0) last = g.node("aten::op", {recent()}, {kNew});
  return g.finish({last});
}

class RandomRun : public ::testing::TestWithParam<int> {};

TEST_P(RandomRun, OfSegmentsGivesWhatTheWholeGives) {
  Rng rng(static_cast<std::uint64_t>(GetParam()));
  for (int round = 0; round < 20; ++round) {
    const Graph graph = random_graph(rng);
    for (const Recompute& recompute : {Recompute{false, false}, Recompute{true, false},
                                       Recompute{false, true}, Recompute{true, true}}) {
      std::vector<NodeId> after;
      for (const Cut& cut : all_cuts(graph, recompute)) {
        if (cut.allowed) after.push_back(cut.after);
      }
      const Segmentation cut = cut_at(graph, after, recompute);
      Memory whole_states;
      std::vector<Memory> states(cut.segments.size());
      for (int step : {1, 2}) {
        EXPECT_EQ(run_whole(graph, step, whole_states), run_segments(graph, cut, step, states))
            << "round " << round << ", step " << step << ", " << cut.segments.size() << " segments";
      }
    }
  }
}

TEST(RandomRunInput, HasCutsToSpeakOf) {
  Rng rng(1);
  std::size_t allowed = 0;
  std::size_t forbidden = 0;
  for (int round = 0; round < 100; ++round) {
    for (const Cut& cut : all_cuts(random_graph(rng))) ++(cut.allowed ? allowed : forbidden);
  }
  EXPECT_GT(allowed, 100u);
  EXPECT_GT(forbidden, 100u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRun, ::testing::Range(1, 26));

}  // namespace
}  // namespace lingua
