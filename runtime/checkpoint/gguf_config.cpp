#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/gguf_architecture.h"
#include "runtime/checkpoint/gguf_model.h"

namespace lingua {

using nlohmann::json;

namespace {

constexpr std::int64_t kMaxSize = 1 << 24;
constexpr std::int64_t kMaxLayers = 1000;
constexpr std::int64_t kMaxPositions = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxHeadDim = 4096;
// What llama.cpp takes for a Gemma 3 when the file does not say.
constexpr double kGemmaLocalTheta = 10000;
constexpr std::int64_t kGemmaPattern = 6;
constexpr std::int64_t kGemma27bLayers = 62;

// The numbers of the metadata, checked.
class Metadata {
 public:
  Metadata(const Gguf& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  const Gguf& file() const { return file_; }

  // A key of the architecture when it begins with a dot.
  std::string full(const std::string& key) const { return key[0] == '.' ? prefix_ + key : key; }
  const Gguf::Value* find(const std::string& key) const { return file_.find_value(full(key)); }

  [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
    throw InputError(fmt::format("{}: metadata key '{}': {}", file_.path(), full(key), why));
  }

  std::int64_t integer(const std::string& key, std::int64_t low, std::int64_t high) const {
    const auto value = file_.value<std::int64_t>(full(key));
    if (value < low || value > high) {
      refuse(key, fmt::format("{} is not an integer from {} to {}", value, low, high));
    }
    return value;
  }
  std::int64_t integer(const std::string& key, std::int64_t low, std::int64_t high,
                       std::int64_t otherwise) const {
    return find(key) == nullptr ? otherwise : integer(key, low, high);
  }

  // The same of a key that may have a list with an entry for each layer, all equal.
  std::int64_t integer_of_layers(const std::string& key, std::int64_t low, std::int64_t high,
                                 std::int64_t layers) const {
    const Gguf::Value* value = find(key);
    const auto* list = value != nullptr ? std::get_if<std::vector<std::int64_t>>(value) : nullptr;
    if (list == nullptr) return integer(key, low, high);
    if (list->size() != static_cast<std::size_t>(layers)) {
      refuse(key, fmt::format("has {} entries for {} layers", list->size(), layers));
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
      if ((*list)[i] != list->front()) {
        refuse(key, fmt::format("has {} for layer 0 and {} for layer {}; layers of different "
                                "sizes are not supported",
                                list->front(), (*list)[i], i));
      }
    }
    if (list->front() < low || list->front() > high) {
      refuse(key, fmt::format("{} is not an integer from {} to {}", list->front(), low, high));
    }
    return list->front();
  }

  // Stored as float32 it is the shortest decimal that gives it: 1e-06, not 9.99999997e-07.
  double number(const std::string& key, double low, double high) const {
    const Gguf::Value* value = find(key);
    const auto* whole = value != nullptr ? std::get_if<std::int64_t>(value) : nullptr;
    const double given =
        whole != nullptr ? static_cast<double>(*whole) : file_.value<double>(full(key));
    if (!(given > low && given <= high)) {
      refuse(key, fmt::format("{} is not a number above {} and at most {}", given, low, high));
    }
    const auto narrow = static_cast<float>(given);
    return double{narrow} == given ? std::strtod(fmt::format("{}", narrow).c_str(), nullptr)
                                   : given;
  }
  double number(const std::string& key, double low, double high, double otherwise) const {
    return find(key) == nullptr ? otherwise : number(key, low, high);
  }

  // True when the key is there and is neither 0 nor false.
  bool is_set(const std::string& key) const {
    const Gguf::Value* value = find(key);
    if (value == nullptr) return false;
    if (const auto* truth = std::get_if<bool>(value); truth != nullptr) return *truth;
    if (const auto* whole = std::get_if<std::int64_t>(value); whole != nullptr) return *whole != 0;
    return file_.value<double>(full(key)) != 0;
  }

 private:
  const Gguf& file_;
  std::string prefix_;
};

json embedding_shape(const Metadata& data, std::int64_t hidden) {
  const WeightSpec* embedding = data.file().find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2 || embedding->shape[1] != hidden ||
      embedding->shape[0] < 1 || embedding->shape[0] > kMaxSize) {
    throw InputError(
        fmt::format("{}: tensor 'token_embd.weight' is missing or not a matrix of tokens x {}",
                    data.file().path(), hidden));
  }
  return embedding->shape[0];
}

void add_tokens(const Metadata& data, json* config) {
  const std::int64_t last = config->at("vocab_size").get<std::int64_t>() - 1;
  std::vector<std::int64_t> stops;
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    if (data.find(key) == nullptr) continue;
    const std::int64_t token = data.integer(key, 0, last);
    if (std::find(stops.begin(), stops.end(), token) == stops.end()) stops.push_back(token);
  }
  if (stops.size() == 1) (*config)["eos_token_id"] = stops[0];
  if (stops.size() > 1) (*config)["eos_token_id"] = stops;
  if (data.find("tokenizer.ggml.bos_token_id") != nullptr) {
    (*config)["bos_token_id"] = data.integer("tokenizer.ggml.bos_token_id", 0, last);
  }
}

// The factors of Llama 3's long context, with the constants that all its models have: a file holds
// only the result, one divisor for each frequency.
std::vector<double> llama3_divisors(double theta, std::int64_t head_dim, const json& scaling) {
  const double factor = scaling.at("factor");
  const double low = scaling.at("low_freq_factor");
  const double high = scaling.at("high_freq_factor");
  const double context = scaling.at("original_max_position_embeddings");
  std::vector<double> divisors;
  for (std::int64_t i = 0; i < head_dim; i += 2) {
    const double exponent = static_cast<double>(i) / static_cast<double>(head_dim);
    const double turns = context / (2 * std::numbers::pi * std::pow(theta, exponent));
    const double share = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    divisors.push_back(1 / ((1 - share) / factor + share));
  }
  return divisors;
}

json llama3_scaling(const Metadata& data, double theta, std::int64_t head_dim) {
  const Gguf& file = data.file();
  const WeightSpec& spec = *file.find("rope_freqs.weight");
  const auto refuse = [&](const std::string& why) {
    throw InputError(fmt::format("{}: tensor 'rope_freqs.weight' {}", file.path(), why));
  };
  if (spec.dtype != DType::kFloat32 || spec.shape != std::vector<std::int64_t>{head_dim / 2}) {
    refuse(fmt::format("is not a list of {} numbers in float32", head_dim / 2));
  }
  std::vector<float> stored(static_cast<std::size_t>(head_dim / 2));
  file.read(spec.name, 0, spec.bytes(), reinterpret_cast<std::byte*>(stored.data()));
  const float factor = stored.back();
  if (factor == 1 && std::count(stored.begin(), stored.end(), 1.0F) == head_dim / 2) return nullptr;
  json scaling = {{"rope_type", "llama3"},
                  {"factor", factor},
                  {"low_freq_factor", 1.0},
                  {"high_freq_factor", 4.0},
                  {"original_max_position_embeddings", 8192}};
  const std::vector<double> expected = llama3_divisors(theta, head_dim, scaling);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!(std::abs(stored[i] - expected[i]) <= 1e-3 * expected[i])) {
      refuse(
          fmt::format("has {} at place {}, where Llama 3's scaling by {} gives {:.6g}; other "
                      "scalings are not supported",
                      stored[i], i, factor, expected[i]));
    }
  }
  return scaling;
}

