#include "runtime/text/own_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/gguf.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/json_field.h"
#include "runtime/text/tokenizer_settings.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_object(const fs::path& path) {
  if (!fs::exists(path)) return json::object();
  json value = parse_json(read_file(path), path.string(), 64);
  if (!value.is_object()) throw InputError(fmt::format("{}: is not a JSON object", path.string()));
  return value;
}

jinja::Entries folder_tokens(const fs::path& folder) {
  const TokenizerSettings settings = read_tokenizer_settings(folder);
  jinja::Entries tokens;
  for (const auto& [role, text] : settings.roles)
    tokens.emplace_back(jinja::Value(role), jinja::Value(text));
  if (!settings.additional.empty()) {
    tokens.emplace_back(
        "additional_special_tokens",
        jinja::Value::list({settings.additional.begin(), settings.additional.end()}));
  }
  return tokens;
}

// One of the templates that a model brings. Where it brings one, that is "default".
struct Source {
  std::string name;
  std::string text;
  std::string where;
};
using Sources = std::vector<Source>;

// A text, or [{"name": "default", "template": ...}, ...], or {"default": ..., ...}.
Sources sources_of(const JsonField& field) {
  if (field.value().is_string()) return {{"default", field.text(), field.where()}};
  Sources sources;
  if (field.value().is_object()) {
    for (const auto& [name, text] : field.value().items()) {
      sources.push_back({name, field[name].text(), fmt::format("{}.{}", field.where(), name)});
    }
    return sources;
  }
  for (const JsonField& item : field.items()) {
    const std::string name = item["name"].text();
    sources.push_back({name, item["template"].text(), fmt::format("{} {}", field.where(), name)});
  }
  return sources;
}

std::vector<std::string> names_of(const Sources& sources) {
  std::vector<std::string> names;
  for (const Source& one : sources) names.push_back(one.name);
  return names;
}

// The files chat_template.jinja, which is the default one, and additional_chat_templates/NAME.jinja.
Sources jinja_files(const fs::path& folder) {
  Sources sources;
  const auto add = [&](const std::string& name, const fs::path& path) {
    sources.push_back({name, read_file(path, 1 << 20), path.string()});
  };
  const fs::path first = folder / "chat_template.jinja";
  if (fs::exists(first)) add("default", first);
  const fs::path others = folder / "additional_chat_templates";
  if (!fs::is_directory(others)) return sources;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(others)) {
    if (entry.path().extension() == ".jinja") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) add(path.stem().string(), path);
  return sources;
}

Sources sources_in_folder(const fs::path& folder, const JsonField& config) {
  Sources sources = jinja_files(folder);
  if (!sources.empty()) return sources;
  if (const JsonField field = config["chat_template"]; field.exists()) return sources_of(field);
  const fs::path path = folder / "chat_template.json";
  const json file = read_object(path);
  const JsonField field = JsonField(file, path.string() + ": ")["chat_template"];
  return field.exists() ? sources_of(field) : Sources{};
}

Sources sources_in_gguf(const Gguf& file, const std::string& path) {
  const std::string key = "tokenizer.chat_template";
  Sources sources;
  for (const std::string& known : file.keys()) {
    if (known != key && !known.starts_with(key + ".")) continue;
    const std::string name = known == key ? "default" : known.substr(key.size() + 1);
    sources.push_back({name, file.value<std::string>(known), path + ": " + known});
  }
  return sources;
}

jinja::Entries gguf_tokens(const Gguf& file, const std::string& path) {
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
      throw InputError(fmt::format("{}: metadata key '{}' is {}; ids below {} are accepted", path,
                                   id_key, id, names.size()));
    }
    tokens.emplace_back(jinja::Value(name), jinja::Value(names[static_cast<std::size_t>(id)]));
  }
  return tokens;
}

const Source& chosen(const std::string& model, const Sources& sources, const std::string& name) {
  if (sources.empty()) {
    throw InputError(fmt::format(
        "{}: has no chat template ({}); give the one that it was trained on by `chat-template` "
        "NAME",
        model,
        fs::is_directory(model) ? "chat_template.jinja, chat_template in tokenizer_config.json or "
                                  "chat_template.json"
                                : "tokenizer.chat_template"));
  }
  // The last one of a name, as in transformers.
  const auto found = std::find_if(sources.rbegin(), sources.rend(),
                                  [&](const Source& one) { return one.name == name; });
  if (found != sources.rend()) return *found;
  throw InputError(fmt::format(
      "{}: has the chat templates {} and none called {}; choose by `chat-template` NAME", model,
      lingua::quoted(fmt::format("{}", fmt::join(names_of(sources), ", "))), name));
}

OwnTemplate made(const Source& source, jinja::Entries tokens) {
  return {jinja::Template(source.text, source.where), std::move(tokens)};
}

fs::path config_path(const std::string& model) { return fs::path(model) / "tokenizer_config.json"; }

}  // namespace

std::shared_ptr<const OwnTemplate> load_own_template(const std::string& model,
                                                     const std::string& name) {
  if (!fs::is_directory(model)) {
    const Gguf file(model);
    const Sources sources = sources_in_gguf(file, model);
    const Source& source = chosen(model, sources, name);
    return std::make_shared<const OwnTemplate>(made(source, gguf_tokens(file, model)));
  }
  const json file = read_object(config_path(model));
  const JsonField config(file, config_path(model).string() + ": ");
  const Sources sources = sources_in_folder(model, config);
  const Source& source = chosen(model, sources, name);
  return std::make_shared<const OwnTemplate>(made(source, folder_tokens(model)));
}

std::vector<std::string> own_template_names(const std::string& model) {
  if (!fs::is_directory(model)) return names_of(sources_in_gguf(Gguf(model), model));
  const json file = read_object(config_path(model));
  return names_of(sources_in_folder(model, JsonField(file, config_path(model).string() + ": ")));
}

}  // namespace lingua
