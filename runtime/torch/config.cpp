#include "runtime/torch/config.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"

namespace lingua {

using nlohmann::json;

namespace {

constexpr std::int64_t kMaxHidden = 1 << 17;
constexpr std::int64_t kMaxLayers = 1000;
constexpr std::int64_t kMaxVocabulary = 1 << 24;
constexpr std::uint64_t kMaxConfigBytes = 1 << 20;
constexpr int kMaxConfigDepth = 16;
constexpr std::int64_t kBloomVocabulary = 250880;

struct Published {
  const char* name;
  std::int64_t hidden;
  std::int64_t layers;
  std::int64_t heads;
};

constexpr std::array kPublished = {
    Published{"bloom-560m", 1024, 24, 16}, Published{"bloom-1b1", 1536, 24, 16},
    Published{"bloom-1b7", 2048, 24, 16},  Published{"bloom-3b", 2560, 30, 32},
    Published{"bloom-7b1", 4096, 30, 32},
};

// The fields of one config.json, each asked for by the names it goes by.
class Fields {
 public:
  Fields(json values, std::string origin)
      : values_(std::move(values)), origin_(std::move(origin)) {}

  [[noreturn]] void refuse(const std::string& field, const std::string& why) const {
    throw InputError(fmt::format("{}: field '{}': {}", origin_, field, why));
  }

  const json* find(const std::string& field) const {
    const auto it = values_.find(field);
    return it == values_.end() || it->is_null() ? nullptr : &*it;
  }

  std::int64_t integer(const std::string& field, const json& value, std::int64_t low,
                       std::int64_t high) const {
    const bool fits =
        value.is_number_integer() &&
        !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t(high)) &&
        value.get<std::int64_t>() >= low && value.get<std::int64_t>() <= high;
    if (!fits) {
      refuse(field, fmt::format("{} is not an integer from {} to {}", shown(value), low, high));
    }
    return value.get<std::int64_t>();
  }

  // One integer that may stand under two names, which must then agree.
  std::int64_t integer(const std::string& field, const std::string& other,
                       std::int64_t high) const {
    const json* a = find(field);
    const json* b = other.empty() ? nullptr : find(other);
    if (a == nullptr && b == nullptr) {
      const std::string names = other.empty() ? "" : fmt::format(" (or '{}')", other);
      refuse(field, fmt::format("is missing{}; an integer from 1 to {} is needed", names, high));
    }
    const std::int64_t first = a ? integer(field, *a, 1, high) : integer(other, *b, 1, high);
    const std::int64_t second = b ? integer(other, *b, 1, high) : first;
    if (first != second) {
      refuse(field, fmt::format("{} contradicts field '{}': {}", first, other, second));
    }
    return first;
  }

  double number(const std::string& field, double low, double high) const {
    const json* value = find(field);
    const std::string range = fmt::format("a number above {} and at most {}", low, high);
    if (value == nullptr) refuse(field, fmt::format("is missing; {} is needed", range));
    if (!value->is_number() || !(value->get<double>() > low && value->get<double>() <= high)) {
      refuse(field, fmt::format("{} is not {}", shown(*value), range));
    }
    return value->get<double>();
  }

  bool boolean(const std::string& field, bool otherwise) const {
    const json* value = find(field);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) refuse(field, fmt::format("{} is not true or false", shown(*value)));
    return value->get<bool>();
  }

  static std::string shown(const json& value) {
    std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    return text.size() <= 80 ? text : text.substr(0, 77) + "...";
  }

 private:
  json values_;
  std::string origin_;
};

void check_family(const Fields& fields) {
  constexpr const char* kSupported =
      "supported are BloomForCausalLM and BloomModel (model_type bloom)";
  const json* type = fields.find("model_type");
  const json* architectures = fields.find("architectures");
  if (type == nullptr && architectures == nullptr) {
    fields.refuse("model_type", fmt::format("is missing, and 'architectures' too; {}", kSupported));
  }
  if (type != nullptr && *type != "bloom") {
    fields.refuse("model_type",
                  fmt::format("{} is not supported; {}", Fields::shown(*type), kSupported));
  }
  if (architectures == nullptr) return;
  const bool known =
      architectures->is_array() && architectures->size() == 1 &&
      ((*architectures)[0] == "BloomForCausalLM" || (*architectures)[0] == "BloomModel");
  if (!known) {
    fields.refuse("architectures", fmt::format("{} is not supported; {}",
                                               Fields::shown(*architectures), kSupported));
  }
}

std::vector<std::int64_t> read_stop_tokens(const Fields& fields, std::int64_t vocabulary) {
  const json* value = fields.find("eos_token_id");
  if (value == nullptr) return {};
  if (!value->is_array()) return {fields.integer("eos_token_id", *value, 0, vocabulary - 1)};
  std::vector<std::int64_t> tokens;
  for (const json& token : *value) {
    tokens.push_back(fields.integer("eos_token_id", token, 0, vocabulary - 1));
  }
  return tokens;
}

// Why the sizes cannot be those of a model; empty when they can.
std::string contradiction(const BloomConfig& config) {
  if (config.hidden % config.heads == 0) return "";
  return fmt::format("hidden size {} is not a multiple of the number of heads {}", config.hidden,
                     config.heads);
}