// With what llama.cpp's yarn has when a file says no more; the rest is refused.
json yarn_scaling(const Metadata& data) {
  const std::pair<const char*, double> fixed[] = {{".rope.scaling.attn_factor", 1},
                                                  {".rope.scaling.yarn_attn_factor", 1},
                                                  {".rope.scaling.yarn_ext_factor", 1},
                                                  {".rope.scaling.yarn_log_multiplier", 0}};
  for (const auto& [key, only] : fixed) {
    const double value = data.find(key) == nullptr ? only : data.number(key, -1e9, 1e9);
    if (value != only) data.refuse(key, fmt::format("{} is not supported; {} is", value, only));
  }
  json scaling = {{"rope_type", "yarn"}, {"factor", data.number(".rope.scaling.factor", 0, 1e6)}};
  constexpr const char* kContext = ".rope.scaling.original_context_length";
  if (data.is_set(kContext)) {
    scaling["original_max_position_embeddings"] = data.integer(kContext, 1, kMaxPositions);
  }
  for (const char* field : {"beta_fast", "beta_slow"}) {
    const std::string key = fmt::format(".rope.scaling.yarn_{}", field);
    if (data.find(key) != nullptr) scaling[field] = data.number(key, 0, 1e6);
  }
  return scaling;
}

json rope_scaling(const Metadata& data, double theta, std::int64_t head_dim) {
  std::string type = "linear";
  if (data.find(".rope.scaling.type") != nullptr) {
    type = data.file().value<std::string>(data.full(".rope.scaling.type"));
  }
  // llama.cpp stretches both kinds of Gemma 3's layers by yarn; no config does.
  const bool yarn = type == "yarn" && data.full(".") != "gemma3.";
  if (type != "linear" && type != "none" && !yarn) {
    data.refuse(
        ".rope.scaling.type",
        fmt::format("'{}' is not supported; 'none', 'linear' and (not for gemma3) 'yarn' are",
                    type.substr(0, 40)));
  }
  if (yarn && data.file().find("rope_freqs.weight") == nullptr) return yarn_scaling(data);
  const char* key =
      data.find(".rope.scaling.factor") != nullptr ? ".rope.scaling.factor" : ".rope.scale_linear";
  const double factor = data.is_set(key) && type != "none" ? data.number(key, 0, 1e6) : 1;
  const bool stored = data.file().find("rope_freqs.weight") != nullptr;
  if (factor == 1) return stored ? llama3_scaling(data, theta, head_dim) : json(nullptr);
  if (stored) data.refuse(key, "contradicts the tensor 'rope_freqs.weight'; one of both is read");
  return {{"rope_type", "linear"}, {"factor", factor}};
}

