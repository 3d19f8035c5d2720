#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/common_tokenizer.h"
#include "runtime/text/json_field.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// An object; empty when there is no such file.
json read_object(const fs::path& path) {
  if (!fs::exists(path)) return json::object();
  json value = parse_json(read_file(path), path.string(), 64);
  if (!value.is_object()) {
    throw InputError(fmt::format("{}: is not a JSON object", path.string()));
  }
  return value;
}

// "<s>" or {"content": "<s>", ...}.
std::optional<std::string> token_text(const JsonField& field) {
  if (!field.exists()) return std::nullopt;
  return field.value().is_object() ? field["content"].text() : field.text();
}

void read_ids(const JsonField& field, std::vector<TokenId>& ids) {
  if (!field.exists() || !ids.empty()) return;
  if (field.value().is_array()) {
    for (const JsonField& id : field.items()) ids.push_back(id.whole());
  } else {
    ids.push_back(field.whole());
  }
}

// One template, or several by name, of which "default" is the one for conversations.
std::string read_template(const JsonField& field) {
  if (!field.exists()) return "";
  if (field.value().is_string()) return field.text();
  std::string chosen;
  for (const JsonField& item : field.items()) {
    const std::string text = item["template"].text();
    if (chosen.empty() || item["name"].text() == "default") chosen = text;
  }
  return chosen;
}

std::optional<bool> read_flag(const JsonField& field) {
  if (!field.exists()) return std::nullopt;
  return field.flag(false);
}

void read_tokenizer_config(const fs::path& folder, TokenizerSettings& settings) {
  const fs::path path = folder / "tokenizer_config.json";
  const json file = read_object(path);
  const JsonField root(file, path.string() + ": ");
  settings.bos = token_text(root["bos_token"]);
  settings.eos = token_text(root["eos_token"]);
  settings.add_bos = read_flag(root["add_bos_token"]);
  settings.add_eos = read_flag(root["add_eos_token"]);
  settings.chat_template = read_template(root["chat_template"]);
  const JsonField added = root["added_tokens_decoder"];
  if (!added.exists()) return;
  if (!added.value().is_object()) added.refuse("an object from id to token is accepted");
  for (const auto& [key, value] : added.value().items()) {
    const JsonField field(value, fmt::format("{}[{}]", added.where(), lingua::quoted(key)));
    std::int64_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || id < 0) {
      field.refuse("a number from 0 up is accepted as id");
    }
    settings.added.push_back({field["content"].text(), id, field["special"].flag(false),
                              field["single_word"].flag(false), field["lstrip"].flag(false),
                              field["rstrip"].flag(false), field["normalized"].flag(true)});
  }
}

// Older folders: {"<|im_end|>": 32000}.
void read_added_tokens(const fs::path& folder, TokenizerSettings& settings) {
  const fs::path path = folder / "added_tokens.json";
  const json file = read_object(path);
  for (const auto& [content, value] : file.items()) {
    const TokenId id =
        JsonField(value, fmt::format("{}: {}", path.string(), lingua::quoted(content))).whole();
    const auto same = [&, text = content](const AddedToken& token) {
      return token.content == text;
    };
    if (std::none_of(settings.added.begin(), settings.added.end(), same)) {
      settings.added.push_back({content, id});
    }
  }
}

}  // namespace

TokenizerSettings read_tokenizer_settings(const fs::path& folder) {
  TokenizerSettings settings;
  read_tokenizer_config(folder, settings);
  read_added_tokens(folder, settings);

  const json special = read_object(folder / "special_tokens_map.json");
  const JsonField names(special, (folder / "special_tokens_map.json").string() + ": ");
  if (!settings.bos) settings.bos = token_text(names["bos_token"]);
  if (!settings.eos) settings.eos = token_text(names["eos_token"]);

  const json generation = read_object(folder / "generation_config.json");
  const JsonField generates(generation, (folder / "generation_config.json").string() + ": ");
  const json config = read_object(folder / "config.json");
  const JsonField model(config, (folder / "config.json").string() + ": ");
  read_ids(generates["eos_token_id"], settings.stop_ids);
  read_ids(model["eos_token_id"], settings.stop_ids);
  for (const JsonField& root : {generates, model}) {
    const JsonField id = root["bos_token_id"];
    if (id.exists() && !settings.bos_id) settings.bos_id = id.whole();
  }
  const JsonField text = model["text_config"];
  const JsonField size = text.exists() ? text["vocab_size"] : model["vocab_size"];
  if (size.exists()) settings.vocabulary = size.whole();

  const fs::path jinja = folder / "chat_template.jinja";
  if (settings.chat_template.empty() && fs::exists(jinja)) {
    settings.chat_template = read_file(jinja, 1 << 20);
  }
  return settings;
}

}  // namespace lingua
