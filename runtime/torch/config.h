#pragma once
// config.json of a model folder, and the configurations that are known by name.
//
// Source: huggingface.co/bigscience/bloom-{560m,1b1,1b7,3b,7b1}, config.json.
// Errors: InputError "DIR/config.json: field ..." for anything missing, of the wrong type, out of
// range or contradictory; unknown fields are ignored, as in Hugging Face.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lingua {

struct BloomConfig {
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t vocabulary = 0;
  double epsilon = 1e-5;
  double initializer_range = 0.02;
  bool residual_after_layer_norm = false;  // apply_residual_connection_post_layernorm
  std::vector<std::int64_t> stop_tokens = {2};

  std::int64_t head_dim() const { return hidden / heads; }
  bool operator==(const BloomConfig&) const = default;
};

BloomConfig read_bloom_config(const std::filesystem::path& folder);

// The config.json that read_bloom_config reads back; `dtype` is that of the weights.
std::string bloom_config_json(const BloomConfig& config, const std::string& dtype);

// Names of the published configurations.
const std::vector<std::string>& published_bloom_models();

// "bloom-560m", "bigscience/bloom-560m", or a custom size
// "bloom:hidden=64,layers=4,heads=4,vocabulary=256"; nothing for any other text.
// Errors: UsageError for a custom size with a field that is missing, unknown, twice or out of
// range.
std::optional<BloomConfig> named_bloom_config(const std::string& name);

}  // namespace lingua
