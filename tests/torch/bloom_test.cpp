#include "runtime/torch/families/bloom.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/torch/decoder_ops.h"
#include "runtime/torch/random_model.h"
#include "runtime/torch/script_model.h"
#include "runtime/torch/script_resolver.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

using Weights = std::map<std::string, at::Tensor>;

fs::path fresh_folder() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "_" + test->name();
  std::replace(name.begin(), name.end(), '/', '_');
  const fs::path folder = fs::path(::testing::TempDir()) / name;
  fs::remove_all(folder);
  return folder;
}

at::ScalarType type_of(DType dtype) {
  return dtype == DType::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

struct Sizes {
  std::int64_t hidden = 0;
  std::int64_t layers = 2;
  std::int64_t heads = 0;
  std::int64_t vocabulary = 61;
  double epsilon = 1e-5;
  bool residual_after_layer_norm = false;

  std::int64_t head_dim() const { return hidden / heads; }
};

FamilyModel family_model(const Sizes& sizes) {
  return read_family_model(
      {{{"model_type", "bloom"},
        {"hidden_size", sizes.hidden},
        {"n_layer", sizes.layers},
        {"n_head", sizes.heads},
        {"vocab_size", sizes.vocabulary},
        {"layer_norm_epsilon", sizes.epsilon},
        {"apply_residual_connection_post_layernorm", sizes.residual_after_layer_norm}},
       "test"});
}

ScriptWriter write(const Sizes& sizes, const ImportOptions& options) {
  ScriptWriter writer(options, Task::kLanguageModel);
  family_model(sizes).write(writer);
  return writer;
}

// Weights by name, drawn wide enough that every part of the model matters to the result.
Weights random_weights(const Sizes& config, at::ScalarType type) {
  at::manual_seed(7);
  Weights weights;
  const ScriptWriter writer = write(config, {});
  for (const ModelWeight& weight : writer.weights()) {
    at::Tensor values = at::randn(weight.spec.shape) * (weight.spec.shape.size() == 1 ? 0.5 : 0.3);
    if (weight.spec.name.find("layernorm.weight") != std::string::npos) values += 1;
    weights[weight.spec.name] = values.to(type);
  }
  return weights;
}

// ALiBi as its paper gives it: a geometric sequence for a power of two, else that of the power
// below, with every second one of the power above.
std::vector<double> paper_slopes(int heads) {
  const double exponent = std::log2(heads);
  if (exponent == std::floor(exponent)) {
    std::vector<double> slopes;
    for (int i = 0; i < heads; ++i) slopes.push_back(std::pow(2.0, -8.0 * (i + 1) / heads));
    return slopes;
  }
  const int below = 1 << static_cast<int>(std::floor(exponent));
  std::vector<double> slopes = paper_slopes(below);
  const std::vector<double> above = paper_slopes(2 * below);
  for (int i = 0; static_cast<int>(slopes.size()) < heads; i += 2) slopes.push_back(above[i]);
  return slopes;
}

// BLOOM as modeling_bloom.py reads: position by position and head by head, without a cache.
class PlainBloom {
 public:
  PlainBloom(const Sizes& config, const Weights& weights) : c_(config), w_(weights) {}

  at::Tensor forward(const std::vector<std::int64_t>& tokens) const {
    const at::Tensor ids = at::tensor(tokens, at::kLong);
    at::Tensor x =
        norm(w_.at("word_embeddings.weight").index_select(0, ids), "word_embeddings_layernorm");
    for (std::int64_t layer = 0; layer < c_.layers; ++layer) {
      const std::string block = "h." + std::to_string(layer) + ".";
      at::Tensor normed = norm(x, block + "input_layernorm");
      at::Tensor residual = c_.residual_after_layer_norm ? normed : x;
      x = attention(normed, block + "self_attention") + residual;
      normed = norm(x, block + "post_attention_layernorm");
      residual = c_.residual_after_layer_norm ? normed : x;
      x = linear(gelu(linear(normed, block + "mlp.dense_h_to_4h")), block + "mlp.dense_4h_to_h") +
          residual;
    }
    return norm(x, "ln_f").mm(w_.at("word_embeddings.weight").t());
  }

 private:
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    const at::Tensor mean = x.mean(-1, true);
    const at::Tensor variance = (x - mean).pow(2).mean(-1, true);
    return (x - mean) / (variance + c_.epsilon).sqrt() * w_.at(name + ".weight") +
           w_.at(name + ".bias");
  }

  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    return x.mm(w_.at(name + ".weight").t()) + w_.at(name + ".bias");
  }

  static at::Tensor gelu(const at::Tensor& x) {
    return x * 0.5 * (1.0 + at::tanh(0.79788456 * x * (1 + 0.044715 * x * x)));
  }

  at::Tensor attention(const at::Tensor& x, const std::string& name) const {
    const std::int64_t d = c_.head_dim();
    const at::Tensor fused = linear(x, name + ".query_key_value");
    const std::vector<double> slopes = paper_slopes(static_cast<int>(c_.heads));
    std::vector<at::Tensor> heads;
    for (std::int64_t head = 0; head < c_.heads; ++head) {
      const at::Tensor query = fused.narrow(1, (3 * head + 0) * d, d);
      const at::Tensor key = fused.narrow(1, (3 * head + 1) * d, d);
      const at::Tensor value = fused.narrow(1, (3 * head + 2) * d, d);
      std::vector<at::Tensor> rows;
      for (std::int64_t i = 0; i < x.size(0); ++i) {
        const at::Tensor scores =
            key.narrow(0, 0, i + 1).mv(query[i]) / std::sqrt(static_cast<double>(d)) +
            slopes[static_cast<std::size_t>(head)] * at::arange(i + 1);
        rows.push_back(
            value.narrow(0, 0, i + 1).t().mv(at::softmax(scores.to(x.scalar_type()), 0)));
      }
      heads.push_back(at::stack(rows));
    }
    return linear(at::cat(heads, 1), name + ".dense");
  }

  const Sizes& c_;
  const Weights& w_;
};

