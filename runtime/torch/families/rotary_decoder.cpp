#include "runtime/torch/families/rotary_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "runtime/base/errors.h"

namespace lingua {

using nlohmann::json;

namespace {

// A number as a tensor of the dtype would hold it.
double rounded(double value, bool bfloat16) {
  const auto narrow = static_cast<float>(value);
  if (!bfloat16) return narrow;
  const auto bits = std::bit_cast<std::uint32_t>(narrow);
  const std::uint32_t even = (bits >> 16) & 1;
  return std::bit_cast<float>((bits + 0x7fff + even) & 0xffff0000U);
}

class DecoderWriter {
 public:
  DecoderWriter(ScriptWriter& writer, const RotaryDecoder& decoder) : w_(writer), d_(decoder) {}

  void write() {
    prologue();
    for (std::int64_t layer = 0; layer < d_.layers; ++layer) block(layer);
    w_.keep_needed_positions(d_.pad_token);
    norm("x", "x", "norm", d_.hidden);
    w_.line("logits = {}", d_.labels > 0 ? w_.linear("x", "score", {d_.hidden, d_.labels, false})
                                         : w_.head("x", d_.tied ? "embed_tokens" : "lm_head",
                                                   d_.hidden, d_.vocabulary));
    w_.finish(d_.softcap);
  }

 private:
  void prologue() {
    w_.positions();
    for (const Rotary& rotary : d_.rotaries) w_.rotary_tables(rotary);
    w_.line("x = {}", w_.embedding("tokens", "embed_tokens", d_.vocabulary, d_.hidden));
    if (d_.embedding_scale != 1) {
      w_.line("x = x * {:.17g}", rounded(d_.embedding_scale, w_.is_bfloat16()));
    }
  }

  void norm(const std::string& out, const std::string& in, const std::string& module,
            std::int64_t size) {
    w_.rms_norm(out, in, module, {size, d_.epsilon, d_.gemma_norms});
  }