BloomConfig custom_config(const std::string& name, const std::string& sizes) {
  BloomConfig config;
  config.heads = 0;
  struct Field {
    const char* name;
    std::int64_t* value;
    std::int64_t high;
  };
  const std::array fields = {Field{"hidden", &config.hidden, kMaxHidden},
                             Field{"layers", &config.layers, kMaxLayers},
                             Field{"heads", &config.heads, kMaxHidden},
                             Field{"vocabulary", &config.vocabulary, kMaxVocabulary}};
  const auto refuse = [&](const std::string& why) {
    throw UsageError(
        fmt::format("model '{}': {}; write it like bloom:hidden=64,layers=4,heads=4,vocabulary=256",
                    name, why));
  };
  for (std::size_t at = 0; at <= sizes.size();) {
    const std::size_t comma = std::min(sizes.find(',', at), sizes.size());
    const std::string item = sizes.substr(at, comma - at);
    at = comma + 1;
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string text = equals < item.size() ? item.substr(equals + 1) : "";
    const Field* field = nullptr;
    for (const Field& candidate : fields) {
      if (item.compare(0, equals, candidate.name) == 0) field = &candidate;
    }
    if (field == nullptr) refuse(fmt::format("'{}' is not one of its sizes", item));
    if (*field->value != 0) refuse(fmt::format("'{}' stands twice", field->name));
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, *field->value);
    if (error != std::errc() || stop != end || *field->value < 1 || *field->value > field->high) {
      refuse(fmt::format("{} '{}' is not an integer from 1 to {}", field->name, text, field->high));
    }
  }
  for (const Field& field : fields) {
    if (*field.value == 0) refuse(fmt::format("'{}' is missing", field.name));
  }
  if (const std::string why = contradiction(config); !why.empty()) refuse(why);
  if (config.vocabulary <= 2) config.stop_tokens.clear();
  return config;
}

}  // namespace

BloomConfig read_bloom_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  json values = parse_json(read_file(path, kMaxConfigBytes), path.string(), kMaxConfigDepth);
  if (!values.is_object()) throw InputError(fmt::format("{}: is not a JSON object", path.string()));
  const Fields fields(std::move(values), path.string());
  check_family(fields);
  BloomConfig config;
  config.hidden = fields.integer("hidden_size", "n_embed", kMaxHidden);
  config.layers = fields.integer("n_layer", "num_hidden_layers", kMaxLayers);
  config.heads = fields.integer("n_head", "num_attention_heads", kMaxHidden);
  config.vocabulary = fields.integer("vocab_size", "", kMaxVocabulary);
  config.epsilon = fields.number("layer_norm_epsilon", 0, 1);
  if (fields.find("initializer_range") != nullptr) {
    config.initializer_range = fields.number("initializer_range", 0, 10);
  }
  config.residual_after_layer_norm =
      fields.boolean("apply_residual_connection_post_layernorm", false);
  config.stop_tokens = read_stop_tokens(fields, config.vocabulary);
  if (const std::string why = contradiction(config); !why.empty())
    fields.refuse("hidden_size", why);
  if (!fields.boolean("tie_word_embeddings", true)) {
    fields.refuse("tie_word_embeddings",
                  "false is not supported; BLOOM ties lm_head to its embedding");
  }
  if (const json* inner = fields.find("n_inner"); inner != nullptr && *inner != 4 * config.hidden) {
    fields.refuse("n_inner", fmt::format("{} is not supported; null or 4 x hidden_size = {} is",
                                         Fields::shown(*inner), 4 * config.hidden));
  }
  return config;
}

std::string bloom_config_json(const BloomConfig& config, const std::string& dtype) {
  json values = {{"architectures", {"BloomForCausalLM"}},
                 {"model_type", "bloom"},
                 {"hidden_size", config.hidden},
                 {"n_layer", config.layers},
                 {"n_head", config.heads},
                 {"vocab_size", config.vocabulary},
                 {"layer_norm_epsilon", config.epsilon},
                 {"initializer_range", config.initializer_range},
                 {"apply_residual_connection_post_layernorm", config.residual_after_layer_norm},
                 {"tie_word_embeddings", true},
                 {"torch_dtype", dtype}};
  if (config.stop_tokens.size() == 1) values["eos_token_id"] = config.stop_tokens[0];
  if (config.stop_tokens.size() > 1) values["eos_token_id"] = config.stop_tokens;
  return values.dump(2) + "\n";
}

const std::vector<std::string>& published_bloom_models() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Published& row : kPublished) all.emplace_back(row.name);
    return all;
  }();
  return names;
}

std::optional<BloomConfig> named_bloom_config(const std::string& name) {
  constexpr std::string_view kOwner = "bigscience/";
  constexpr std::string_view kCustom = "bloom:";
  if (name.starts_with(kCustom)) return custom_config(name, name.substr(kCustom.size()));
  const std::string bare = name.starts_with(kOwner) ? name.substr(kOwner.size()) : name;
  for (const Published& row : kPublished) {
    if (bare != row.name) continue;
    BloomConfig config;
    config.hidden = row.hidden;
    config.layers = row.layers;
    config.heads = row.heads;
    config.vocabulary = kBloomVocabulary;
    return config;
  }
  return std::nullopt;
}

}  // namespace lingua
