#include <ATen/core/dispatch/Dispatcher.h>
#include <caffe2/serialize/inline_container.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/frontend/resolver.h>

#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using testing::define;
using ::testing::HasSubstr;

class ScriptFile : public ::testing::Test {
 protected:
  ImportedModel import(const std::string& source, const testing::Parameters& parameters = {},
                       const std::vector<std::string>& inputs = {}) const {
    define(source, parameters).save(file_);
    ImportOptions options;
    options.inputs = inputs;
    return import_model(file_, options);
  }

  std::string refusal(const std::string& source, const testing::Parameters& parameters = {},
                      const std::vector<std::string>& inputs = {}) const {
    const std::string why =
        testing::message_of<InputError>([&] { import(source, parameters, inputs); });
    EXPECT_EQ(why.find('\n'), std::string::npos) << why;
    return why;
  }

  void write(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }

  TemporaryFolder folder_;
  std::string file_ = folder_.file("model.pt");
};

constexpr const char* kMlp =
    "def forward(self, x: Tensor):\n"
    "  return torch.linear(torch.relu(torch.linear(x, self.a)), self.b)\n";

testing::Parameters mlp_weights() { return {{"a", at::randn({16, 8})}, {"b", at::randn({3, 16})}}; }

TEST_F(ScriptFile, IsImportedWithTheShapesThatAreGiven) {
  const auto imported = import(kMlp, mlp_weights(), {"x=nx8:float32"});
  EXPECT_EQ(imported.graph.flops(), testing::kN * (2 * 8 * 16 + 2 * 16 * 3));
  EXPECT_FALSE(imported.is_language_model);
  EXPECT_FALSE(imported.kv_cache);
  EXPECT_TRUE(imported.source->has_data());
}

TEST_F(ScriptFile, AsksForAShapeThatItCannotGuess) {
  EXPECT_THAT(refusal(kMlp, mlp_weights()),
              AllOf(HasSubstr("model.pt"), HasSubstr("argument x"), HasSubstr("`input` x=")));
  EXPECT_THAT(refusal("def forward(self, x: Tensor, y: Tensor):\n  return x + y\n"),
              HasSubstr("argument y"));
  EXPECT_THAT(refusal("def forward(self, x: Tensor, k: int):\n  return x + k\n", {}, {"x=n:int64"}),
              HasSubstr("argument k"));
}

TEST_F(ScriptFile, IsALanguageModelWhenTokensBecomeRowsOfLogits) {
  const testing::Parameters table = {{"t", at::randn({50, 4})}};
  const char* all_rows =
      "def forward(self, ids: Tensor):\n"
      "  return torch.linear(torch.embedding(self.t, ids), self.t)\n";
  const char* last_row =
      "def forward(self, ids: Tensor):\n"
      "  x = torch.embedding(self.t, ids)\n"
      "  return torch.linear(x[:, -1], self.t)\n";
  for (const char* source : {all_rows, last_row}) {
    const auto imported = import(source, table);
    EXPECT_TRUE(imported.is_language_model) << source;
    EXPECT_EQ(imported.vocabulary, 50);
    EXPECT_EQ(imported.graph.values[imported.graph.inputs[0]].dims,
              (std::vector<StepFunction>{1.0, testing::kN}));
  }
  EXPECT_TRUE(import(all_rows, table, {"ids=n:int64"}).is_language_model);
}

TEST_F(ScriptFile, IsNoLanguageModelWhenItClassifies) {
  const auto imported = import(
      "def forward(self, ids: Tensor):\n"
      "  return torch.linear(torch.embedding(self.t, ids).mean([1]), self.head)\n",
      {{"t", at::randn({50, 4})}, {"head", at::randn({2, 4})}});
  EXPECT_FALSE(imported.is_language_model);
}