  void block(std::int64_t layer) {
    const std::string module = fmt::format("layers.{}.", layer);
    norm("norm", "x", module + "input_layernorm", d_.hidden);
    attention(layer, module + "self_attn.");
    if (d_.gemma_norms) norm("out", "out", module + "post_attention_layernorm", d_.hidden);
    w_.line("x = x + out");
    norm("norm", "x",
         module + (d_.gemma_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
         d_.hidden);
    mlp(module + "mlp.");
    if (d_.gemma_norms) norm("out", "out", module + "post_feedforward_layernorm", d_.hidden);
    w_.line("x = x + out");
  }

  void attention(std::int64_t layer, const std::string& module) {
    const RotaryDecoder::Layer& kind = d_.each_layer[static_cast<std::size_t>(layer)];
    const std::string& tables = d_.rotaries[kind.rotary].name;
    for (const char* name : {"q", "k", "v"}) {
      const std::string what = name;
      const std::int64_t heads = what == "q" ? d_.heads : d_.kv_heads;
      const LinearShape shape{d_.hidden, heads * d_.head_dim, d_.query_bias};
      w_.line("{} = {}.view([new_tokens, {}, {}]).transpose(0, 1)", what,
              w_.linear("norm", module + what + "_proj", shape), heads, d_.head_dim);
      if (what == "v") continue;
      if (d_.query_key_norms) norm(what, what, module + what + "_norm", d_.head_dim);
      w_.rotate(what, tables);
    }
    w_.attention({layer, d_.kv_heads, d_.head_dim, d_.scale, kind.window}, "q", "k", "v", "None");
    w_.line("out = {}", w_.linear("context", module + "o_proj",
                                  {d_.heads * d_.head_dim, d_.hidden, d_.output_bias}));
  }

  void mlp(const std::string& module) {
    const LinearShape widen{d_.hidden, d_.inner, d_.mlp_bias};
    w_.line("inner = {}", fmt::format(fmt::runtime(d_.activation),
                                      w_.linear("norm", module + "gate_proj", widen)));
    w_.line("inner = inner * {}", w_.linear("norm", module + "up_proj", widen));
    w_.line("out = {}",
            w_.linear("inner", module + "down_proj", {d_.inner, d_.hidden, d_.mlp_bias}));
  }

  ScriptWriter& w_;
  const RotaryDecoder& d_;
};

}  // namespace

std::vector<bool> read_sliding_layers(const ConfigFields& fields, std::int64_t layers,
                                      const std::vector<bool>& slides) {
  const json* types = fields.find("layer_types");
  if (types == nullptr) return slides;
  if (!types->is_array() || types->size() != static_cast<std::size_t>(layers)) {
    fields.refuse("layer_types", fmt::format("{} is not a list of one type for each of {} layers",
                                             ConfigFields::shown(*types), layers));
  }
  std::vector<bool> result;
  for (const json& type : *types) {
    if (type != "full_attention" && type != "sliding_attention") {
      fields.refuse("layer_types", fmt::format("{} is not supported; \"full_attention\" and "
                                               "\"sliding_attention\" are",
                                               ConfigFields::shown(type)));
    }
    result.push_back(type == "sliding_attention");
  }
  return result;
}

RotaryDecoder read_rotary_decoder(const ConfigFields& fields, const DecoderDefaults& defaults,
                                  FamilyModel* model) {
  RotaryDecoder d;
  d.hidden = fields.integer("hidden_size", kMaxHidden);
  d.layers = fields.integer("num_hidden_layers", kMaxLayers);
  d.heads = fields.integer("num_attention_heads", kMaxHidden);
  d.kv_heads = fields.integer("num_key_value_heads", kMaxHidden, d.heads);
  d.inner = fields.integer("intermediate_size", 4 * kMaxHidden);
  d.vocabulary = fields.integer("vocab_size", kMaxVocabulary);
  d.epsilon = fields.number("rms_norm_eps", 0, 1, 1e-6);
  d.tied = fields.boolean("tie_word_embeddings", defaults.tied);
  if (d.heads % d.kv_heads != 0) {
    fields.refuse("num_key_value_heads",
                  fmt::format("{} does not divide num_attention_heads {}", d.kv_heads, d.heads));
  }
  if (fields.find("head_dim") == nullptr && defaults.head_dim == 0 && d.hidden % d.heads != 0) {
    fields.refuse("hidden_size",
                  fmt::format("{} is not a multiple of num_attention_heads {}", d.hidden, d.heads));
  }
  const std::int64_t otherwise = defaults.head_dim > 0 ? defaults.head_dim : d.hidden / d.heads;
  d.head_dim = fields.integer("head_dim", kMaxHeadDim, std::min(otherwise, kMaxHeadDim));
  if (d.head_dim % 2 != 0) {
    fields.refuse("head_dim", fmt::format("{} is odd; rotary positions turn pairs", d.head_dim));
  }
  d.scale = 1 / std::sqrt(static_cast<double>(d.head_dim));
  read_common_fields(fields, d.vocabulary, model);
  d.labels = static_cast<std::int64_t>(model->labels.size());
  d.pad_token = model->pad_token;
  d.each_layer.resize(static_cast<std::size_t>(d.layers));
  model->hidden = d.hidden;
  model->layers = d.layers;
  model->inner = d.inner;
  model->gated = true;
  model->prefixes = {"model.", ""};
  return d;
}

void expect_activation(const ConfigFields& fields, const std::string& field, const char* only) {
  const std::string activation = fields.text(field, only);
  if (activation != only) {
    fields.refuse(field, fmt::format("{} is not supported; \"{}\" is",
                                     ConfigFields::shown(activation), only));
  }
}

nlohmann::json custom_decoder(const char* model_type, const char* architecture) {
  return {{"architectures", {architecture}},
          {"model_type", model_type},
          {"hidden_act", "silu"},
          {"initializer_range", 0.02},
          {"rms_norm_eps", 1e-6},
          {"tie_word_embeddings", false},
          {"eos_token_id", 2}};
}

std::vector<CustomSize> decoder_sizes() {
  return {{"hidden", "hidden_size", kMaxHidden},
          {"layers", "num_hidden_layers", kMaxLayers},
          {"heads", "num_attention_heads", kMaxHidden},
          {"vocabulary", "vocab_size", kMaxVocabulary},
          {"kv_heads", "num_key_value_heads", kMaxHidden, false},
          {"head_dim", "head_dim", kMaxHeadDim, false},
          {"inner", "intermediate_size", 4 * kMaxHidden, false, 3},
          {"window", "sliding_window", kMaxPositions, false}};
}

void write_rotary_decoder(ScriptWriter& writer, const RotaryDecoder& decoder) {
  LINGUA_CHECK(static_cast<std::int64_t>(decoder.each_layer.size()) == decoder.layers);
  DecoderWriter(writer, decoder).write();
}

}  // namespace lingua
