#include "runtime/torch/family.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/gguf_model.h"
#include "runtime/torch/families/bloom.h"
#include "runtime/torch/families/gemma.h"
#include "runtime/torch/families/llama.h"
#include "runtime/torch/families/qwen.h"

namespace lingua {

using nlohmann::json;

namespace {

constexpr std::int64_t kMaxLabels = 10000;

// The names in one of a family's lists, of all families.
std::string supported(std::vector<std::string> Family::*names) {
  std::vector<std::string> all;
  for (const Family* family : families()) {
    all.insert(all.end(), (family->*names).begin(), (family->*names).end());
  }
  return fmt::format("supported are {}", fmt::join(all, ", "));
}

// The architecture, or "" when the config names none.
std::string architecture_of(const ConfigFields& fields) {
  const json* value = fields.find("architectures");
  if (value == nullptr) return "";
  if (!value->is_array() || value->size() != 1 || !(*value)[0].is_string()) {
    fields.refuse("architectures",
                  fmt::format("{} is not a list of one name; {}", ConfigFields::shown(*value),
                              supported(&Family::architectures)));
  }
  return (*value)[0].get<std::string>();
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Family& find_family(const ConfigFields& fields) {
  const std::string type = fields.text("model_type", "");
  const std::string architecture = architecture_of(fields);
  if (type.empty() && architecture.empty()) {
    fields.refuse("model_type", fmt::format("is missing, and 'architectures' too; {}",
                                            supported(&Family::model_types)));
  }
  for (const Family* family : families()) {
    if (!type.empty() && !contains(family->model_types, type)) continue;
    if (architecture.empty() || contains(family->architectures, architecture)) return *family;
    if (!type.empty()) break;
  }
  const bool known_type =
      std::any_of(families().begin(), families().end(),
                  [&](const Family* family) { return contains(family->model_types, type); });
  if (type.empty() || known_type) {
    const std::string with = known_type ? fmt::format(" with model_type \"{}\"", type) : "";
    fields.refuse("architectures",
                  fmt::format("[{}] is not supported{}; {}", ConfigFields::shown(architecture),
                              with, supported(&Family::architectures)));
  }
  fields.refuse("model_type", fmt::format("{} is not supported; {}", ConfigFields::shown(type),
                                          supported(&Family::model_types)));
}

// id2label, or LABEL_0 and so on as transformers would call them.
std::vector<std::string> read_labels(const ConfigFields& fields) {
  std::vector<std::string> labels;
  if (fields.find("id2label") == nullptr) {
    const std::int64_t count = fields.integer("num_labels", kMaxLabels, 2);
    for (std::int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
    return labels;
  }
  const ConfigFields names = fields.object("id2label");
  const std::size_t count = names.values().size();
  if (count == 0 || count > static_cast<std::size_t>(kMaxLabels)) {
    fields.refuse("id2label",
                  fmt::format("has {} labels; 1 to {} are possible", count, kMaxLabels));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string id = std::to_string(i);
    if (names.find(id) == nullptr) {
      fields.refuse("id2label", fmt::format("has {} labels, but none of \"{}\"; 0 to {} are needed",
                                            count, id, count - 1));
    }
    const std::string name = names.text(id, "");
    const bool repeats = std::find(labels.begin(), labels.end(), name) != labels.end();
    labels.push_back(repeats ? fmt::format("{} ({})", name, id) : name);
  }
  return labels;
}

// What transformers trains such a model for: models/bloom/modeling_bloom.py, loss/loss_utils.py.
ClassScore read_class_score(const ConfigFields& fields, std::size_t labels) {
  const std::string problem = fields.text("problem_type", "");
  if (problem == "multi_label_classification") return ClassScore::kEach;
  if (problem == "regression") return ClassScore::kRaw;
  if (!problem.empty() && problem != "single_label_classification") {
    fields.refuse("problem_type",
                  fmt::format("{} is not supported; \"regression\", "
                              "\"single_label_classification\" and \"multi_label_classification\" "
                              "are",
                              ConfigFields::shown(problem)));
  }
  return labels == 1 ? ClassScore::kRaw : ClassScore::kShares;
}

// -1 is what some configs write for none.
std::optional<std::int64_t> read_pad_token(const ConfigFields& fields, std::int64_t vocabulary) {
  const json* value = fields.find("pad_token_id");
  if (value == nullptr || *value == -1) return std::nullopt;
  const std::vector<std::int64_t> ids = fields.tokens("pad_token_id", vocabulary);
  if (value->is_array()) fields.refuse("pad_token_id", "is a list; one token is needed");
  return ids[0];
}

// The sizes of "hidden=64,layers=4", by their fields.
json parse_sizes(const Family& family, const std::string& name, const std::string& sizes) {
  const auto refuse = [&](const std::string& why) {
    throw UsageError(fmt::format("model '{}': {}; write it like {}", name, why, family.example));
  };
  json config = family.custom;
  std::set<std::string> given;
  for (std::size_t at = 0; at <= sizes.size();) {
    const std::size_t comma = std::min(sizes.find(',', at), sizes.size());
    const std::string item = sizes.substr(at, comma - at);
    at = comma + 1;
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string text = equals < item.size() ? item.substr(equals + 1) : "";
    const auto size = std::find_if(family.sizes.begin(), family.sizes.end(), [&](const auto& s) {
      return item.compare(0, equals, s.name) == 0;
    });
    if (size == family.sizes.end()) refuse(fmt::format("'{}' is not one of its sizes", item));
    if (!given.insert(size->name).second) refuse(fmt::format("'{}' stands twice", size->name));
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || value < 1 || value > size->high) {
      refuse(fmt::format("{} '{}' is not an integer from 1 to {}", size->name, text, size->high));
    }
    config[size->field] = value;
  }
  for (const CustomSize& size : family.sizes) {
    if (given.count(size.name) != 0) continue;
    if (size.required) refuse(fmt::format("'{}' is missing", size.name));
    if (size.times_hidden == 0) continue;
    config[size.field] = size.times_hidden * config["hidden_size"].get<std::int64_t>();
  }
  return config;
}

json custom_config(const Family& family, const std::string& name, const std::string& sizes) {
  json config = parse_sizes(family, name, sizes);
  const auto stop = config.find("eos_token_id");
  if (stop != config.end() && *stop >= config["vocab_size"]) config.erase(stop);
  try {
    read_family_model({config, fmt::format("model '{}'", name)});
  } catch (const InputError& error) {
    throw UsageError(error.what());
  }
  return config;
}

}  // namespace

const std::vector<const Family*>& families() {
  static const std::vector<const Family*> all = {&bloom_family(),   &llama_family(),
                                                 &mistral_family(), &qwen2_family(),
                                                 &qwen3_family(),   &gemma3_family()};
  return all;
}

FamilyModel read_family_model(const ConfigFields& fields) {
  const Family& family = find_family(fields);
  if (fields.find("quantization_config") != nullptr) {
    fields.refuse("quantization_config",
                  "is not supported; use the model's unquantised checkpoint (int8 is a choice at "
                  "import) or a GGUF file");
  }
  FamilyModel model = family.read(fields);
  model.family = family.name;
  return model;
}

void read_classes(const ConfigFields& fields, FamilyModel* model) {
  if (!architecture_of(fields).ends_with("ForSequenceClassification")) return;
  model->task = Task::kClassifier;
  model->labels = read_labels(fields);
  model->class_score = read_class_score(fields, model->labels.size());
}

void read_common_fields(const ConfigFields& fields, std::int64_t vocabulary, FamilyModel* model) {
  model->vocabulary = vocabulary;
  read_classes(fields, model);
  model->pad_token = read_pad_token(fields, vocabulary);
  model->stop_tokens = fields.tokens("eos_token_id", vocabulary);
  model->max_positions = fields.integer("max_position_embeddings", kMaxPositions, 0);
  model->initializer_range = fields.number("initializer_range", 0, 10, 0.02);
}

std::vector<std::string> published_configs() {
  std::vector<std::string> names;
  for (const Family* family : families()) {
    for (const PublishedModel& model : family->published()) names.push_back(model.name);
  }
  return names;
}

std::vector<std::string> custom_examples() {
  std::vector<std::string> examples;
  for (const Family* family : families()) examples.emplace_back(family->example);
  return examples;
}

std::optional<json> named_config(const std::string& name) {
  for (const Family* family : families()) {
    const std::string custom = std::string(family->name) + ':';
    if (name.starts_with(custom)) return custom_config(*family, name, name.substr(custom.size()));
    for (const PublishedModel& model : family->published()) {
      if (name == model.name || name == model.repository) return model.config;
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> known_vocabulary(const std::string& model) {
  std::error_code error;
  try {
    if (std::filesystem::is_directory(model, error)) {
      return read_family_model(read_config(model)).vocabulary;
    }
    if (Gguf::is_gguf(model)) {
      return read_family_model({config_of(Gguf(model)), model}).vocabulary;
    }
    const std::optional<json> config = named_config(model);
    if (!config) return std::nullopt;
    return read_family_model({*config, model}).vocabulary;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace lingua
