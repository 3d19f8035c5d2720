#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "runtime/base/errors.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/family.h"
#include "runtime/torch/import.h"
#include "tests/torch/golden_model.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using testing::GoldenModel;
using testing::GoldenPrompt;
using ::testing::HasSubstr;
using testing::SplitModel;

// Of the largest logit of the prompt.
constexpr double kTolerance = 1e-4;

at::Tensor golden_logits(const GoldenPrompt& prompt) {
  std::vector<at::Tensor> rows;
  for (const std::vector<float>& row : prompt.logits) rows.push_back(at::tensor(row));
  return at::stack(rows);
}

void expect_near(const at::Tensor& logits, const at::Tensor& expected,
                 double tolerance = kTolerance) {
  ASSERT_EQ(logits.sizes(), expected.sizes());
  ASSERT_EQ(logits.scalar_type(), at::kFloat);
  EXPECT_LE((logits - expected).abs().max().item<double>(),
            tolerance * expected.abs().max().item<double>());
}

Segmentation uncut(const Graph& graph) { return cut_at(graph, {}); }

Segmentation cut_everywhere(const Graph& graph) {
  std::vector<NodeId> after;
  for (const Cut& cut : all_cuts(graph)) {
    if (cut.allowed) after.push_back(cut.after);
  }
  return cut_at(graph, after);
}

// Logits of all tokens, given in steps of these sizes (the last one repeats).
at::Tensor run(SplitModel& split, RequestId request, const std::vector<std::int64_t>& tokens,
               const std::vector<std::int64_t>& steps) {
  const auto count = static_cast<std::int64_t>(tokens.size());
  std::vector<at::Tensor> rows;
  std::size_t next = 0;
  for (std::int64_t cached = 0; cached < count;) {
    const std::int64_t size = std::min(steps[std::min(next++, steps.size() - 1)], count - cached);
    const at::Tensor given = at::tensor(
        std::vector<std::int64_t>(tokens.begin() + cached, tokens.begin() + cached + size));
    rows.push_back(split.run({request, {size, cached}, count + 3}, {given})[0]);
    cached += size;
  }
  return at::cat(rows);
}

ImportOptions options(Head head, bool kv_cache) {
  ImportOptions options;
  options.head = head;
  options.kv_cache = kv_cache;
  return options;
}

constexpr std::int64_t kWhole = 1000;

class Families : public ::testing::TestWithParam<const char*> {
 protected:
  Families() : golden_(GetParam()), folder_(golden_.write()) {}
  ~Families() override { std::filesystem::remove_all(folder_); }

  const GoldenModel golden_;
  const std::string folder_;
};

TEST_P(Families, GiveTheLogitsOfTransformersWithoutACache) {
  ImportedModel model = import_model(folder_, options(Head::kAll, false));
  EXPECT_TRUE(model.is_language_model);
  EXPECT_EQ(model.vocabulary, 97);
  SplitModel split(model, uncut(model.graph));
  for (const GoldenPrompt& prompt : golden_.prompts) {
    expect_near(run(split, 1, prompt.tokens, {kWhole}), golden_logits(prompt));
  }
}

TEST_P(Families, GiveThemThroughTheCacheInStepsOfAnySize) {
  ImportedModel model = import_model(folder_, options(Head::kAll, true));
  EXPECT_TRUE(model.kv_cache);
  SplitModel split(model, uncut(model.graph));
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    for (const auto& steps : std::vector<std::vector<std::int64_t>>{{kWhole}, {1}, {4, 1, 3}}) {
      expect_near(run(split, ++request, prompt.tokens, steps), golden_logits(prompt));
    }
  }
}

TEST_P(Families, GiveThemCutWhereverTheyCanBeCut) {
  ImportedModel model = import_model(folder_, options(Head::kAll, true));
  const Segmentation segmentation = cut_everywhere(model.graph);
  EXPECT_GT(segmentation.segments.size(), 10U);
  SplitModel split(model, segmentation);
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    expect_near(run(split, ++request, prompt.tokens, {5, 1}), golden_logits(prompt));
  }
}

TEST_P(Families, GiveThemUnsplitAndForTheLastPositionOnly) {
  for (const GoldenPrompt& prompt : golden_.prompts) {
    const ReferenceResult result =
        generate_reference(folder_, options(Head::kLast, true), {prompt.tokens}, 1, 1, true)[0];
    expect_near(at::tensor(result.logits[0]), at::tensor(prompt.logits.back()));
  }
}