// The TorchScript with these weights in place of the shapes.
class Scripted {
 public:
  Scripted(const Sizes& config, const ImportOptions& options, const Weights& weights,
           std::int64_t capacity)
      : module_("bloom") {
    const ScriptWriter writer = write(config, options);
    for (const ModelWeight& weight : writer.weights()) {
      module_.register_parameter(weight.attribute, weights.at(weight.spec.name), false);
    }
    register_decoder_ops();
    module_.define(writer.source(), std::make_shared<ScriptResolver>());
    for (std::int64_t layer = 0; options.kv_cache && layer < config.layers; ++layer) {
      const auto type = type_of(options.dtype);
      for (int i = 0; i < 2; ++i) {  // keys and values
        states_.emplace_back(at::zeros({config.heads, capacity, config.head_dim()}, type));
      }
    }
  }

  at::Tensor step(const std::vector<std::int64_t>& tokens, std::int64_t cached) {
    std::vector<c10::IValue> operands = {at::tensor(tokens, at::kLong),
                                         static_cast<std::int64_t>(tokens.size()), cached};
    operands.insert(operands.end(), states_.begin(), states_.end());
    return module_.forward(std::move(operands)).toTensor();
  }

 private:
  torch::jit::Module module_;
  std::vector<c10::IValue> states_;
};

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kDouble) - b.to(at::kDouble)).norm() / b.to(at::kDouble).norm()).item<double>();
}

Sizes small(std::int64_t heads) {
  Sizes config;
  config.hidden = 8 * heads;
  config.heads = heads;
  return config;
}

const std::vector<std::int64_t> kTokens = {5, 17, 3, 60, 0, 9, 9, 41, 33};

class BloomHeads : public ::testing::TestWithParam<int> {};

TEST_P(BloomHeads, AgreesWithThePlainImplementation) {
  const c10::InferenceMode inference;
  const Sizes config = small(GetParam());
  const Weights weights = random_weights(config, at::kFloat);
  const at::Tensor expected = PlainBloom(config, weights).forward(kTokens);
  ImportOptions options;
  options.head = Head::kAll;
  options.kv_cache = false;
  EXPECT_LT(relative_error(Scripted(config, options, weights, 0).step(kTokens, 0), expected), 1e-5);
  options.kv_cache = true;
  EXPECT_LT(relative_error(Scripted(config, options, weights, 9).step(kTokens, 0), expected), 1e-5);
}

TEST_P(BloomHeads, StepsThroughTheCacheToTheSameLogits) {
  const c10::InferenceMode inference;
  const Sizes config = small(GetParam());
  const Weights weights = random_weights(config, at::kFloat);
  const at::Tensor expected = PlainBloom(config, weights).forward(kTokens);
  ImportOptions options;
  options.head = Head::kAll;
  Scripted model(config, options, weights, 16);  // more room than is used
  std::vector<at::Tensor> logits;
  for (const auto& [first, count] : {std::pair{0, 4}, {4, 1}, {5, 3}, {8, 1}}) {
    logits.push_back(model.step({kTokens.begin() + first, kTokens.begin() + first + count}, first));
  }
  EXPECT_LT(relative_error(at::cat(logits), expected), 1e-5);
}

