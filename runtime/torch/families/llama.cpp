#include "runtime/torch/families/llama.h"

#include <utility>

#include "runtime/torch/families/rotary_decoder.h"
#include "runtime/torch/families/rotary_parameters.h"

namespace lingua {

using nlohmann::json;

namespace {

constexpr double kTheta = 1e4;

RotaryDecoder read_decoder(const ConfigFields& fields, FamilyModel* model) {
  RotaryDecoder decoder = read_rotary_decoder(fields, {}, model);
  expect_activation(fields, "hidden_act", "silu");
  decoder.activation = "lingua.silu({})";
  decoder.rotaries = {read_rotary(fields, kTheta, decoder.head_dim, model)};
  return decoder;
}

FamilyModel read_llama(const ConfigFields& fields) {
  FamilyModel model;
  RotaryDecoder decoder = read_decoder(fields, &model);
  fields.expect("rope_interleaved", false, "false is");
  decoder.query_bias = decoder.output_bias = fields.boolean("attention_bias", false);
  decoder.mlp_bias = fields.boolean("mlp_bias", false);
  model.write = [decoder](ScriptWriter& writer) { write_rotary_decoder(writer, decoder); };
  return model;
}

FamilyModel read_mistral(const ConfigFields& fields) {
  constexpr std::int64_t kDefaultWindow = 4096;
  FamilyModel model;
  RotaryDecoder decoder = read_decoder(fields, &model);
  const bool unlimited = fields.has("sliding_window") && fields.find("sliding_window") == nullptr;
  const std::int64_t window =
      unlimited ? 0 : fields.integer("sliding_window", kMaxPositions, kDefaultWindow);
  const std::vector<bool> slides = read_sliding_layers(
      fields, decoder.layers, std::vector<bool>(decoder.each_layer.size(), true));
  for (std::size_t i = 0; i < slides.size(); ++i) {
    if (slides[i]) decoder.each_layer[i].window = window;
  }
  model.write = [decoder](ScriptWriter& writer) { write_rotary_decoder(writer, decoder); };
  return model;
}

std::vector<PublishedModel> published_llamas() {
  json tiny = llama_family().custom;
  tiny.update({{"hidden_size", 2048},
               {"intermediate_size", 5632},
               {"num_hidden_layers", 22},
               {"num_attention_heads", 32},
               {"num_key_value_heads", 4},
               {"max_position_embeddings", 2048},
               {"rms_norm_eps", 1e-5},
               {"rope_theta", 10000.0},
               {"tie_word_embeddings", false},
               {"vocab_size", 32000}});
  json llama = llama_family().custom;
  llama.update({{"hidden_size", 2048},
                {"intermediate_size", 8192},
                {"num_hidden_layers", 16},
                {"num_attention_heads", 32},
                {"num_key_value_heads", 8},
                {"head_dim", 64},
                {"max_position_embeddings", 131072},
                {"rms_norm_eps", 1e-5},
                {"rope_theta", 500000.0},
                {"rope_scaling",
                 {{"rope_type", "llama3"},
                  {"factor", 32.0},
                  {"low_freq_factor", 1.0},
                  {"high_freq_factor", 4.0},
                  {"original_max_position_embeddings", 8192}}},
                {"tie_word_embeddings", true},
                {"vocab_size", 128256},
                {"eos_token_id", {128001, 128008, 128009}}});
  json smol = llama_family().custom;
  smol.update({{"hidden_size", 576},
               {"intermediate_size", 1536},
               {"num_hidden_layers", 30},
               {"num_attention_heads", 9},
               {"num_key_value_heads", 3},
               {"max_position_embeddings", 8192},
               {"rms_norm_eps", 1e-5},
               {"rope_theta", 100000.0},
               {"initializer_range", 0.041666666666666664},
               {"tie_word_embeddings", true},
               {"vocab_size", 49152}});
  return {{"tinyllama-1.1b", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", std::move(tiny)},
          {"llama-3.2-1b", "meta-llama/Llama-3.2-1B-Instruct", std::move(llama)},
          {"smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct", std::move(smol)}};
}

}  // namespace

const Family& llama_family() {
  static const Family family = {
      .name = "llama",
      .model_types = {"llama"},
      .architectures = {"LlamaForCausalLM", "LlamaModel", "LlamaForSequenceClassification"},
      .read = read_llama,
      .published = published_llamas,
      .custom = custom_decoder("llama", "LlamaForCausalLM"),
      .sizes = decoder_sizes(),
      .example = "llama:hidden=64,layers=4,heads=4,kv_heads=2,vocabulary=256",
  };
  return family;
}

const Family& mistral_family() {
  static const Family family = {
      .name = "mistral",
      .model_types = {"mistral"},
      .architectures = {"MistralForCausalLM", "MistralModel", "MistralForSequenceClassification"},
      .read = read_mistral,
      .published = [] { return std::vector<PublishedModel>(); },
      .custom = custom_decoder("mistral", "MistralForCausalLM"),
      .sizes = decoder_sizes(),
      .example = "mistral:hidden=64,layers=4,heads=4,kv_heads=2,vocabulary=256,window=16",
  };
  return family;
}

}  // namespace lingua
