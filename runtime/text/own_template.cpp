#include "runtime/text/own_template.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/gguf.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/json_field.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                   "pad_token", "cls_token", "mask_token"};

json read_object(const fs::path& path) {
  if (!fs::exists(path)) return json::object();
  json value = parse_json(read_file(path), path.string(), 64);
  if (!value.is_object()) throw InputError(fmt::format("{}: is not a JSON object", path.string()));
  return value;
}

// "<s>", or {"content": "<s>", ...}; nothing where it is missing or empty, as in transformers.
std::optional<std::string> token_text(const JsonField& field) {
  if (!field.exists() || field.value() == false) return std::nullopt;
  std::string text = field.value().is_object() ? field["content"].text() : field.text();
  if (text.empty()) return std::nullopt;
  return text;
}

// What transformers' tokenizer classes say where the files do not.
const std::map<std::string, std::map<std::string, std::string>>& class_tokens() {
  static const std::map<std::string, std::string> kLlama = {
      {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
  static const std::map<std::string, std::string> kGemma = {{"bos_token", "<bos>"},
                                                            {"eos_token", "<eos>"},
                                                            {"unk_token", "<unk>"},
                                                            {"pad_token", "<pad>"}};
  static const std::map<std::string, std::string> kQwen = {{"eos_token", "<|endoftext|>"},
                                                           {"unk_token", "<|endoftext|>"},
                                                           {"pad_token", "<|endoftext|>"}};
  static const std::map<std::string, std::string> kGpt2 = {{"bos_token", "<|endoftext|>"},
                                                           {"eos_token", "<|endoftext|>"},
                                                           {"unk_token", "<|endoftext|>"}};
  static const std::map<std::string, std::string> kCohere = {{"bos_token", "<BOS_TOKEN>"},
                                                             {"eos_token", "<|END_OF_TURN_TOKEN|>"},
                                                             {"unk_token", "<UNK>"},
                                                             {"pad_token", "<PAD>"}};
  static const std::map<std::string, std::map<std::string, std::string>> kClasses = {
      {"LlamaTokenizer", kLlama}, {"GemmaTokenizer", kGemma},   {"Qwen2Tokenizer", kQwen},
      {"GPT2Tokenizer", kGpt2},   {"CohereTokenizer", kCohere},
  };
  return kClasses;
}

jinja::Entries folder_tokens(const fs::path& folder, const JsonField& config) {
  const json map_file = read_object(folder / "special_tokens_map.json");
  const JsonField map(map_file, (folder / "special_tokens_map.json").string() + ": ");
  std::string kind = config["tokenizer_class"].text("");
  if (kind.ends_with("Fast")) kind.resize(kind.size() - 4);
  const auto known = class_tokens().find(kind);
  jinja::Entries tokens;
  for (const char* name : kTokens) {
    std::optional<std::string> text = token_text(config[name]);
    const bool said = config.value().contains(name);
    if (!text && !said) text = token_text(map[name]);
    if (!text && !said && known != class_tokens().end() && known->second.contains(name)) {
      text = known->second.at(name);
    }
    if (text) tokens.emplace_back(jinja::Value(name), jinja::Value(*text));
  }
  JsonField more = config["additional_special_tokens"];
  if (!more.exists()) more = map["additional_special_tokens"];
  if (more.exists()) {
    jinja::List all;
    for (const JsonField& one : more.items()) {
      if (const auto text = token_text(one)) all.emplace_back(*text);
    }
    if (!all.empty()) {
      tokens.emplace_back("additional_special_tokens", jinja::Value::list(std::move(all)));
    }
  }
  return tokens;
}

// A text, or [{"name": "default", "template": ...}, ...], or {"default": ...}.
std::string chosen_template(const JsonField& field) {
  if (field.value().is_string()) return field.text();
  if (field.value().is_object()) return field["default"].text();
  std::string names;
  for (const JsonField& item : field.items()) {
    const std::string name = item["name"].text();
    if (name == "default") return item["template"].text();
    names += (names.empty() ? "" : ", ") + name;
  }
  throw InputError(fmt::format("{} has the templates {}; one of the name default is accepted",
                               field.where(), lingua::quoted(names)));
}

[[noreturn]] void refuse_none(const std::string& model, const char* where) {
  throw InputError(
      fmt::format("{}: has no chat template ({}); give the one that it was trained on by "
                  "--chat-template NAME",
                  model, where));
}

std::shared_ptr<const OwnTemplate> from_folder(const fs::path& folder) {
  const fs::path config_path = folder / "tokenizer_config.json";
  const json file = read_object(config_path);
  const JsonField config(file, config_path.string() + ": ");
  const auto make = [&](const std::string& source, const std::string& name) {
    return std::make_shared<const OwnTemplate>(
        OwnTemplate{jinja::Template(source, name), folder_tokens(folder, config)});
  };
  const fs::path jinja_path = folder / "chat_template.jinja";
  if (fs::exists(jinja_path)) return make(read_file(jinja_path, 1 << 20), jinja_path.string());
  const JsonField field = config["chat_template"];
  if (field.exists()) return make(chosen_template(field), field.where());
  const fs::path json_path = folder / "chat_template.json";
  const json other = read_object(json_path);
  const JsonField last = JsonField(other, json_path.string() + ": ")["chat_template"];
  if (last.exists()) return make(chosen_template(last), last.where());
  refuse_none(folder.string(),
              "chat_template.jinja, chat_template in tokenizer_config.json or chat_template.json");
}

std::shared_ptr<const OwnTemplate> from_gguf(const fs::path& path) {
  const Gguf file(path);
  const std::string key = "tokenizer.chat_template";
  if (file.find_value(key) == nullptr) refuse_none(path.string(), "tokenizer.chat_template");
  const auto& names = file.value<std::vector<std::string>>("tokenizer.ggml.tokens");
  static const std::map<std::string, std::string> kIds = {
      {"bos_token", "bos"},       {"eos_token", "eos"},     {"unk_token", "unknown"},
      {"sep_token", "seperator"}, {"pad_token", "padding"}, {"mask_token", "mask"}};
  jinja::Entries tokens;
  for (const auto& [name, id_name] : kIds) {
    const std::string id_key = fmt::format("tokenizer.ggml.{}_token_id", id_name);
    if (file.find_value(id_key) == nullptr) continue;
    const auto id = file.value<std::int64_t>(id_key);
    if (id < 0 || id >= static_cast<std::int64_t>(names.size())) {
      throw InputError(fmt::format("{}: metadata key '{}' is {}; ids below {} are accepted",
                                   path.string(), id_key, id, names.size()));
    }
    tokens.emplace_back(jinja::Value(name), jinja::Value(names[static_cast<std::size_t>(id)]));
  }
  return std::make_shared<const OwnTemplate>(
      OwnTemplate{jinja::Template(file.value<std::string>(key), path.string() + ": " + key),
                  std::move(tokens)});
}

}  // namespace

std::shared_ptr<const OwnTemplate> load_own_template(const std::string& model) {
  const fs::path path(model);
  return fs::is_directory(path) ? from_folder(path) : from_gguf(path);
}

}  // namespace lingua