TEST_P(BloomHeads, HaveTheSlopesOfThePaper) {
  const std::vector<double> expected = paper_slopes(GetParam());
  const std::vector<float> slopes = bloom_alibi_slopes(GetParam());
  ASSERT_EQ(slopes.size(), expected.size());
  for (std::size_t i = 0; i < slopes.size(); ++i) EXPECT_NEAR(slopes[i] / expected[i], 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(PowersOfTwoAndOthers, BloomHeads,
                         ::testing::Values(1, 2, 3, 4, 6, 7, 8, 12));

TEST(Bloom, TakesTheResidualAfterTheLayerNormWhenConfiguredSo) {
  const c10::InferenceMode inference;
  Sizes config = small(4);
  const Weights weights = random_weights(config, at::kFloat);
  const at::Tensor before = PlainBloom(config, weights).forward(kTokens);
  config.residual_after_layer_norm = true;
  const at::Tensor after = PlainBloom(config, weights).forward(kTokens);
  ImportOptions options;
  options.head = Head::kAll;
  const at::Tensor logits = Scripted(config, options, weights, 9).step(kTokens, 0);
  EXPECT_LT(relative_error(logits, after), 1e-5);
  EXPECT_GT(relative_error(logits, before), 1e-2);
}

TEST(Bloom, GivesTheLastPositionOnlyWhenAskedTo) {
  const c10::InferenceMode inference;
  const Sizes config = small(4);
  const Weights weights = random_weights(config, at::kFloat);
  const at::Tensor expected = PlainBloom(config, weights).forward(kTokens);
  const at::Tensor logits = Scripted(config, {}, weights, 9).step(kTokens, 0);
  ASSERT_EQ(logits.sizes(), (std::vector<std::int64_t>{1, config.vocabulary}));
  EXPECT_LT(relative_error(logits[0], expected[8]), 1e-5);
}

TEST(Bloom, StaysNearFloat32InBFloat16AndGivesFloat32Logits) {
  const c10::InferenceMode inference;
  const Sizes config = small(4);
  const Weights weights = random_weights(config, at::kBFloat16);
  Weights widened;
  for (const auto& [name, weight] : weights) widened[name] = weight.to(at::kFloat);
  const at::Tensor expected = PlainBloom(config, widened).forward(kTokens);
  ImportOptions options;
  options.head = Head::kAll;
  options.dtype = DType::kBFloat16;
  const at::Tensor logits = Scripted(config, options, weights, 9).step(kTokens, 0);
  EXPECT_EQ(logits.scalar_type(), at::kFloat);
  EXPECT_LT(relative_error(logits, expected), 5e-2);
}

TEST(PublishedModels, HaveTheirParameterCountsAndNoMemory) {
  // With tied embeddings once: as the model cards say, for BLOOM by V h + 4 h + L (12 h^2 + 13 h).
  const std::map<std::string, std::int64_t> parameters = {
      {"bloom-560m", 559214592},    {"bloom-1b1", 1065314304},   {"bloom-1b7", 1722408960},
      {"bloom-3b", 3002557440},     {"bloom-7b1", 7069016064},   {"tinyllama-1.1b", 1100048384},
      {"llama-3.2-1b", 1235814400}, {"smollm2-135m", 134515008}, {"qwen2.5-0.5b", 494032768},
      {"qwen3-0.6b", 596049920},    {"gemma3-270m", 268098176},  {"gemma3-1b", 999885952}};
  ASSERT_EQ(published_models().size(), parameters.size());
  for (const std::string& name : published_models()) {
    ASSERT_TRUE(has_family(name));
    const ScriptModel model = load_model_folder(name, {});
    std::int64_t count = 0;
    for (const at::Tensor& weight : model.module.parameters()) {
      EXPECT_TRUE(weight.is_meta());
      count += weight.numel();
    }
    EXPECT_EQ(count, parameters.at(name)) << name;
    EXPECT_EQ(model.reader, nullptr);
    EXPECT_GE(model.vocabulary, 32000);
    EXPECT_FALSE(model.stop_tokens.empty());
  }
  EXPECT_FALSE(has_family("bloom-9b"));
}

TEST(PublishedModels, AreKnownByTheirRepositoryToo) {
  for (const char* repository : {"bigscience/bloom-560m", "google/gemma-3-270m-it"}) {
    EXPECT_TRUE(has_family(repository));
  }
  EXPECT_EQ(named_config("bigscience/bloom-560m"), named_config("bloom-560m"));
}

TEST(PublishedModels, AreRefusedInADtypeWithoutKernels) {
  ImportOptions options;
  options.dtype = DType::kFloat16;
  EXPECT_THROW(load_model_folder("bloom-560m", options), UsageError);
}

class ModelFolder : public ::testing::Test {
 protected:
  ModelFolder() : folder_(fresh_folder()) {
    write_random_model(
        {"bloom:hidden=16,layers=2,heads=4,vocabulary=32", 3, DType::kFloat32, folder_},
        [](double) {});
  }
  ~ModelFolder() override { fs::remove_all(folder_); }

  void edit_config(const std::function<void(nlohmann::json&)>& edit) const {
    nlohmann::json config = nlohmann::json::parse(std::ifstream(folder_ / "config.json"));
    edit(config);
    std::ofstream(folder_ / "config.json") << config;
  }

  // Writes the same weights again under other names, leaving out the one that becomes "".
  void rename_weights(const std::function<std::string(const std::string&)>& rename) const {
    const fs::path path = folder_ / "model.safetensors";
    fs::rename(path, folder_ / "old");
    const Safetensors old(folder_ / "old");
    std::vector<WeightSpec> specs;
    std::map<std::string, std::string> old_names;
    for (const auto& [name, spec] : old.tensors()) {
      if (rename(name).empty()) continue;
      specs.push_back({rename(name), spec.dtype, spec.shape});
      old_names[specs.back().name] = name;
    }
    write_safetensors(path, specs, [&](const WeightSpec& spec, const AppendBytes& append) {
      std::vector<std::byte> bytes(static_cast<std::size_t>(spec.bytes()));
      old.read(old_names.at(spec.name), 0, spec.bytes(), bytes.data());
      append(bytes.data(), spec.bytes());
    });
  }

  std::string refusal() const {
    try {
      load_model_folder(folder_.string(), {});
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  std::vector<float> values(const std::string& weight, DType dtype, std::int64_t count) const {
    ImportOptions options;
    options.dtype = dtype;
    const ScriptModel model = load_model_folder(folder_.string(), options);
    const at::Tensor read = at::empty({count}, type_of(dtype));
    model.reader->read(weight, 0, static_cast<std::int64_t>(read.nbytes()),
                       static_cast<std::byte*>(read.data_ptr()));
    const at::Tensor widened = read.to(at::kFloat);
    return {widened.data_ptr<float>(), widened.data_ptr<float>() + count};
  }

  fs::path folder_;
};

TEST_F(ModelFolder, LoadsWithAndWithoutThePrefixOfHuggingFace) {
  const std::vector<float> expected = values("h.1.mlp.dense_4h_to_h.weight", DType::kFloat32, 1024);
  rename_weights([](const std::string& name) { return "transformer." + name; });
  EXPECT_EQ(values("h.1.mlp.dense_4h_to_h.weight", DType::kFloat32, 1024), expected);
}

TEST_F(ModelFolder, RoundsFloat32ToTheNearestBFloat16) {
  const std::vector<float> exact = values("word_embeddings.weight", DType::kFloat32, 512);
  const std::vector<float> rounded = values("word_embeddings.weight", DType::kBFloat16, 512);
  int changed = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    EXPECT_LE(std::abs(rounded[i] - exact[i]), std::abs(exact[i]) / 256);
    if (rounded[i] != exact[i]) ++changed;
  }
  EXPECT_GT(changed, 400);
}

TEST_F(ModelFolder, ReadsTheSameValuesInPiecesWhereverTheyBegin) {
  ImportOptions options;
  options.dtype = DType::kBFloat16;
  const ScriptModel model = load_model_folder(folder_.string(), options);
  std::vector<std::byte> whole(1024);
  std::vector<std::byte> pieces(1024);
  model.reader->read("word_embeddings.weight", 0, 1024, whole.data());
  for (const auto& [offset, bytes] : {std::pair{0, 2}, {2, 600}, {602, 422}}) {
    model.reader->read("word_embeddings.weight", offset, bytes, pieces.data() + offset);
  }
  EXPECT_EQ(whole, pieces);
}

TEST_F(ModelFolder, HasNoReaderWhenItsWeightsAreNotThere) {
  fs::remove(folder_ / "model.safetensors");
  EXPECT_EQ(load_model_folder(folder_.string(), {}).reader, nullptr);
}

TEST_F(ModelFolder, IsRefusedWithATruncatedOrIncompleteWeightFile) {
  const fs::path path = folder_ / "model.safetensors";
  rename_weights([](const std::string& name) { return name == "ln_f.bias" ? "" : name; });
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr(path.string()), HasSubstr("ln_f.bias"), HasSubstr("missing")));
  fs::resize_file(path, fs::file_size(path) - 100);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path.string()), HasSubstr("truncated")));
}