TEST_P(Families, ScoreGivenTargetsByTheLogitsOfTransformers) {
  ImportedModel model = import_model(folder_, options(Head::kScore, true));
  SplitModel split(model, uncut(model.graph));
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    const auto count = static_cast<std::int64_t>(prompt.tokens.size());
    const at::Tensor tokens = at::tensor(prompt.tokens);
    const at::Tensor targets = (tokens * 31 + 7) % 97;
    const at::Tensor scores = split.run({++request, {count, 0}, count}, {tokens, targets})[0];
    const at::Tensor expected =
        at::log_softmax(golden_logits(prompt), 1).gather(1, targets.unsqueeze(1)).squeeze(1);
    expect_near(scores, expected);
  }
}

TEST_P(Families, StayNearInBFloat16) {
  ImportOptions bfloat16 = options(Head::kAll, true);
  bfloat16.dtype = DType::kBFloat16;
  ImportedModel model = import_model(folder_, bfloat16);
  SplitModel split(model, cut_everywhere(model.graph));
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    expect_near(run(split, ++request, prompt.tokens, {kWhole}), golden_logits(prompt), 0.06);
  }
}

TEST_P(Families, AreCutIntoAttentionAndMlpHalves) {
  if (golden_.config.value("apply_residual_connection_post_layernorm", false)) {
    GTEST_SKIP() << "its norms feed the residual stream as well";
  }
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    ImportOptions chosen = options(Head::kLast, true);
    chosen.dtype = dtype;
    const ImportedModel model = import_model(folder_, chosen);
    PartitionOptions halves;
    halves.rule = "lingualinked";
    const std::vector<Segment> segments = partition(model.graph, halves).segments;
    const auto layers = read_family_model(read_config(folder_)).layers;
    ASSERT_EQ(static_cast<std::int64_t>(segments.size()), 2 * layers + 2);
    EXPECT_THAT(segments[1].name, HasSubstr("0 attention"));
    EXPECT_THAT(segments[2].name, HasSubstr("0 mlp"));
    for (std::int64_t i = 1; i <= layers; ++i) {
      EXPECT_EQ(segments[static_cast<std::size_t>(2 * i - 1)].state.size(), 2U);
      EXPECT_EQ(segments[static_cast<std::size_t>(2 * i)].state.size(), 0U);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Families,
                         ::testing::Values("bloom", "bloom-residual", "llama",
                                           "llama-llama3-scaling", "llama-linear-scaling",
                                           "mistral", "qwen2", "qwen3", "gemma3", "gemma3-untied"));

class Classifiers : public Families {};

TEST_P(Classifiers, GiveTheLabelsAndLogitsOfTransformers) {
  ImportedModel model = import_model(folder_, {});
  EXPECT_FALSE(model.is_language_model);
  EXPECT_EQ(model.labels, (std::vector<std::string>{"negative", "neutral", "positive"}));
  SplitModel split(model, cut_everywhere(model.graph));
  std::vector<std::string> seen;
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    const auto count = static_cast<std::int64_t>(prompt.tokens.size());
    const at::Tensor logits =
        split.run({++request, {count, 0}, count}, {at::tensor(prompt.tokens)})[0];
    expect_near(logits, golden_logits(prompt));
    const std::string label =
        model.labels[static_cast<std::size_t>(logits.argmax().item<std::int64_t>())];
    EXPECT_EQ(label, prompt.label);
    seen.push_back(label);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_GE(std::unique(seen.begin(), seen.end()) - seen.begin(), 2);
}

// They have an embedding to cut and no head of that size.
TEST_P(Classifiers, AreTheSameWithTheirEmbeddingInPieces) {
  ImportOptions pieces;
  pieces.head_pieces.count = 4;
  ImportedModel whole = import_model(folder_, {});
  ImportedModel cut = import_model(folder_, pieces);
  EXPECT_EQ(cut.head_pieces, 4);
  EXPECT_EQ(cut.graph.nodes.size(), whole.graph.nodes.size() + 3);
  SplitModel split(cut, cut_everywhere(cut.graph));
  SplitModel unsplit(whole, uncut(whole.graph));
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    const auto count = static_cast<std::int64_t>(prompt.tokens.size());
    const StepContext step{++request, {count, 0}, count};
    const std::vector<at::Tensor> inputs = {at::tensor(prompt.tokens)};
    EXPECT_TRUE(at::equal(split.run(step, inputs)[0], unsplit.run(step, inputs)[0]));
  }
}

TEST_P(Classifiers, DoNotGenerate) {
  EXPECT_THROW(generate_reference(folder_, {}, {{1}}, 1, 1, false), InputError);
}

