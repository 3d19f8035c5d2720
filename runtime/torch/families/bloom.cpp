#include "runtime/torch/families/bloom.h"

#include <fmt/ranges.h>

#include <array>
#include <bit>
#include <cmath>

namespace lingua {

using nlohmann::json;

namespace {

struct BloomConfig {
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t vocabulary = 0;
  std::int64_t labels = 0;  // 0: a language model
  std::optional<std::int64_t> pad_token;
  double epsilon = 1e-5;
  bool residual_after_layer_norm = false;

  std::int64_t head_dim() const { return hidden / heads; }
};

// The fused weight holds query, key and value of head 0, then those of head 1, and so on.
void write_attention(ScriptWriter& w, const BloomConfig& c, std::int64_t layer) {
  const std::string module = fmt::format("h.{}.self_attention.", layer);
  w.line("qkv = {}.view([new_tokens, {}, 3, {}]).permute([2, 1, 0, 3])",
         w.linear("norm", module + "query_key_value", {c.hidden, 3 * c.hidden, true}), c.heads,
         c.head_dim());
  w.attention({layer, c.heads, c.head_dim(), 1.0 / std::sqrt(static_cast<double>(c.head_dim()))},
              "qkv[0]", "qkv[1]", "qkv[2]", "slopes");
}

void write_block(ScriptWriter& w, const BloomConfig& c, std::int64_t layer) {
  const std::string h = fmt::format("h.{}.", layer);
  const char* residual = c.residual_after_layer_norm ? "norm" : "x";
  w.line("norm = {}", w.layer_norm("x", h + "input_layernorm", c.hidden, c.epsilon));
  write_attention(w, c, layer);
  w.line("x = {} + {}", w.linear("context", h + "self_attention.dense", {c.hidden, c.hidden, true}),
         residual);
  w.line("norm = {}", w.layer_norm("x", h + "post_attention_layernorm", c.hidden, c.epsilon));
  w.line("inner = lingua.gelu({})",
         w.linear("norm", h + "mlp.dense_h_to_4h", {c.hidden, 4 * c.hidden, true}));
  w.line("x = {} + {}", w.linear("inner", h + "mlp.dense_4h_to_h", {4 * c.hidden, c.hidden, true}),
         residual);
}

void write_bloom(ScriptWriter& w, const BloomConfig& c) {
  w.positions();
  w.line("slopes = torch.tensor([{:#.9g}])", fmt::join(bloom_alibi_slopes(c.heads), ", "));
  w.line("x = {}", w.embedding("tokens", "word_embeddings", c.vocabulary, c.hidden));
  w.line("x = {}", w.layer_norm("x", "word_embeddings_layernorm", c.hidden, c.epsilon));
  for (std::int64_t layer = 0; layer < c.layers; ++layer) write_block(w, c, layer);
  w.keep_needed_positions(c.pad_token);
  w.line("x = {}", w.layer_norm("x", "ln_f", c.hidden, c.epsilon));
  w.line("logits = {}", c.labels > 0 ? w.linear("x", "score", {c.hidden, c.labels, false})
                                     : w.head("x", "word_embeddings", c.hidden, c.vocabulary));
  w.finish(0);
}

FamilyModel read_bloom(const ConfigFields& fields) {
  FamilyModel model;
  BloomConfig c;
  c.hidden = fields.integer("hidden_size", "n_embed", kMaxHidden);
  c.layers = fields.integer("n_layer", "num_hidden_layers", kMaxLayers);
  c.heads = fields.integer("n_head", "num_attention_heads", kMaxHidden);
  c.vocabulary = fields.integer("vocab_size", kMaxVocabulary);
  c.epsilon = fields.number("layer_norm_epsilon", 0, 1);
  c.residual_after_layer_norm = fields.boolean("apply_residual_connection_post_layernorm", false);
  if (c.hidden % c.heads != 0) {
    fields.refuse("hidden_size",
                  fmt::format("hidden size {} is not a multiple of the number of heads {}",
                              c.hidden, c.heads));
  }
  fields.expect("tie_word_embeddings", true, "BLOOM ties lm_head to its embedding");
  fields.expect("n_inner", 4 * c.hidden,
                fmt::format("null or 4 x hidden_size = {} is", 4 * c.hidden));
  read_common_fields(fields, c.vocabulary, &model);
  c.labels = static_cast<std::int64_t>(model.labels.size());
  c.pad_token = model.pad_token;
  model.hidden = c.hidden;
  model.layers = c.layers;
  model.inner = 4 * c.hidden;
  model.embedding_scale = 1 / model.initializer_range;
  model.prefixes = {"", "transformer."};
  model.write = [c](ScriptWriter& writer) { write_bloom(writer, c); };
  return model;
}

std::vector<PublishedModel> published() {
  struct Row {
    const char* name;
    std::int64_t hidden;
    std::int64_t layers;
    std::int64_t heads;
  };
  constexpr std::array kRows = {Row{"bloom-560m", 1024, 24, 16}, Row{"bloom-1b1", 1536, 24, 16},
                                Row{"bloom-1b7", 2048, 24, 16}, Row{"bloom-3b", 2560, 30, 32},
                                Row{"bloom-7b1", 4096, 30, 32}};
  std::vector<PublishedModel> models;
  for (const Row& row : kRows) {
    json config = bloom_family().custom;
    config.update({{"hidden_size", row.hidden},
                   {"n_layer", row.layers},
                   {"n_head", row.heads},
                   {"vocab_size", 250880}});
    models.push_back({row.name, std::string("bigscience/") + row.name, std::move(config)});
  }
  return models;
}

}  // namespace

std::vector<float> bloom_alibi_slopes(std::int64_t heads) {
  const auto power_of_two =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(heads)));
  const auto base = [](std::int64_t count) {  // 2^(-8 / count)
    return static_cast<float>(
        std::pow(2.0, -std::pow(2.0, 3.0 - std::log2(static_cast<double>(count)))));
  };
  std::vector<float> slopes;
  for (std::int64_t i = 1; i <= power_of_two; ++i) {
    slopes.push_back(std::pow(base(power_of_two), static_cast<float>(i)));
  }
  for (std::int64_t i = 1; static_cast<std::int64_t>(slopes.size()) < heads; i += 2) {
    slopes.push_back(std::pow(base(2 * power_of_two), static_cast<float>(i)));
  }
  return slopes;
}

const Family& bloom_family() {
  static const Family family = {
      .name = "bloom",
      .model_types = {"bloom"},
      .architectures = {"BloomForCausalLM", "BloomModel", "BloomForSequenceClassification"},
      .read = read_bloom,
      .published = published,
      .custom = {{"architectures", {"BloomForCausalLM"}},
                 {"model_type", "bloom"},
                 {"layer_norm_epsilon", 1e-5},
                 {"initializer_range", 0.02},
                 {"apply_residual_connection_post_layernorm", false},
                 {"tie_word_embeddings", true},
                 {"eos_token_id", 2}},
      .sizes = {{"hidden", "hidden_size", kMaxHidden},
                {"layers", "n_layer", kMaxLayers},
                {"heads", "n_head", kMaxHidden},
                {"vocabulary", "vocab_size", kMaxVocabulary}},
      .example = "bloom:hidden=64,layers=4,heads=4,vocabulary=256",
  };
  return family;
}

}  // namespace lingua
