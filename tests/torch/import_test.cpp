#include "runtime/torch/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using testing::define;
using ::testing::HasSubstr;
using testing::input;
using testing::kN;

ImportedModel import_source(const std::string& source, const testing::Parameters& parameters,
                            std::vector<ForwardArgument> arguments) {
  return import_script(testing::script(define(source, parameters), std::move(arguments)));
}

const Node& node_of(const Graph& graph, const std::string& kind) {
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [&](const Node& node) { return node.kind == kind; });
  if (found == graph.nodes.end()) throw std::runtime_error("no node " + kind);
  return *found;
}

int count_of(const Graph& graph, const std::string& kind) {
  return static_cast<int>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                        [&](const Node& node) { return node.kind == kind; }));
}

struct BloomSize {
  const char* name;
  double hidden;
  double layers;
};

class BloomImport : public ::testing::TestWithParam<BloomSize> {};

TEST_P(BloomImport, CountsTheFlopsOfThePublishedFormula) {
  const auto [name, h, layers] = GetParam();
  const double vocabulary = 250880;
  for (bool kv_cache : {true, false}) {
    ImportOptions options;
    options.head = Head::kAll;
    options.kv_cache = kv_cache;
    const Graph graph = import_model(name, options).graph;
    for (double tokens : {1.0, 11.0, 200.0}) {
      const double formula =
          layers * (24 * h * h * tokens + 4 * h * tokens * tokens) + 2 * h * vocabulary * tokens;
      EXPECT_DOUBLE_EQ(graph.flops().at({static_cast<std::int64_t>(tokens), 0}), formula);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Published, BloomImport,
                         ::testing::Values(BloomSize{"bloom-560m", 1024, 24},
                                           BloomSize{"bloom-1b1", 1536, 24},
                                           BloomSize{"bloom-1b7", 2048, 24},
                                           BloomSize{"bloom-3b", 2560, 30},
                                           BloomSize{"bloom-7b1", 4096, 30}));

TEST(Import, InspectsBloom7b1InLittleMemory) {
  const ImportedModel imported = import_model("bloom-7b1", {});
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 1 << 20) << "kB of memory at the peak";
  EXPECT_NEAR(imported.graph.weights_bytes(), 28.3e9, 0.05e9);
  EXPECT_FALSE(imported.source->has_data());
  EXPECT_TRUE(imported.is_language_model);
}

TEST(Import, OneParameterUsedTwiceIsOneWeight) {
  const at::Tensor table = at::randn({10, 4});
  const auto imported = import_source(
      "def forward(self, t: Tensor):\n"
      "  return torch.linear(torch.embedding(self.table, t), self.head)\n",
      {{"table", table}, {"head", table}}, {input("t", DType::kInt64, {kN})});
  EXPECT_EQ(imported.graph.weights_bytes(), 10 * 4 * 4);
  EXPECT_TRUE(imported.is_language_model);
  EXPECT_EQ(imported.vocabulary, 10);
}

TEST(Import, ReadsPiecesOfAWeight) {
  const at::Tensor w = at::randn({6, 4}).t();
  const auto imported =
      import_source("def forward(self, x: Tensor):\n  return torch.matmul(x, self.w)\n", {{"w", w}},
                    {input("x", DType::kFloat32, {kN, 4.0})});
  const WeightSpec spec{"w", DType::kFloat32, {4, 6}};
  std::vector<float> piece(7);
  imported.source->read(spec, 5 * 4, 7 * 4, reinterpret_cast<std::byte*>(piece.data()));
  const at::Tensor flat = w.contiguous().view({-1});
  for (int i = 0; i < 7; ++i) EXPECT_EQ(piece[i], flat[5 + i].item<float>());
  std::byte out{};
  EXPECT_THROW(imported.source->read(spec, 23 * 4, 8, &out), BugError);
}

TEST(Import, LargeConstantsAreWeightsAndSmallOnesAreNot) {
  auto module = define("def forward(self, x: Tensor):\n  return x + self.small + self.large\n",
                       {{"small", at::randn({4})}, {"large", at::randn({2000, 4})}});
  auto graph = torch::jit::toGraphFunction(module.get_method("forward").function()).graph();
  for (auto* node : graph->nodes()) {
    if (node->kind() != c10::prim::GetAttr) continue;
    const torch::jit::WithInsertPoint here(node);
    node->output()->replaceAllUsesWith(
        graph->insertConstant(module.attr(node->s(c10::attr::name)).toTensor()));
  }
  const auto imported =
      import_script(testing::script(module, {input("x", DType::kFloat32, {2000.0, 4.0})}));
  EXPECT_EQ(imported.graph.weights_bytes(), 2000 * 4 * 4);
  EXPECT_TRUE(imported.source->has_data());
}

TEST(Import, WhatDependsOnTheStepAloneIsStepOnly) {
  const Graph graph = import_script(testing::cached_model()).graph;
  EXPECT_TRUE(node_of(graph, "aten::triu").step_only);
  EXPECT_TRUE(node_of(graph, "aten::full").step_only);
  EXPECT_FALSE(node_of(graph, "aten::embedding").step_only);
  EXPECT_FALSE(node_of(graph, "aten::softmax").step_only);
  EXPECT_FALSE(node_of(graph, "aten::copy_").step_only);
}

TEST(Import, ViewsOfAStateCannotBeSent) {
  const Graph graph = import_script(testing::cached_model()).graph;
  int views = 0;
  for (const Node& node : graph.nodes) {
    for (ValueId input : node.inputs) {
      if (graph.values[input].kind != ValueKind::kState) continue;
      ++views;
      EXPECT_FALSE(graph.values[node.outputs[0]].can_be_sent) << node.kind;
    }
  }
  EXPECT_EQ(views, 8);
  EXPECT_TRUE(graph.values[node_of(graph, "aten::softmax").outputs[0]].can_be_sent);
}

TEST(Import, CostsOfATransformerStep) {
  const Graph graph = import_script(testing::cached_model()).graph;
  // Rows of 8 floats: read and written, and an index.
  EXPECT_EQ(node_of(graph, "aten::embedding").bytes_moved, kN * (2 * 32 + 8));
  // The new rows of a cache: read and written.
  EXPECT_EQ(node_of(graph, "aten::copy_").bytes_moved, kN * (2 * 32));
  EXPECT_EQ(node_of(graph, "aten::slice").bytes_moved, StepFunction(0.0));
  const Node& scores = node_of(graph, "aten::matmul");
  EXPECT_EQ(scores.flops, StepFunction({0, 0, 0, 16, 16, 0}));
  EXPECT_EQ(scores.bytes_moved, StepFunction({0, 64, 32, 4, 4, 0}));
}

TEST(Import, CountsConvolutions) {
  const auto imported = import_source(
      "def forward(self, x: Tensor):\n"
      "  y = torch.relu(torch.conv2d(x, self.a, None, [2, 2], [1, 1]))\n"
      "  z = torch.max_pool2d(y, [2, 2])\n"
      "  return torch.linear(torch.flatten(z, 1), self.b)\n",
      {{"a", at::randn({8, 3, 3, 3})}, {"b", at::randn({10, 128})}},
      {input("x", DType::kFloat32, {1.0, 3.0, 16.0, 16.0})});
  EXPECT_EQ(node_of(imported.graph, "aten::conv2d").flops.at({}), 2.0 * 27 * 8 * 64);
  EXPECT_EQ(imported.graph.flops().at({}), 2.0 * 27 * 8 * 64 + 2.0 * 1280);
  EXPECT_EQ(imported.graph.values[imported.graph.outputs[0]].dims,
            (std::vector<StepFunction>{1.0, 10.0}));
  EXPECT_FALSE(imported.is_language_model);
}

// Four gates of H from I inputs and H of the state, for each step and row; the second layer of a
// bidirectional one has 2H inputs.
TEST(Import, CountsRecurrentLayers) {
  constexpr double kSteps = 5, kRows = 2, kInputs = 4, kHidden = 3;
  const auto lstm = import_source(
      "def forward(self, x: Tensor, h: Tensor):\n"
      "  weights = [self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h]\n"
      "  y, hn, cn = torch.lstm(x, [h, h], weights, False, 2, 0., False, True, False)\n"
      "  return y\n",
      {{"a", at::randn({12, 4})},
       {"b", at::randn({12, 3})},
       {"c", at::randn({12, 4})},
       {"d", at::randn({12, 3})},
       {"e", at::randn({12, 6})},
       {"f", at::randn({12, 3})},
       {"g", at::randn({12, 6})},
       {"h", at::randn({12, 3})}},
      {input("x", DType::kFloat32, {5.0, 2.0, 4.0}), input("h", DType::kFloat32, {4.0, 2.0, 3.0})});
  const double gates = 4 * kHidden;
  const double elements = 2 * gates * (kInputs + kHidden) + 2 * gates * (2 * kHidden + kHidden);
  EXPECT_EQ(lstm.graph.flops().at({}), 2 * kSteps * kRows * elements);

  const auto gru = import_source(
      "def forward(self, x: Tensor, h: Tensor):\n"
      "  y, hn = torch.gru(x, h, [self.a, self.b, self.c, self.d], True, 1, 0., False, False, "
      "True)\n"
      "  return torch.gru_cell(y[:, 0], y[:, 1], self.e, self.b)\n",
      {{"a", at::randn({9, 4})},
       {"b", at::randn({9, 3})},
       {"c", at::randn({9})},
       {"d", at::randn({9})},
       {"e", at::randn({9, 3})}},
      {input("x", DType::kFloat32, {2.0, 5.0, 4.0}), input("h", DType::kFloat32, {1.0, 2.0, 3.0})});
  const double layer = 2 * kSteps * kRows * 3 * kHidden * (kInputs + kHidden);
  EXPECT_EQ(gru.graph.flops().at({}), layer + 2 * kRows * 3 * kHidden * (kHidden + kHidden));
}

TEST(Import, ResolvesBranchesAndLoopsOnConstantSizes) {
  const Graph graph = import_source(
                          "def forward(self, x: Tensor):\n"
                          "  if x.size(1) == 4:\n"
                          "    x = torch.relu(x)\n"
                          "  for i in range(x.size(1)):\n"
                          "    x = torch.tanh(x)\n"
                          "  return x\n",
                          {}, {input("x", DType::kFloat32, {kN, 4.0})})
                          .graph;
  EXPECT_EQ(count_of(graph, "prim::If") + count_of(graph, "prim::Loop"), 0);
  EXPECT_EQ(count_of(graph, "aten::relu"), 1);
  EXPECT_EQ(count_of(graph, "aten::tanh"), 4);
}

TEST(Import, KeepsABranchThatDependsOnTheNumberOfTokens) {
  const Graph graph = import_source(
                          "def forward(self, x: Tensor):\n"
                          "  if x.size(0) > 1000:\n"
                          "    x = torch.relu(x)\n"
                          "  return x + 1\n",
                          {}, {input("x", DType::kFloat32, {kN, 4.0})})
                          .graph;
  EXPECT_EQ(count_of(graph, "prim::If"), 1);
}

TEST(Import, WritingToAnInputWritesToACopy) {
  auto imported = import_source("def forward(self, x: Tensor):\n  x[0] = 1.0\n  return x * 2\n", {},
                                {input("x", DType::kFloat32, {kN})});
  EXPECT_EQ(count_of(imported.graph, "aten::clone"), 1);
  for (const Value& value : imported.graph.values) {
    if (value.producer >= 0 && imported.graph.nodes[value.producer].kind == "aten::clone") {
      EXPECT_FALSE(value.can_be_sent);
    }
  }
}

TEST(Import, InPlaceOperationsOnFreshTensorsBecomeFunctional) {
  const Graph graph = import_source(
                          "def forward(self, x: Tensor):\n"
                          "  y = torch.tanh(x)\n"
                          "  y += x\n"
                          "  y.relu_()\n"
                          "  return y\n",
                          {}, {input("x", DType::kFloat32, {kN})})
                          .graph;
  EXPECT_EQ(count_of(graph, "aten::add") + count_of(graph, "aten::relu"), 2);
  EXPECT_TRUE(std::all_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return graph.values[node.outputs[0]].can_be_sent;
  }));
}