TEST_F(ScriptFile, TakesTheNumberOfNewTokensAndDefaults) {
  const auto imported = import(
      "def forward(self, x: Tensor, new_tokens: int, mask: Optional[Tensor]=None, k: int=3):\n"
      "  if mask is not None:\n"
      "    x = x + mask\n"
      "  return x * k + torch.arange(new_tokens)\n",
      {}, {"x=n:float32"});
  ASSERT_EQ(imported.graph.inputs.size(), 2U);
  EXPECT_EQ(imported.graph.values[imported.graph.inputs[1]].kind, ValueKind::kStep);
  EXPECT_EQ(imported.graph.nodes.size(), 3U);
}

TEST_F(ScriptFile, RefusesInputsThatItCannotRead) {
  for (const char* text :
       {"x", "=3:int64", "x=3", "x=3xx4:int64", "x=0:int64", "x=3x:int64", "x=-1:int64",
        "x=99999999999999999999:int64", "x=m:int64", "x=n:int65"}) {
    EXPECT_THROW(import(kMlp, mlp_weights(), {text}), UsageError) << text;
  }
  EXPECT_THAT(refusal(kMlp, mlp_weights(), {"x=nx8:float32", "y=n:int64"}),
              HasSubstr("no argument y"));
}

TEST_F(ScriptFile, RefusesResultsThatAreNoTensors) {
  EXPECT_THAT(refusal("def forward(self, x: Tensor):\n  return x.size(0)\n"),
              AllOf(HasSubstr("returns"), HasSubstr("int")));
}

TEST_F(ScriptFile, RefusesWhatDrawsRandomNumbers) {
  for (const char* drawn :
       {"torch.rand([3])", "torch.randn_like(x)", "torch.bernoulli(x)", "torch.randperm(3)",
        "torch.multinomial(x, 1)", "torch.normal(x, x)", "x.clone().uniform_()", "torch.poisson(x)",
        "torch.randint(0, 9, [3])", "x.clone().exponential_()", "x.clone().random_(0, 5)"}) {
    const std::string why =
        refusal(fmt::format("def forward(self, x: Tensor):\n  return x + {}\n", drawn), {},
                {"x=3:float32"});
    EXPECT_THAT(why, AllOf(HasSubstr("model.pt"), HasSubstr("draws random numbers"))) << drawn;
  }
}

TEST_F(ScriptFile, RefusesTrainingModeAndSaysWhatToDo) {
  for (const char* trained :
       {"torch.dropout(x, 0.1, True)", "torch.feature_dropout(x, 0.1, True)",
        "torch.alpha_dropout(x, 0.5, True)", "torch.rrelu(x, 0.1, 0.3, True)",
        "torch.scaled_dot_product_attention(x, x, x, None, 0.1)",
        "torch.batch_norm(x, None, None, self.mean, self.var, True, 0.1, 1e-5, False)"}) {
    const std::string why =
        refusal(fmt::format("def forward(self, x: Tensor):\n  return {}\n", trained),
                {{"mean", at::zeros({2})}, {"var", at::ones({2})}}, {"x=1x2x3:float32"});
    EXPECT_THAT(why, AllOf(HasSubstr("aten::"), HasSubstr("call model.eval()"))) << trained;
  }
  EXPECT_THAT(refusal("def forward(self, x: Tensor):\n  self.seen.add_(1)\n  return x\n",
                      {{"seen", at::zeros({1})}}, {"x=3:float32"}),
              AllOf(HasSubstr("weight seen"), HasSubstr("call model.eval()")));
}

TEST_F(ScriptFile, TakesWhatOnlyLooksRandom) {
  for (const char* fixed :
       {"torch.dropout(x, 0.1, False)", "torch.dropout(x, 0., True)",
        "torch.rrelu(x, 0.1, 0.3, False)",
        "torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)",
        "torch.batch_norm(x, None, None, self.mean, self.var, False, 0.1, 1e-5, False)"}) {
    const std::string why = testing::message_of<Error>([&] {
      import(fmt::format("def forward(self, x: Tensor):\n  return {}\n", fixed),
             {{"mean", at::zeros({3})},
              { "var",
                at::ones({3}) }},
             {"x=2x3:float32"});
    });
    EXPECT_EQ(why, "") << fixed;
  }
}

