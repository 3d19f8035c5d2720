#include "runtime/torch/families/qwen.h"

#include <utility>

#include "runtime/torch/families/rotary_decoder.h"
#include "runtime/torch/families/rotary_parameters.h"

namespace lingua {

using nlohmann::json;

namespace {

constexpr double kTheta = 1e4;

// The layers from max_window_layers on slide, where the config says that any do.
void read_windows(const ConfigFields& fields, RotaryDecoder* decoder) {
  constexpr std::int64_t kDefaultWindow = 4096;
  constexpr std::int64_t kDefaultFullLayers = 28;
  if (!fields.boolean("use_sliding_window", false)) return;
  if (fields.has("sliding_window") && fields.find("sliding_window") == nullptr) return;
  const std::int64_t window = fields.integer("sliding_window", kMaxPositions, kDefaultWindow);
  const json* given = fields.find("max_window_layers");
  const std::int64_t full =
      given != nullptr && *given == 0  // all layers slide
          ? 0
          : fields.integer("max_window_layers", kMaxPositions, kDefaultFullLayers);
  std::vector<bool> slides;
  for (std::int64_t i = 0; i < decoder->layers; ++i) slides.push_back(i >= full);
  slides = read_sliding_layers(fields, decoder->layers, slides);
  for (std::size_t i = 0; i < slides.size(); ++i) {
    if (slides[i]) decoder->each_layer[i].window = window;
  }
}

RotaryDecoder read_decoder(const ConfigFields& fields, const DecoderDefaults& defaults,
                           FamilyModel* model) {
  RotaryDecoder decoder = read_rotary_decoder(fields, defaults, model);
  expect_activation(fields, "hidden_act", "silu");
  decoder.activation = "lingua.silu({})";
  decoder.rotaries = {read_rotary(fields, kTheta, decoder.head_dim, model)};
  read_windows(fields, &decoder);
  return decoder;
}

FamilyModel read_qwen2(const ConfigFields& fields) {
  FamilyModel model;
  RotaryDecoder decoder = read_decoder(fields, {}, &model);
  decoder.query_bias = true;
  model.write = [decoder](ScriptWriter& writer) { write_rotary_decoder(writer, decoder); };
  return model;
}

FamilyModel read_qwen3(const ConfigFields& fields) {
  FamilyModel model;
  RotaryDecoder decoder = read_decoder(fields, {.head_dim = 128}, &model);
  decoder.query_bias = decoder.output_bias = fields.boolean("attention_bias", false);
  decoder.query_key_norms = true;
  model.write = [decoder](ScriptWriter& writer) { write_rotary_decoder(writer, decoder); };
  return model;
}

std::vector<PublishedModel> published_qwen2() {
  json config = qwen2_family().custom;
  config.update({{"hidden_size", 896},
                 {"intermediate_size", 4864},
                 {"num_hidden_layers", 24},
                 {"num_attention_heads", 14},
                 {"num_key_value_heads", 2},
                 {"max_position_embeddings", 32768},
                 {"rope_theta", 1000000.0},
                 {"tie_word_embeddings", true},
                 {"vocab_size", 151936},
                 {"eos_token_id", 151645}});
  return {{"qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B-Instruct", std::move(config)}};
}

std::vector<PublishedModel> published_qwen3() {
  json config = qwen3_family().custom;
  config.update({{"hidden_size", 1024},
                 {"intermediate_size", 3072},
                 {"num_hidden_layers", 28},
                 {"num_attention_heads", 16},
                 {"num_key_value_heads", 8},
                 {"head_dim", 128},
                 {"max_position_embeddings", 40960},
                 {"rope_theta", 1000000.0},
                 {"tie_word_embeddings", true},
                 {"vocab_size", 151936},
                 {"eos_token_id", 151645}});
  return {{"qwen3-0.6b", "Qwen/Qwen3-0.6B", std::move(config)}};
}

}  // namespace

const Family& qwen2_family() {
  static const Family family = {
      .name = "qwen2",
      .model_types = {"qwen2"},
      .architectures = {"Qwen2ForCausalLM", "Qwen2Model", "Qwen2ForSequenceClassification"},
      .read = read_qwen2,
      .published = published_qwen2,
      .custom = custom_decoder("qwen2", "Qwen2ForCausalLM"),
      .sizes = decoder_sizes(),
      .example = "qwen2:hidden=64,layers=4,heads=4,kv_heads=2,vocabulary=256",
  };
  return family;
}

const Family& qwen3_family() {
  static const Family family = {
      .name = "qwen3",
      .model_types = {"qwen3"},
      .architectures = {"Qwen3ForCausalLM", "Qwen3Model", "Qwen3ForSequenceClassification"},
      .read = read_qwen3,
      .published = published_qwen3,
      .custom = custom_decoder("qwen3", "Qwen3ForCausalLM"),
      .sizes = decoder_sizes(),
      .example = "qwen3:hidden=64,layers=4,heads=4,kv_heads=2,head_dim=16,vocabulary=256",
  };
  return family;
}

}  // namespace lingua