TEST(Import, RefusesWhatDependsOnContentsAndNamesTheOperation) {
  const auto message = [](const std::string& source) {
    return testing::message_of<InputError>(
        [&] { import_source(source, {}, {input("x", DType::kFloat32, {kN})}); });
  };
  EXPECT_THAT(message("def forward(self, x: Tensor):\n  return torch.nonzero(x)\n"),
              AllOf(HasSubstr("aten::nonzero"), HasSubstr("contents")));
  EXPECT_THAT(message("def forward(self, x: Tensor):\n  return x[x > 0]\n"),
              AllOf(HasSubstr("aten::index"), HasSubstr("contents")));
  EXPECT_THAT(message("def forward(self, x: Tensor):\n"
                      "  if bool(x.sum() > 0):\n    x = x * 2\n  return x\n"),
              AllOf(HasSubstr("aten::Bool"), HasSubstr("contents")));
  EXPECT_THAT(message("def forward(self, x: Tensor):\n  return x[:int(x[0].item())]\n"),
              HasSubstr("contents"));
}

TEST(Import, RefusesAShapeThatIsNoPolynomial) {
  EXPECT_THAT(testing::message_of<InputError>([] {
                import_source("def forward(self, x: Tensor):\n  return x[:x.size(0) // 2]\n", {},
                              {input("x", DType::kFloat32, {kN})});
              }),
              AllOf(HasSubstr("aten::slice"), HasSubstr("polynomial")));
}