// torch.jit.script keeps the flag as an attribute; model.eval() clears it before or after it is saved.
TEST_F(ScriptFile, IsInEvaluationModeWhereItKeepsTheFlagItself) {
  torch::jit::Module module("__torch__.Model");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.define(
      "def forward(self, x: Tensor):\n"
      "  return torch.relu(torch.dropout(x, 0.5, self.training))\n");
  for (const bool trains : {true, false}) {
    module.train(trains);
    ASSERT_EQ(module.is_training(), trains);
    module.save(file_);
    ImportOptions options;
    options.inputs = {"x=64:float32"};
    const auto imported = import_model(file_, options);
    ASSERT_EQ(imported.graph.nodes.size(), 1U);
    EXPECT_EQ(imported.graph.nodes[0].kind, "aten::relu");
    const auto pass = run_reference(file_, options, {{from_torch(at::ones({64}))}}, {1}, 1);
    EXPECT_TRUE(to_torch(pass.at(0).outputs.at(0)).equal(at::ones({64}))) << "nothing is dropped";
  }
}

// quantized.NAME is quantized::NAME, as in the files that torch.jit.save writes.
struct QuantizedResolver : torch::jit::NativeResolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& name, torch::jit::GraphFunction& function,
      const torch::jit::SourceRange& place) override {
    if (name == "quantized") return std::make_shared<torch::jit::BuiltinModule>("quantized");
    return NativeResolver::resolveValue(name, function, place);
  }
};

// What torch.ao.quantization.quantize_dynamic makes of a Linear, scripted.
TEST_F(ScriptFile, RefusesWhatPyTorchHasQuantised) {
  torch::jit::Stack stack = {at::quantize_per_tensor(at::randn({3, 4}), 0.1, 0, at::kQInt8),
                             at::zeros({3})};
  c10::Dispatcher::singleton().findSchemaOrThrow("quantized::linear_prepack", "").callBoxed(&stack);
  torch::jit::Module packed("__torch__.LinearPackedParams");
  packed.register_attribute("_packed_params", stack.at(0).type(), stack.at(0));
  torch::jit::Module linear("__torch__.Linear");
  linear.register_module("_packed_params", packed);
  linear.define(
      "def forward(self, x: Tensor):\n"
      "  return quantized.linear_dynamic(x, self._packed_params._packed_params, True)\n",
      std::make_shared<QuantizedResolver>());
  torch::jit::Module model("__torch__.Model");
  model.register_module("fc", linear);
  model.define("def forward(self, x: Tensor):\n  return torch.relu(self.fc.forward(x))\n");
  model.save(file_);
  ImportOptions options;
  options.inputs = {"x=2x4:float32"};
  const std::string why = testing::message_of<InputError>([&] { import_model(file_, options); });
  EXPECT_THAT(
      why, AllOf(HasSubstr("model.pt: it holds __torch__.torch.classes.quantized."),
                 HasSubstr("LinearPackedParamsBase"), HasSubstr("save it before it is quantised")));
  EXPECT_EQ(why.find("compilation unit"), std::string::npos) << why;
}