INSTANTIATE_TEST_SUITE_P(Golden, Classifiers,
                         ::testing::Values("bloom-classification", "llama-classification",
                                           "qwen2-classification"));

class PaddedClassifiers : public Families {};

TEST_P(PaddedClassifiers, LookAtTheLastTokenThatIsNotPadding) {
  ImportedModel model = import_model(folder_, {});
  SplitModel split(model, cut_everywhere(model.graph));
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    const auto count = static_cast<std::int64_t>(prompt.tokens.size());
    expect_near(split.run({++request, {count, 0}, count}, {at::tensor(prompt.tokens)})[0],
                golden_logits(prompt));
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, PaddedClassifiers,
                         ::testing::Values("bloom-pads", "llama-pads", "llama-no-pads",
                                           "llama-one-label", "mistral-several-labels",
                                           "qwen2-pads", "qwen3-regression", "gemma3-softcap",
                                           "gemma3-no-pads"));

// A multimodal config has the classes around the text model's config, the padding within.
TEST(Gemma3, ClassifiesInAMultimodalCheckpoint) {
  GoldenModel golden("gemma3-softcap");
  nlohmann::json text = golden.config;
  golden.config = {{"model_type", "gemma3"},
                   {"architectures", {"Gemma3ForSequenceClassification"}},
                   {"id2label", text["id2label"]}};
  for (const char* field : {"architectures", "id2label", "label2id"}) text.erase(field);
  golden.config["text_config"] = text;
  for (auto& tensor : golden.tensors) {
    if (tensor.spec.name == "score.weight") continue;
    tensor.spec.name = "model.language_model." + tensor.spec.name.substr(6);
  }
  const std::string folder = golden.write();
  ImportedModel model = import_model(folder, {});
  EXPECT_EQ(model.labels, (std::vector<std::string>{"negative", "neutral", "positive"}));
  EXPECT_THAT(model.notes, ::testing::IsEmpty());
  SplitModel split(model, uncut(model.graph));
  for (const GoldenPrompt& prompt : golden.prompts) {
    const auto count = static_cast<std::int64_t>(prompt.tokens.size());
    expect_near(split.run({1, {count, 0}, count}, {at::tensor(prompt.tokens)})[0],
                golden_logits(prompt));
  }
  std::filesystem::remove_all(folder);
}

// The note with which a golden model is read that has further tensors.
std::vector<std::string> notes_of(const GoldenModel& golden) {
  const std::string folder = golden.write();
  std::vector<std::string> notes = import_model(folder, {}).notes;
  std::filesystem::remove_all(folder);
  return notes;
}

testing::GoldenTensor tensor_like(const GoldenModel& golden, const std::string& like,
                                  const std::string& name) {
  for (testing::GoldenTensor tensor : golden.tensors) {
    if (tensor.spec.name != like) continue;
    tensor.spec.name = name;
    return tensor;
  }
  throw BugError("no tensor " + like);
}

TEST(Checkpoint, NamesTheTensorsThatItsConfigHasNoUseFor) {
  GoldenModel layers("llama");
  layers.config["num_hidden_layers"] = 2;
  ASSERT_EQ(notes_of(layers).size(), 1U);
  EXPECT_THAT(notes_of(layers)[0],
              ::testing::AllOf(HasSubstr("model.safetensors: not used, because"),
                               HasSubstr("config.json asks for no such tensors: "
                                         "\"model.layers.2.input_layernorm.weight\", "),
                               HasSubstr(" and 4 more")));
  GoldenModel biases("llama-linear-scaling");
  biases.config["mlp_bias"] = false;
  ASSERT_EQ(notes_of(biases).size(), 1U);
  EXPECT_THAT(notes_of(biases)[0], HasSubstr("\"model.layers.0.mlp.down_proj.bias\""));
  GoldenModel buffers("llama");
  for (const char* name :
       {"model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb.inv_freq"}) {
    buffers.tensors.push_back(tensor_like(buffers, "model.norm.weight", name));
  }
  EXPECT_THAT(notes_of(buffers), ::testing::IsEmpty());
}

TEST(Checkpoint, MayHoldAHeadBesideTiedEmbeddingsThatIsTheSame) {
  GoldenModel golden("qwen3");
  const std::string embedding = "model.embed_tokens.weight";
  golden.tensors.push_back(tensor_like(golden, embedding, "lm_head.weight"));
  EXPECT_THAT(notes_of(golden), ::testing::IsEmpty());
  golden.tensors.back().drawn_as = "lm_head.weight";
  EXPECT_THAT(testing::message_of<InputError>([&] { notes_of(golden); }),
              HasSubstr("\"lm_head.weight\" differs from \"model.embed_tokens.weight\""));
}