TEST_F(ModelFolder, IsRefusedWhenAWeightContradictsItsConfiguration) {
  edit_config([](auto& config) { config["vocab_size"] = 33; });
  EXPECT_THAT(refusal(), AllOf(HasSubstr("word_embeddings.weight"), HasSubstr("[32, 16]"),
                               HasSubstr("[33, 16]")));
}

TEST_F(ModelFolder, AcceptsTheOlderNamesOfTheConfiguration) {
  edit_config([](auto& config) {
    config["n_embed"] = config["hidden_size"];
    config["num_attention_heads"] = config["n_head"];
    config["num_hidden_layers"] = config["n_layer"];
    for (const char* name : {"hidden_size", "n_head", "n_layer"}) config.erase(name);
  });
  EXPECT_EQ(refusal(), "");
}

TEST_F(ModelFolder, NamesTheFieldOfItsConfigurationThatIsWrong) {
  using Edit = std::function<void(nlohmann::json&)>;
  const std::vector<std::pair<std::string, Edit>> edits = {
      {"hidden_size", [](auto& c) { c.erase("hidden_size"); }},
      {"hidden_size", [](auto& c) { c["hidden_size"] = "16"; }},
      {"hidden_size", [](auto& c) { c["n_embed"] = 32; }},
      {"hidden_size", [](auto& c) { c["n_head"] = 3; }},
      {"n_layer", [](auto& c) { c["n_layer"] = 0; }},
      {"n_layer", [](auto& c) { c["n_layer"] = 2.5; }},
      {"n_layer", [](auto& c) { c["n_layer"] = 18446744073709551615ULL; }},
      {"n_head", [](auto& c) { c["n_head"] = -4; }},
      {"vocab_size", [](auto& c) { c["vocab_size"] = 1LL << 40; }},
      {"layer_norm_epsilon", [](auto& c) { c.erase("layer_norm_epsilon"); }},
      {"layer_norm_epsilon", [](auto& c) { c["layer_norm_epsilon"] = "small"; }},
      {"eos_token_id", [](auto& c) { c["eos_token_id"] = 32; }},
      {"eos_token_id",
       [](auto& c) {
         c["eos_token_id"] = {2, "x"};
       }},
      {"tie_word_embeddings", [](auto& c) { c["tie_word_embeddings"] = false; }},
      {"n_inner", [](auto& c) { c["n_inner"] = 100; }},
      {"model_type", [](auto& c) { c["model_type"] = "gpt2"; }},
      {"architectures", [](auto& c) { c["model_type"] = "llama"; }},
      {"architectures", [](auto& c) { c["architectures"] = {"LlamaForCausalLM"}; }},
  };
  const nlohmann::json good = nlohmann::json::parse(std::ifstream(folder_ / "config.json"));
  for (const auto& [field, edit] : edits) {
    nlohmann::json bad = good;
    edit(bad);
    std::ofstream(folder_ / "config.json") << bad;
    EXPECT_THAT(refusal(), HasSubstr("config.json: field '" + field + "'")) << bad;
  }
}

TEST_F(ModelFolder, ListsWhatIsSupportedWhenItsOwnIsNot) {
  edit_config([](auto& config) { config["model_type"] = "gpt2"; });
  EXPECT_THAT(refusal(), AllOf(HasSubstr("\"gpt2\""), HasSubstr("supported are bloom, llama,")));
  edit_config([](auto& config) { config["architectures"] = {"GPT2LMHeadModel"}; });
  edit_config([](auto& config) { config["model_type"] = "bloom"; });
  EXPECT_THAT(refusal(), AllOf(HasSubstr("GPT2LMHeadModel"), HasSubstr("BloomForCausalLM")));
}

TEST_F(ModelFolder, IsRefusedWithoutAConfigurationOrWithOneThatIsNoJson) {
  std::ofstream(folder_ / "config.json") << "{\"hidden_size\": 16,\n";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("config.json"), HasSubstr("not valid JSON")));
  fs::remove(folder_ / "config.json");
  EXPECT_THAT(refusal(), HasSubstr("config.json"));
}

}  // namespace
}  // namespace lingua