// As LibTorch itself says: it is asked for the same product.
TEST_F(ScriptFile, SaysWhatCannotBeComputedInFloat16) {
  const at::Tensor weight = at::ones({3, 8}, at::kHalf);
  const std::string product = "def forward(self, x: Tensor):\n  return torch.linear(x, self.w)\n";
  bool can_multiply = true;
  try {
    at::linear(at::ones({2, 8}, at::kHalf), weight);
  } catch (const std::exception&) {
    can_multiply = false;
  }
  const auto imported = import(product, {{"w", weight}}, {"x=2x8:float16"});
  if (can_multiply) {
    EXPECT_EQ(imported.why_not_computed, "");
  } else {
    EXPECT_THAT(imported.why_not_computed,
                AllOf(HasSubstr("aten::linear"), HasSubstr("float16"), HasSubstr("float32"),
                      HasSubstr("bfloat16"), HasSubstr("model.float()")));
  }
  EXPECT_EQ(imported.graph.flops(), 2.0 * 2 * 8 * 3) << "it can be planned for";
  const std::string cast =
      "def forward(self, x: Tensor):\n  return torch.linear(x, self.w.to(x.dtype))\n";
  EXPECT_EQ(import(cast, {{"w", weight}}, {"x=2x8:float32"}).why_not_computed, "");
  EXPECT_EQ(import(cast, {{"w", weight}}, {"x=2x8:bfloat16"}).why_not_computed, "");
}

TEST_F(ScriptFile, NamesTheOperationThatGivesComplexNumbers) {
  EXPECT_THAT(refusal("def forward(self, x: Tensor):\n  return torch.real(torch.fft_fft(x))\n", {},
                      {"x=4:float32"}),
              AllOf(HasSubstr("model.pt"), HasSubstr("aten::fft_fft"), HasSubstr("ComplexFloat")));
  EXPECT_THAT(refusal("def forward(self, x: Tensor):\n  return torch.real(self.w) + x\n",
                      {{"w", at::zeros({4}, at::kComplexFloat)}}, {"x=4:float32"}),
              AllOf(HasSubstr("model.pt"), HasSubstr("weight w"), HasSubstr("ComplexFloat")));
}

TEST_F(ScriptFile, SaysWhatAnArgumentWouldHaveToBe) {
  const char* several =
      "def forward(self, x: Tensor, k: int, pair: Tuple[Tensor, Tensor]):\n"
      "  return x * k + pair[0] + pair[1]\n";
  EXPECT_THAT(refusal(several, {}, {"x=3:float32"}),
              AllOf(HasSubstr("value of forward's argument k"), HasSubstr("`input` k=VALUE")));
  EXPECT_THAT(refusal(several, {}, {"x=3:float32", "k=2"}),
              AllOf(HasSubstr("argument pair"), HasSubstr("one for each")));
  const auto usage = [&](const std::vector<std::string>& inputs) {
    return testing::message_of<UsageError>([&] { import(several, {}, inputs); });
  };
  EXPECT_THAT(usage({"x=3:float32", "k=two"}),
              AllOf(HasSubstr("'two' is no int"), HasSubstr("k=VALUE")));
  EXPECT_THAT(usage({"x=3:float32", "k=2", "pair=3:float32"}), HasSubstr("describes 1 tensors"));
  EXPECT_THAT(usage({"x=3:float32", "x=4:float32"}), HasSubstr("twice"));
  EXPECT_THAT(usage({"x=9999999x9999999:float32"}), HasSubstr("at most"));
  EXPECT_EQ(import(several, {}, {"x=3:float32", "k=2:int", "pair=3:float32,3:float32"})
                .graph.inputs.size(),
            3U);
  EXPECT_THAT(
      refusal("def forward(self, x: Dict[str, Tensor]):\n  return x[\"a\"]\n", {}, {"x=3:float32"}),
      AllOf(HasSubstr("argument x has type Dict"), HasSubstr("accepted are")));
}

TEST_F(ScriptFile, NeverAsksTheUserToReportABugToPyTorch) {
  for (const char* source :
       {"def forward(self, x: List[Tensor]):\n  return x\n",
        "def forward(self, x: Tensor):\n  return [[x], [x, x]]\n",
        "def forward(self, x: Tensor):\n  return torch.split(x, 1)\n",
        "def forward(self, x: Tensor):\n  return [1, 2]\n",
        "def forward(self, x: Tensor) -> Optional[Tensor]:\n  return None\n"}) {
    const std::string why =
        testing::message_of<Error>([&] { import(source, {}, {"x=n:float32"}); });
    EXPECT_EQ(why.find("INTERNAL ASSERT"), std::string::npos) << why;
    EXPECT_EQ(why.find("report a bug"), std::string::npos) << why;
  }
}