// The text part of a multimodal checkpoint, its names as transformers and as older releases have
// them.
TEST(Gemma3, IsFoundInAMultimodalCheckpoint) {
  for (const char* prefix : {"model.language_model.", "language_model.model."}) {
    GoldenModel golden("gemma3");
    golden.config = {{"model_type", "gemma3"},
                     {"architectures", {"Gemma3ForConditionalGeneration"}},
                     {"eos_token_id", {1, 96}},
                     {"text_config", golden.config}};
    for (auto& tensor : golden.tensors) {
      tensor.spec.name = prefix + tensor.spec.name.substr(std::string("model.").size());
    }
    const std::string folder = golden.write();
    ImportedModel model = import_model(folder, options(Head::kAll, false));
    EXPECT_EQ(model.family, "gemma3");
    EXPECT_EQ(model.stop_tokens, (std::vector<std::int64_t>{1, 96}));
    EXPECT_EQ(model.max_positions, 64);
    SplitModel split(model, uncut(model.graph));
    expect_near(run(split, 1, golden.prompts[1].tokens, {kWhole}),
                golden_logits(golden.prompts[1]));
    std::filesystem::remove_all(folder);
  }
}

TEST(Checkpoint, InShardsGivesTheSameModel) {
  const GoldenModel golden("llama");
  const std::string folder = golden.write(3);
  ImportedModel model = import_model(folder, options(Head::kAll, false));
  SplitModel split(model, uncut(model.graph));
  expect_near(run(split, 1, golden.prompts[2].tokens, {kWhole}), golden_logits(golden.prompts[2]));
  std::filesystem::remove_all(folder);
}

// What newer transformers write: rope_parameters in place of rope_theta and rope_scaling.
TEST(Config, MayHaveRopeParameters) {
  GoldenModel llama("llama-llama3-scaling");
  llama.config["rope_parameters"] = llama.config["rope_scaling"];
  llama.config["rope_parameters"]["rope_theta"] = llama.config["rope_theta"];
  GoldenModel gemma("gemma3-untied");
  gemma.config["rope_parameters"] = {
      {"full_attention", gemma.config["rope_scaling"]},
      {"sliding_attention",
       {{"rope_type", "default"}, {"rope_theta", gemma.config["rope_local_base_freq"]}}}};
  gemma.config["rope_parameters"]["full_attention"]["rope_theta"] = gemma.config["rope_theta"];
  for (GoldenModel* golden : {&llama, &gemma}) {
    for (const char* field : {"rope_theta", "rope_scaling", "rope_local_base_freq"}) {
      golden->config.erase(field);
    }
    const std::string folder = golden->write();
    ImportedModel model = import_model(folder, options(Head::kAll, false));
    SplitModel split(model, uncut(model.graph));
    expect_near(run(split, 1, golden->prompts[2].tokens, {kWhole}),
                golden_logits(golden->prompts[2]));
    std::filesystem::remove_all(folder);
  }
}

using Edit = std::function<void(nlohmann::json&)>;

// The message with which a config is refused that differs from a golden one; "" when it is not.
std::string refusal(const std::string& golden, const Edit& edit) {
  nlohmann::json config = GoldenModel(golden).config;
  edit(config);
  return testing::message_of<InputError>([&] { read_family_model({config, "config.json"}); });
}

struct Refused {
  const char* golden;
  const char* says;
  Edit edit;
};
void expect_refused(const std::vector<Refused>& cases) {
  for (const Refused& wrong : cases) {
    EXPECT_THAT(refusal(wrong.golden, wrong.edit), HasSubstr(wrong.says)) << wrong.golden;
    EXPECT_THAT(refusal(wrong.golden, wrong.edit), HasSubstr("config.json: field '"));
    EXPECT_EQ(refusal(wrong.golden, [](auto&) {}), "");
  }
}

