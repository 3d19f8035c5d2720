#include "runtime/torch/segment_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "runtime/partition/partition.h"
#include "runtime/torch/linear_ops.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using testing::SplitModel;

std::vector<NodeId> allowed_cuts(const Graph& graph) {
  std::vector<NodeId> after;
  for (const Cut& cut : all_cuts(graph)) {
    if (cut.allowed) after.push_back(cut.after);
  }
  return after;
}

// The unsplit module with a prefill and two decoding steps.
std::vector<at::Tensor> run_whole(const ScriptModel& model,
                                  const std::vector<std::pair<Step, at::Tensor>>& steps) {
  const c10::InferenceMode no_autograd;
  const torch::jit::GraphOptimizerEnabledGuard as_written(false);  // no operations fused
  register_linear_ops();                                           // as executors do
  torch::jit::Module module = model.module;
  std::vector<c10::IValue> states;
  for (int i = 0; i < 4; ++i) states.emplace_back(at::zeros({16, 8}));
  std::vector<at::Tensor> logits;
  for (const auto& [step, tokens] : steps) {
    std::vector<c10::IValue> operands = {tokens, step.new_tokens, step.cached_tokens};
    operands.insert(operands.end(), states.begin(), states.end());
    logits.push_back(module.forward(operands).toTensor().clone());
  }
  return logits;
}

const std::vector<std::pair<Step, at::Tensor>>& three_steps() {
  static const std::vector<std::pair<Step, at::Tensor>> steps = {
      {{5, 0}, at::tensor({3, 1, 4, 1, 5}, at::kLong)},
      {{1, 5}, at::tensor({9}, at::kLong)},
      {{1, 6}, at::tensor({2}, at::kLong)}};
  return steps;
}

void expect_equal_to_whole(const ScriptModel& model, ImportedModel& imported,
                           const std::vector<NodeId>& cuts) {
  const auto expected = run_whole(model, three_steps());
  SplitModel split(imported, cut_at(imported.graph, cuts));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [step, tokens] = three_steps()[i];
    const auto logits = split.run({7, step, 16}, {tokens});
    ASSERT_EQ(logits.size(), 1U);
    EXPECT_TRUE(at::equal(logits[0], expected[i])) << "step " << i;
  }
}

TEST(SegmentProgram, CutAnywhereGivesTheBitsOfTheUnsplitModule) {
  const ScriptModel model = testing::cached_model();
  ImportedModel imported = import_script(testing::script(model.module, model.arguments));
  const auto cuts = allowed_cuts(imported.graph);
  ASSERT_GT(cuts.size(), 8U);
  for (NodeId cut : cuts) {
    SCOPED_TRACE(fmt::format("cut after node {}", cut));
    expect_equal_to_whole(model, imported, {cut});
  }
}

TEST(SegmentProgram, CutEverywhereGivesTheBitsOfTheUnsplitModule) {
  const ScriptModel model = testing::cached_model();
  ImportedModel imported = import_script(testing::script(model.module, model.arguments));
  expect_equal_to_whole(model, imported, {});
  expect_equal_to_whole(model, imported, allowed_cuts(imported.graph));
}

TEST(SegmentProgram, NumbersCrossACut) {
  const auto module = testing::define(
      "def forward(self, x: Tensor):\n"
      "  rows = x.size(0)\n"
      "  y = torch.relu(x)\n"
      "  return y * (float(rows) * 0.5) + rows\n");
  ImportedModel imported =
      import_script(testing::script(module, {testing::input("x", DType::kFloat32, {testing::kN})}));
  const at::Tensor x = at::randn({6});
  SplitModel split(imported, cut_at(imported.graph, allowed_cuts(imported.graph)));
  ASSERT_GT(allowed_cuts(imported.graph).size(), 1U);
  EXPECT_TRUE(at::equal(split.run({0, {6, 0}, 0}, {x})[0], at::relu(x) * 3.0 + 6));
}

TEST(SegmentProgram, HoldsNoWeights) {
  const auto module =
      testing::define("def forward(self, x: Tensor):\n  return torch.linear(x, self.w)\n",
                      {{"w", at::randn({256, 256})}});
  ImportedModel imported = import_script(
      testing::script(module, {testing::input("x", DType::kFloat32, {testing::kN, 256.0})}));
  const Segmentation whole = cut_at(imported.graph, {});
  EXPECT_LT(imported.source->program(whole.segments[0]).size(), 8192U);
  EXPECT_EQ(whole.segments[0].weights_bytes(), 256 * 256 * 4);
}

TEST(SegmentProgram, IsTheSameBytesEachTime) {
  const auto program = [] {
    at::manual_seed(3);
    ImportedModel imported = import_script(testing::cached_model());
    return imported.source->program(cut_at(imported.graph, {}).segments[0]);
  };
  EXPECT_EQ(program(), program());
}

TEST(SegmentProgram, RunsControlFlowThatDependsOnTheNumberOfTokens) {
  auto module = testing::define(
      "def forward(self, x: Tensor):\n"
      "  if x.size(0) > 3:\n"
      "    y = torch.matmul(x, self.w)\n"
      "  else:\n"
      "    y = x - 1.0\n"
      "  for i in range(x.size(0)):\n"
      "    y = y + float(i)\n"
      "  return torch.tanh(y)\n",
      {{"w", at::randn({4, 4})}});
  ImportedModel imported = import_script(
      testing::script(module, {testing::input("x", DType::kFloat32, {testing::kN, 4.0})}));
  SplitModel split(imported, cut_at(imported.graph, allowed_cuts(imported.graph)));
  for (std::int64_t n : {1, 3, 4, 9}) {
    const at::Tensor x = at::randn({n, 4});
    EXPECT_TRUE(at::equal(split.run({0, {n, 0}, 0}, {x})[0], module.forward({x}).toTensor()))
        << n << " tokens";
  }
}

}  // namespace
}  // namespace lingua
