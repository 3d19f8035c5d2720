#pragma once
// What Llama, Mistral, Qwen and Gemma have in common: rotary positions, RMS norms, grouped-query
// attention and a gated MLP. A family reads its config into a RotaryDecoder.
//
// Weights: as Hugging Face transformers name them, without the leading "model.".
// Source: Touvron et al., arXiv 2302.13971 (Llama); Ainslie et al., arXiv 2305.13245 (grouped
// queries); Su et al., arXiv 2104.09864 (rotary positions).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/torch/family.h"

namespace lingua {

struct RotaryDecoder {
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t inner = 0;  // of the MLP
  std::int64_t vocabulary = 0;
  std::int64_t labels = 0;  // 0: a language model
  std::optional<std::int64_t> pad_token;
  double epsilon = 1e-6;
  double scale = 1;            // of query times key
  double embedding_scale = 1;  // rounded to the model's dtype before it is used
  double softcap = 0;          // of the logits; 0: none
  bool query_bias = false;     // of query, key and value
  bool output_bias = false;    // of attention
  bool mlp_bias = false;
  bool query_key_norms = false;
  bool gemma_norms = false;  // factors of 1 + weight, and norms after attention and MLP as well
  bool tied = false;
  std::string activation;  // of the gate, with {} for its operand: "lingua.silu({})"
  std::vector<Rotary> rotaries;
  struct Layer {
    std::int64_t window = 0;  // how far it looks back, its own position included; 0: to the start
    std::size_t rotary = 0;   // of rotaries
  };
  std::vector<Layer> each_layer;  // `layers` of them
};

// What differs between families where a config says nothing, as in transformers.
struct DecoderDefaults {
  std::int64_t head_dim = 0;  // 0: hidden_size / num_attention_heads
  bool tied = false;
};

// The fields that all of them have but the rotary positions (rotary_parameters.h); `model` gets the
// common ones. All layers look back to the start with the first rotary, and there are no biases.
RotaryDecoder read_rotary_decoder(const ConfigFields& fields, const DecoderDefaults& defaults,
                                  FamilyModel* model);

// The layers that slide, by `layer_types` or, where that is missing, by `slides`.
// Errors: InputError for a type that is neither full_attention nor sliding_attention.
std::vector<bool> read_sliding_layers(const ConfigFields& fields, std::int64_t layers,
                                      const std::vector<bool>& slides);

// Refuses an activation of the MLP's gate that is not `only`.
void expect_activation(const ConfigFields& fields, const std::string& field, const char* only);

// The config of a custom model, without its sizes.
nlohmann::json custom_decoder(const char* model_type, const char* architecture);

// Sizes of custom models.
std::vector<CustomSize> decoder_sizes();

void write_rotary_decoder(ScriptWriter& writer, const RotaryDecoder& decoder);

}  // namespace lingua