TEST(Config, IsRefusedByTheFieldThatIsNotSupported) {
  expect_refused({
      {"llama", "'hidden_act': \"gelu\" is not supported; \"silu\" is",
       [](auto& c) { c["hidden_act"] = "gelu"; }},
      {"llama", "'rope_scaling.factor': is missing",
       [](auto& c) {
         c["rope_scaling"] = {{"type", "linear"}};
       }},
      {"llama-llama3-scaling", "'rope_scaling.high_freq_factor': 1 is not above low_freq_factor 1",
       [](auto& c) { c["rope_scaling"]["high_freq_factor"] = 1; }},
      {"llama", "'rope_scaling': 3 is not an object", [](auto& c) { c["rope_scaling"] = 3; }},
      {"llama", "'num_key_value_heads': 3 does not divide num_attention_heads 4",
       [](auto& c) { c["num_key_value_heads"] = 3; }},
      {"llama", "'head_dim': 7 is odd", [](auto& c) { c["head_dim"] = 7; }},
      {"llama", "'rms_norm_eps': 0 is not a number above 0",
       [](auto& c) { c["rms_norm_eps"] = 0; }},
      {"llama", "'rope_interleaved': true is not supported",
       [](auto& c) { c["rope_interleaved"] = true; }},
      {"llama", "'quantization_config': is not supported",
       [](auto& c) {
         c["quantization_config"] = {{"bits", 4}};
       }},
      {"llama", "'architectures': [\"GPT2LMHeadModel\"] is not supported with model_type \"llama\"",
       [](auto& c) { c["architectures"] = {"GPT2LMHeadModel"}; }},
      {"llama", "'architectures': [] is not a list of one name",
       [](auto& c) { c["architectures"] = nlohmann::json::array(); }},
      {"llama", "'architectures': [\"GPT2LMHeadModel\"] is not supported; supported are Bloom",
       [](auto& c) {
         c.erase("model_type");
         c["architectures"] = {"GPT2LMHeadModel"};
       }},
  });
}

TEST(Config, IsRefusedByTheFieldOfItsFamilyThatIsNotSupported) {
  expect_refused({
      {"llama-classification", "'id2label': has 3 labels, but none of \"2\"",
       [](auto& c) {
         c["id2label"]["7"] = c["id2label"]["2"];
         c["id2label"].erase("2");
       }},
      {"mistral", "'sliding_window': 0 is not an integer from 1",
       [](auto& c) { c["sliding_window"] = 0; }},
      {"qwen2", "'layer_types': \"chunked_attention\" is not supported; \"full_attention\"",
       [](auto& c) { c["layer_types"][1] = "chunked_attention"; }},
      {"qwen2", "is not a list of one type for each of 3 layers",
       [](auto& c) { c["layer_types"].erase(0); }},
      {"gemma3", "'attn_logit_softcapping': 50.0 is not supported; null is",
       [](auto& c) { c["attn_logit_softcapping"] = 50.0; }},
      {"gemma3", "'use_bidirectional_attention': true is not supported",
       [](auto& c) { c["use_bidirectional_attention"] = true; }},
      {"gemma3", "'hidden_activation': \"silu\" is not supported; \"gelu_pytorch_tanh\" is",
       [](auto& c) { c["hidden_activation"] = "silu"; }},
      {"gemma3", "'query_pre_attn_scalar': 0 is not a number above 0",
       [](auto& c) { c["query_pre_attn_scalar"] = 0; }},
      {"gemma3", "'final_logit_softcapping': -1 is not",
       [](auto& c) { c["final_logit_softcapping"] = -1; }},
      {"gemma3", "'text_config': is missing",
       [](auto& c) {
         c["model_type"] = "gemma3";
         c["architectures"] = {"Gemma3ForConditionalGeneration"};
       }},
  });
}

TEST(Config, SaysWhatTheScoresOfClassesAre) {
  nlohmann::json config = GoldenModel("llama-classification").config;
  const auto score = [&] { return read_family_model({config, "config.json"}).class_score; };
  EXPECT_EQ(score(), ClassScore::kShares);
  config["problem_type"] = "multi_label_classification";
  EXPECT_EQ(score(), ClassScore::kEach);
  config["problem_type"] = "regression";
  EXPECT_EQ(score(), ClassScore::kRaw);
  config["problem_type"] = "ranking";
  EXPECT_THAT(testing::message_of<InputError>(score), HasSubstr("'problem_type': \"ranking\""));
  config.erase("problem_type");
  config["id2label"] = {{"0", "reward"}};
  EXPECT_EQ(score(), ClassScore::kRaw);
  config["id2label"] = {{"0", "other"}, {"1", "other"}};
  EXPECT_EQ(read_family_model({config, "config.json"}).labels,
            (std::vector<std::string>{"other", "other (1)"}));
}

TEST(Config, WithoutLabelsNamesThemAsTransformersDoes) {
  nlohmann::json config = GoldenModel("llama-classification").config;
  config.erase("id2label");
  EXPECT_EQ(read_family_model({config, "config.json"}).labels,
            (std::vector<std::string>{"LABEL_0", "LABEL_1"}));
}

}  // namespace
}  // namespace lingua