void add_gemma(const Metadata& data, json* config) {
  const std::int64_t layers = config->at("num_hidden_layers");
  const std::int64_t heads = config->at("num_attention_heads");
  const std::int64_t hidden = config->at("hidden_size");
  const std::int64_t context = config->at("max_position_embeddings");
  const bool windowed = data.is_set(".attention.sliding_window");
  constexpr const char* kPattern = ".attention.sliding_window_pattern";
  const Gguf::Value* pattern = data.find(kPattern);
  const auto* listed = pattern != nullptr ? std::get_if<std::vector<bool>>(pattern) : nullptr;
  if (listed != nullptr && listed->size() != static_cast<std::size_t>(layers)) {
    data.refuse(kPattern, fmt::format("has {} entries for {} layers", listed->size(), layers));
  }
  const std::int64_t period =
      listed != nullptr ? 1 : data.integer(kPattern, 1, kMaxLayers, kGemmaPattern);
  json types = json::array();
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool slides =
        listed != nullptr ? (*listed)[static_cast<std::size_t>(i)] : (i + 1) % period != 0;
    types.push_back(windowed && slides ? "sliding_attention" : "full_attention");
  }
  (*config)["layer_types"] = types;
  (*config)["sliding_window"] =
      windowed ? data.integer(".attention.sliding_window", 1, kMaxPositions) : context;
  (*config)["rope_local_base_freq"] = data.number(".rope.freq_base_swa", 0, 1e12, kGemmaLocalTheta);
  (*config)["query_pre_attn_scalar"] =
      layers == kGemma27bLayers ? json(hidden / heads) : config->at("head_dim");
  (*config)["attn_logit_softcapping"] = nullptr;
  (*config)["final_logit_softcapping"] = nullptr;
  if (data.is_set(".final_logit_softcapping")) {
    (*config)["final_logit_softcapping"] = data.number(".final_logit_softcapping", 0, 1e6);
  }
}

}  // namespace

json config_of(const Gguf& file) {
  const GgufArchitecture& architecture = architecture_of(file);
  const Metadata data(file, architecture.name);
  if (data.is_set(".expert_count")) {
    data.refuse(".expert_count", "mixtures of experts are not supported");
  }
  const std::int64_t hidden = data.integer(".embedding_length", 1, kMaxSize);
  const std::int64_t layers = data.integer(".block_count", 1, kMaxLayers);
  const std::int64_t heads = data.integer_of_layers(".attention.head_count", 1, hidden, layers);
  const std::int64_t head_dim =
      data.integer(".attention.key_length", 2, kMaxHeadDim, std::max(hidden / heads, INT64_C(2)));
  for (const char* key :
       {".attention.key_length", ".attention.value_length", ".rope.dimension_count"}) {
    const std::int64_t other = data.integer(key, 0, kMaxSize, head_dim);
    if (other != head_dim || head_dim % 2 != 0 || head_dim > kMaxHeadDim) {
      data.refuse(key, fmt::format("{} is not supported; an even number, the same for keys, values "
                                   "and rotation (here {}), is",
                                   other, head_dim));
    }
  }
  constexpr const char* kKeyHeads = ".attention.head_count_kv";
  const double theta = data.number(".rope.freq_base", 0, 1e12, 10000);
  json config = {
      {"architectures", {architecture.class_name}},
      {"model_type", architecture.model_type},
      {"vocab_size", embedding_shape(data, hidden)},
      {"hidden_size", hidden},
      {"intermediate_size", data.integer_of_layers(".feed_forward_length", 1, kMaxSize, layers)},
      {"num_hidden_layers", layers},
      {"num_attention_heads", heads},
      {"num_key_value_heads", data.find(kKeyHeads) == nullptr
                                  ? heads
                                  : data.integer_of_layers(kKeyHeads, 1, heads, layers)},
      {"head_dim", head_dim},
      {"max_position_embeddings", data.integer(".context_length", 1, kMaxPositions)},
      {"rms_norm_eps", data.number(".attention.layer_norm_rms_epsilon", 0, 1)},
      {"rope_theta", theta},
      {"rope_scaling", rope_scaling(data, theta, head_dim)},
      {"tie_word_embeddings", file.find("output.weight") == nullptr},
      {architecture.norms_shifted ? "hidden_activation" : "hidden_act", architecture.activation},
  };
  add_tokens(data, &config);
  const std::string name = architecture.name;
  if (name != "qwen2") {  // its biases are fixed
    config["attention_bias"] =
        file.find("blk.0.attn_q.bias") != nullptr || file.find("blk.0.attn_output.bias") != nullptr;
  }
  if (name == "llama") config["mlp_bias"] = file.find("blk.0.ffn_up.bias") != nullptr;
  if (name == "qwen2" || name == "qwen3") config["use_sliding_window"] = false;
  if (name == "gemma3") add_gemma(data, &config);
  return config;
}

}  // namespace lingua
