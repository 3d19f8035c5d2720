#include "runtime/text/tokenizer_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/json_field.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kAdditional = "additional_special_tokens";

// {"content": "<s>", "lstrip": false, ...}
AddedToken read_token(const JsonField& field, TokenId id, bool special) {
  special = field["special"].flag(special);
  return {field["content"].text(),
          id,
          special,
          field["single_word"].flag(false),
          field["lstrip"].flag(false),
          field["rstrip"].flag(false),
          field["normalized"].flag(!special)};
}

// Such an object, or its text alone.
NamedToken read_named(const JsonField& field) {
  if (field.value().is_object()) return {read_token(field, 0, true), true, true};
  return {{field.text(), 0, true}, false, true};
}

void read_ids(const JsonField& field, std::vector<TokenId>& ids) {
  if (!field.exists() || !ids.empty()) return;
  if (field.value().is_array()) {
    for (const JsonField& id : field.items()) ids.push_back(id.whole());
  } else {
    ids.push_back(field.whole());
  }
}

// A flag of a file: nothing when it is null, `otherwise` when it is not there.
std::optional<bool> read_flag(const JsonField& root, const char* name,
                              std::optional<bool> otherwise) {
  if (!root.value().contains(name)) return otherwise;
  if (!root[name].exists()) return std::nullopt;
  return root[name].flag(false);
}

// A token but for its id.
using Described = std::tuple<std::string, bool, bool, bool, bool, bool>;
Described described_as(const AddedToken& token) {
  return {token.content, token.special, token.single_word,
          token.lstrip,  token.rstrip,  token.normalized};
}

TokenId id_of(const std::string& key, const JsonField& field) {
  std::int64_t id = -1;
  const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
  if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || id < 0) {
    field.refuse("a number from 0 up is accepted as id");
  }
  return id;
}

// The tokens that a folder's files name by their role.
class NamedTokens {
 public:
  // `wraps`: the class describes the tokens that its own arguments name.
  explicit NamedTokens(bool wraps) : wraps_(wraps) {}

  // Roles that another file gave already are replaced; additional tokens come on top.
  void read(const JsonField& root) {
    for (const char* role : kRoles) {
      if (!root.value().contains(role)) continue;
      roles_[role] = {};
      if (root[role].exists()) put(role, read_named(root[role]));
    }
    if (root[kAdditional].exists()) read_list(root[kAdditional], additional_);
    const JsonField extra = root["extra_special_tokens"];
    if (extra.value().is_object()) {
      for (const auto& [role, value] : extra.value().items()) {
        extra_.push_back(read_named(extra[role]));
        extra_roles_[role] = extra_.back().token.content;
      }
    } else if (extra.exists()) {
      read_list(extra, extra_);
    }
  }

  void set_default(const char* role, const std::string& text) {
    if (!text.empty() && !roles_.contains(role)) put(role, {{text, 0, true}});
  }
  void add(const std::string& text) { additional_.push_back({{text, 0, true}}); }

  // The text of a role; nothing when it has none.
  std::optional<std::string> text(const char* role) const {
    const auto found = roles_.find(role);
    if (found == roles_.end() || found->second.empty()) return std::nullopt;
    return found->second.front().token.content;
  }

  std::map<std::string, std::string> texts() const {
    std::map<std::string, std::string> texts = extra_roles_;
    for (const char* role : kRoles)
      if (const auto said = text(role)) texts[role] = *said;
    std::erase_if(texts, [](const auto& role) { return role.second.empty(); });
    return texts;
  }
  std::vector<std::string> additional() const {
    std::vector<std::string> texts;
    for (const NamedToken& named : additional_) {
      const std::string& text = named.token.content;
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
    }
    return texts;
  }

  // Each text once.
  std::vector<NamedToken> all() const {
    std::vector<NamedToken> all;
    std::set<std::string> seen = {""};
    const auto take = [&](const std::vector<NamedToken>& tokens) {
      for (const NamedToken& named : tokens) {
        if (seen.insert(named.token.content).second) all.push_back(named);
      }
    };
    for (const char* role : kRoles) {
      if (const auto found = roles_.find(role); found != roles_.end()) take(found->second);
    }
    take(additional_);
    take(extra_);
    return all;
  }

 private:
  static constexpr const char* kRoles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                           "pad_token", "cls_token", "mask_token"};

  void put(const std::string& role, NamedToken named) {
    const bool argument = role != "sep_token" && role != "cls_token" && role != "mask_token";
    named.wrapped = wraps_ && argument;
    roles_[role] = {std::move(named)};
  }
  static void read_list(const JsonField& field, std::vector<NamedToken>& tokens) {
    for (const JsonField& item : field.items()) tokens.push_back(read_named(item));
  }

  bool wraps_;
  std::map<std::string, std::vector<NamedToken>> roles_;
  std::vector<NamedToken> additional_;
  std::vector<NamedToken> extra_;
  std::map<std::string, std::string> extra_roles_;
};

std::vector<AddedToken> read_added_decoder(const JsonField& field) {
  if (!field.value().is_object()) field.refuse("an object from id to token is accepted");
  std::map<TokenId, AddedToken> by_id;
  for (const auto& [key, value] : field.value().items()) {
    const JsonField token(value, fmt::format("{}[{}]", field.where(), lingua::quoted(key)));
    const TokenId id = id_of(key, token);
    by_id[id] = read_token(token, id, false);
  }
  std::vector<AddedToken> added;
  for (auto& [id, token] : by_id) added.push_back(std::move(token));
  return added;
}