TEST(Import, NamesTheOperationThatRefusesItsOperands) {
  const std::string why = testing::message_of<InputError>([] {
    import_source("def forward(self, x: Tensor):\n  return torch.matmul(x, self.w)\n",
                  {{"w", at::randn({5, 5})}}, {input("x", DType::kFloat32, {kN, 4.0})});
  });
  EXPECT_THAT(why, HasSubstr("aten::matmul"));
  EXPECT_EQ(why.find('\n'), std::string::npos);
}

TEST(Import, RefusesAForwardThatChangesItsModule) {
  EXPECT_THAT(testing::message_of<InputError>([] {
                import_source(
                    "def forward(self, x: Tensor):\n  self.w.add_(1)\n  return x + self.w\n",
                    {{"w", at::randn({5})}}, {input("x", DType::kFloat32, {5.0})});
              }),
              HasSubstr("writes to its weight w"));
}

TEST(Import, ScopesFollowTheWeights) {
  const Graph graph = import_model("bloom-560m", {}).graph;
  EXPECT_EQ(node_of(graph, "aten::embedding").scope, "word_embeddings");
  EXPECT_EQ(node_of(graph, "lingua::attention").scope, "h.0.self_attention");
  EXPECT_EQ(node_of(graph, "lingua::gelu").scope, "h.0.mlp");
}

}  // namespace
}  // namespace lingua
