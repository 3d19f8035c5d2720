#include "runtime/torch/families/gemma.h"

#include <cmath>
#include <utility>

#include "runtime/torch/families/rotary_decoder.h"
#include "runtime/torch/families/rotary_parameters.h"

namespace lingua {

using nlohmann::json;

namespace {

constexpr double kTheta = 1e6;
constexpr double kLocalTheta = 1e4;
constexpr double kMaxScalar = 1e9;

void read_layers(const ConfigFields& fields, RotaryDecoder* decoder) {
  constexpr std::int64_t kDefaultWindow = 4096;
  constexpr std::int64_t kDefaultPattern = 6;
  const std::int64_t window = fields.integer("sliding_window", kMaxPositions, kDefaultWindow);
  const std::int64_t pattern =
      fields.integer("sliding_window_pattern", kMaxLayers, kDefaultPattern);
  std::vector<bool> slides;
  for (std::int64_t i = 0; i < decoder->layers; ++i) slides.push_back((i + 1) % pattern != 0);
  slides = read_sliding_layers(fields, decoder->layers, slides);
  for (std::size_t i = 0; i < slides.size(); ++i) {
    if (slides[i]) decoder->each_layer[i] = {window, 1};
  }
}

// `whole` holds the classes: the config around a text model's, or the same.
FamilyModel read_text(const ConfigFields& given, const ConfigFields& whole) {
  // What the published configs of the larger models leave out.
  const ConfigFields fields = given.with_defaults(
      {{"num_attention_heads", 8}, {"num_key_value_heads", 4}, {"vocab_size", 262208}});
  FamilyModel model;
  RotaryDecoder decoder = read_rotary_decoder(fields, {.head_dim = 256, .tied = true}, &model);
  expect_activation(fields, "hidden_activation", "gelu_pytorch_tanh");
  decoder.activation = "lingua.gelu({})";
  fields.expect("attn_logit_softcapping", nullptr, "null is");
  fields.expect("use_bidirectional_attention", false, "false is");
  decoder.query_bias = decoder.output_bias = fields.boolean("attention_bias", false);
  decoder.query_key_norms = true;
  decoder.gemma_norms = true;
  decoder.scale = 1 / std::sqrt(fields.number("query_pre_attn_scalar", 0, kMaxScalar, 256));
  decoder.embedding_scale = std::sqrt(static_cast<double>(decoder.hidden));
  model.embedding_scale = decoder.embedding_scale;
  model.norm_weight = 0;
  model.norms_results = true;
  if (!given.has("pad_token_id")) model.pad_token = 0;
  read_classes(whole, &model);
  decoder.pad_token = model.pad_token;
  decoder.labels = static_cast<std::int64_t>(model.labels.size());
  const double softcap = fields.number("final_logit_softcapping", 0, kMaxScalar, 0);
  if (decoder.labels == 0) decoder.softcap = softcap;  // it is for tokens
  decoder.rotaries = read_rotaries_by_kind(fields, kTheta, kLocalTheta, decoder.head_dim, &model);
  read_layers(fields, &decoder);
  model.prefixes = {"model.", "", "language_model.model.", "model.language_model.",
                    "language_model."};
  model.write = [decoder](ScriptWriter& writer) { write_rotary_decoder(writer, decoder); };
  return model;
}

FamilyModel read_gemma3(const ConfigFields& fields) {
  if (fields.text("model_type", "") != "gemma3") return read_text(fields, fields);
  if (fields.find("text_config") == nullptr) {
    fields.refuse("text_config", "is missing; the config of the text model is needed");
  }
  FamilyModel model = read_text(fields.object("text_config"), fields);
  if (fields.find("eos_token_id") != nullptr) {
    model.stop_tokens = fields.tokens("eos_token_id", model.vocabulary);
  }
  return model;
}

std::vector<PublishedModel> published_gemmas() {
  json small = gemma3_family().custom;
  small.update({{"hidden_size", 640},
                {"intermediate_size", 2048},
                {"num_hidden_layers", 18},
                {"num_attention_heads", 4},
                {"num_key_value_heads", 1},
                {"head_dim", 256},
                {"query_pre_attn_scalar", 256},
                {"sliding_window", 512},
                {"max_position_embeddings", 32768},
                {"vocab_size", 262144},
                {"eos_token_id", {1, 106}}});
  json large = small;
  large.update({{"hidden_size", 1152}, {"intermediate_size", 6912}, {"num_hidden_layers", 26}});
  return {{"gemma3-270m", "google/gemma-3-270m-it", std::move(small)},
          {"gemma3-1b", "google/gemma-3-1b-it", std::move(large)}};
}

}  // namespace

const Family& gemma3_family() {
  static const Family family = {
      .name = "gemma3",
      .model_types = {"gemma3_text", "gemma3"},
      .architectures = {"Gemma3ForCausalLM", "Gemma3TextModel",
                        "Gemma3TextForSequenceClassification", "Gemma3ForConditionalGeneration",
                        "Gemma3ForSequenceClassification"},
      .read = read_gemma3,
      .published = published_gemmas,
      .custom = {{"architectures", {"Gemma3ForCausalLM"}},
                 {"model_type", "gemma3_text"},
                 {"hidden_activation", "gelu_pytorch_tanh"},
                 {"initializer_range", 0.02},
                 {"rms_norm_eps", 1e-6},
                 {"sliding_window_pattern", 6},
                 {"tie_word_embeddings", true},
                 {"eos_token_id", 1}},
      .sizes = decoder_sizes(),
      .example = "gemma3:hidden=64,layers=6,heads=4,kv_heads=1,head_dim=16,vocabulary=256,window=8",
  };
  return family;
}

}  // namespace lingua