// Older folders: {"<|im_end|>": 32000}.
std::vector<AddedToken> read_added_tokens(const fs::path& path, const NamedTokens& named) {
  const json file = read_json_object(path);
  std::set<std::string> special;
  for (const NamedToken& token : named.all()) special.insert(token.token.content);
  std::map<TokenId, AddedToken> by_id;
  for (const auto& [content, value] : file.items()) {
    const TokenId id =
        JsonField(value, fmt::format("{}: {}", path.string(), lingua::quoted(content))).whole();
    const bool is_special = special.contains(content);
    by_id[id] = {content, id, is_special, false, false, false, !is_special};
  }
  std::vector<AddedToken> added;
  for (auto& [id, token] : by_id) added.push_back(std::move(token));
  return added;
}

void read_tokenizer_config(const fs::path& folder, const JsonField& model,
                           TokenizerSettings& settings) {
  const fs::path path = folder / "tokenizer_config.json";
  const json file = read_json_object(path);
  const JsonField root(file, path.string() + ": ");
  settings.tokenizer_class =
      tokenizer_class(root["tokenizer_class"].text(model["tokenizer_class"].text("")),
                      model["model_type"].text(""));
  const TokenizerClass& kind = settings.tokenizer_class;

  NamedTokens named(kind.wraps_names);
  named.read(root);
  settings.added_is_all = root["added_tokens_decoder"].exists();
  if (settings.added_is_all) {
    settings.added = read_added_decoder(root["added_tokens_decoder"]);
  } else {
    const json map = read_json_object(folder / "special_tokens_map.json");
    named.read(JsonField(map, (folder / "special_tokens_map.json").string() + ": "));
    settings.added = read_added_tokens(folder / "added_tokens.json", named);
  }
  named.set_default("bos_token", kind.bos);
  named.set_default("eos_token", kind.eos);
  named.set_default("unk_token", kind.unknown);
  named.set_default("pad_token", kind.pad);
  for (const std::string& text : kind.additional) named.add(text);
  settings.named = named.all();
  settings.bos = named.text("bos_token");
  settings.eos = named.text("eos_token");
  settings.roles = named.texts();
  settings.additional = named.additional();

  settings.add_bos = read_flag(root, "add_bos_token", std::nullopt);
  settings.add_eos = read_flag(root, "add_eos_token", std::nullopt);
  if (kind.sets_ends) {
    const bool given = root.value().contains("add_bos_token");
    settings.add_bos = settings.add_bos.value_or(kind.adds_bos && !given);
    settings.add_eos = settings.add_eos.value_or(false);
  }
  const bool says_prefix = root.value().contains("add_prefix_space");
  settings.add_prefix_space = read_flag(
      root, "add_prefix_space", kind.keeps_prefix ? std::nullopt : std::optional<bool>(false));
  if (kind.has_legacy) {
    settings.rereads_pieces = settings.add_prefix_space.has_value();
    settings.prefixes_pieces = settings.add_prefix_space.value_or(!says_prefix);
    settings.legacy = root["legacy"].flag(true);
  } else {
    settings.prefixes_pieces = kind.prefixes_pieces;
  }
  settings.split_special_tokens = root["split_special_tokens"].flag(false);
  settings.clean_up_spaces = root["clean_up_tokenization_spaces"].flag(false);
}

}  // namespace

TokenizerSettings read_tokenizer_settings(const fs::path& folder) {
  TokenizerSettings settings;
  const json generation = read_json_object(folder / "generation_config.json");
  const JsonField generates(generation, (folder / "generation_config.json").string() + ": ");
  const json config = read_json_object(folder / "config.json");
  const JsonField model(config, (folder / "config.json").string() + ": ");
  read_tokenizer_config(folder, model, settings);
  read_ids(generates["eos_token_id"], settings.stop_ids);
  read_ids(model["eos_token_id"], settings.stop_ids);
  for (const JsonField& root : {generates, model}) {
    const JsonField id = root["bos_token_id"];
    if (id.exists() && !settings.bos_id) settings.bos_id = id.whole();
  }
  const JsonField text = model["text_config"];
  const JsonField size = text.exists() ? text["vocab_size"] : model["vocab_size"];
  if (size.exists()) settings.vocabulary = size.whole();
  return settings;
}

std::vector<AddedToken> further_tokens(const TokenizerSettings& settings,
                                       const std::vector<AddedToken>& own) {
  std::set<TokenId> own_ids;
  std::set<Described> among_own;
  std::map<std::string, AddedToken> described;
  for (const AddedToken& token : own) {
    own_ids.insert(token.id);
    among_own.insert(described_as(token));
  }
  std::vector<AddedToken> further;
  for (const AddedToken& token : settings.added) {
    if (!settings.added_is_all && own_ids.contains(token.id)) continue;
    described[token.content] = token;
    if (!among_own.contains(described_as(token))) further.push_back(token);
  }
  std::set<std::string> known;
  std::set<Described> among_further;
  for (const AddedToken& token : further) {
    known.insert(token.content);
    among_further.insert(described_as(token));
  }
  for (const AddedToken& token : own) {
    known.insert(token.content);
    if (!settings.added_is_all) described[token.content] = token;
  }
  std::set<std::string> special;
  std::vector<AddedToken> by_name;
  for (const NamedToken& named : settings.named) {
    special.insert(named.token.content);
    AddedToken token = named.token;
    bool whole = named.whole;
    if (const auto found = described.find(token.content); named.given && found != described.end()) {
      token = found->second;
      whole = true;
    }
    whole = whole || named.wrapped;
    if (whole ? !among_further.contains(described_as(token)) : !known.contains(token.content))
      by_name.push_back(token);
  }
  further.insert(further.end(), by_name.begin(), by_name.end());
  for (AddedToken& token : further)
    token.special = token.special || special.contains(token.content);
  return further;
}

}  // namespace lingua