// What LibTorch's interpreter throws is no c10::Error.
TEST_F(ScriptFile, ThatFailsAsItGeneratesSaysSoInOneLine) {
  const auto imported = import(
      "def forward(self, ids: Tensor):\n"
      "  return torch.linear(torch.embedding(self.t, torch.add(ids, 1)), self.t)\n",
      {{"t", at::randn({50, 4})}}, {"ids=1xn:int64"});
  ASSERT_TRUE(imported.is_language_model);
  ImportOptions options;
  options.inputs = {"ids=1xn:int64"};
  const auto generate = [&](std::int64_t token) {
    return testing::message_of<WorldError>(
        [&] { generate_reference(file_, options, {{token}}, 1, 1, false); });
  };
  EXPECT_EQ(generate(48), "");
  const std::string why = generate(49);
  EXPECT_THAT(why, AllOf(HasSubstr("model.pt"), HasSubstr("index out of range")));
  EXPECT_EQ(why.find('\n'), std::string::npos) << why;
}

TEST_F(ScriptFile, RefusesWhatIsNotTorchScript) {
  const auto why = [&] {
    const std::string message =
        testing::message_of<InputError>([&] { import_model(file_, ImportOptions{}); });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  };
  EXPECT_THAT(why(), HasSubstr("no such file"));
  write("hello");
  EXPECT_THAT(why(), AllOf(HasSubstr("model.pt"), HasSubstr("not a TorchScript file")));
  write("");
  EXPECT_THAT(why(), HasSubstr("not a TorchScript file"));
  define(kMlp, mlp_weights()).save(file_);
  const std::string whole = read_file(file_);
  for (std::size_t share : {1, 2, 9}) {
    write(whole.substr(0, whole.size() * share / 10));
    EXPECT_THAT(why(), HasSubstr("not a TorchScript file"));
  }
}

TEST_F(ScriptFile, SurvivesFlippedBytes) {
  define(kMlp, mlp_weights()).save(file_);
  const std::string whole = read_file(file_);
  ImportOptions options;
  options.inputs = {"x=nx8:float32"};
  Rng rng(5);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bytes = whole;
    bytes[rng.below(bytes.size())] ^= static_cast<char>(1U << rng.below(8));
    write(bytes);
    refused +=
        testing::message_of<InputError>([&] { import_model(file_, options); }).empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 200);
}

TEST_F(ScriptFile, NamesAnOperationThatLibTorchDoesNotHave) {
  const std::string original = folder_.file("original.pt");
  define("def forward(self, x: Tensor):\n  return torch.relu(x)\n").save(original);
  {
    caffe2::serialize::PyTorchStreamReader reader(original);
    caffe2::serialize::PyTorchStreamWriter writer(file_);
    for (const std::string& name : reader.getAllRecords()) {
      const auto [data, size] = reader.getRecord(name);
      std::string text(static_cast<const char*>(data.get()), size);
      const auto at = text.find("torch.relu(");
      if (at != std::string::npos && name.ends_with(".py")) text.replace(at, 11, "ops.my.op(");
      if (name != "version" && name != ".data/version") {
        writer.writeRecord(name, text.data(), text.size());
      }
    }
    writer.writeEndOfFile();
  }
  const std::string why =
      testing::message_of<InputError>([&] { import_model(file_, ImportOptions{}); });
  EXPECT_THAT(why, AllOf(HasSubstr("model.pt"), HasSubstr("unknown operation my::op")));
  EXPECT_EQ(why.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace lingua
