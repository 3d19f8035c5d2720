#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/bpe_tokenizer.h"
#include "runtime/text/json_field.h"

namespace lingua {
namespace {

using nlohmann::json;

std::unique_ptr<Vocabulary> read_vocabulary(const JsonField& field) {
  if (!field.value().is_object()) field.refuse("an object from token to id is accepted");
  auto vocabulary = std::make_unique<Vocabulary>(field.where());
  vocabulary->expect(field.value().size());
  for (const auto& [token, id] : field.value().items()) {
    if (!id.is_number_integer()) {
      JsonField(id, fmt::format("{}[{}]", field.where(), lingua::quoted(token)))
          .refuse("a whole number is accepted");
    }
    vocabulary->add(token, id.get<std::int64_t>());
  }
  return vocabulary;
}

// "left right", or ["left", "right"].
void read_merges(const JsonField& field, Bpe& bpe) {
  if (!field.value().is_array()) field.refuse("an array of merges is accepted");
  for (const json& merge : field.value()) {
    const auto refuse = [&] {
      const auto index = static_cast<std::size_t>(&merge - &field.value().front());
      JsonField(merge, fmt::format("{}[{}]", field.where(), index))
          .refuse("two tokens are accepted, as an array or with a space between them");
    };
    if (merge.is_string()) {
      const std::string& line = merge.get_ref<const std::string&>();
      const std::size_t space = line.find(' ');
      if (line.starts_with("#version")) continue;
      if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) refuse();
      bpe.add_merge(std::string_view(line).substr(0, space),
                    std::string_view(line).substr(space + 1));
    } else {
      if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() ||
          !merge[1].is_string()) {
        refuse();
      }
      bpe.add_merge(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>());
    }
  }
}

void read_model(const JsonField& model, BpeTokenizer::Parts& parts) {
  const JsonField type = model["type"];
  if (type.text(model["merges"].exists() ? "BPE" : "") != "BPE") {
    type.refuse("the model BPE is accepted");
  }
  const JsonField dropout = model["dropout"];
  if (dropout.exists() && dropout.value() != 0) dropout.refuse("encoding without it is accepted");
  parts.vocabulary = read_vocabulary(model["vocab"]);
  Bpe::Options options;
  if (model["unk_token"].exists()) options.unknown = model["unk_token"].text();
  options.fuse_unknown = model["fuse_unk"].flag(false);
  options.byte_fallback = model["byte_fallback"].flag(false);
  options.ignore_merges = model["ignore_merges"].flag(false);
  options.continuing_prefix = model["continuing_subword_prefix"].text("");
  options.end_suffix = model["end_of_word_suffix"].text("");
  parts.bpe = std::make_unique<Bpe>(*parts.vocabulary, options, model.where() + ".merges");
  read_merges(model["merges"], *parts.bpe);
}

std::vector<AddedToken> read_added(const JsonField& field) {
  std::vector<AddedToken> added;
  if (!field.exists()) return added;
  for (const JsonField& token : field.items()) {
    if (token["id"].whole() > UINT32_MAX) token["id"].refuse("up to 4294967295 is accepted");
    added.push_back({token["content"].text(), token["id"].whole(), token["special"].flag(false),
                     token["single_word"].flag(false), token["lstrip"].flag(false),
                     token["rstrip"].flag(false), token["normalized"].flag(true)});
  }
  return added;
}

// `add_prefix_space` as the settings have it, where transformers sets it.
json prefixed(json pre_tokenizer, const TokenizerSettings& settings, bool nested) {
  if (!pre_tokenizer.is_object()) return pre_tokenizer;
  const bool byte_level = pre_tokenizer.value("type", json()) == "ByteLevel";
  if (byte_level && settings.add_prefix_space && (!nested || *settings.add_prefix_space)) {
    pre_tokenizer["add_prefix_space"] = *settings.add_prefix_space;
  }
  if (settings.tokenizer_class.prefixes_nested && pre_tokenizer["pretokenizers"].is_array()) {
    for (json& step : pre_tokenizer["pretokenizers"]) step = prefixed(step, settings, true);
  }
  return pre_tokenizer;
}

// What the class puts around a text, in place of what the file says.
void set_ends(const TokenizerSettings& settings, const std::string& where,
              BpeTokenizer::Parts& parts) {
  const auto id_of = [&](const std::optional<std::string>& name, const char* flag,
                         const char* role) -> TokenId {
    for (const AddedToken& token : parts.added.tokens()) {
      if (name && token.content == *name) return token.id;
    }
    throw InputError(fmt::format(
        "{}: its class, {}, with {} puts the {} around each text, which is {}; a token of the "
        "model, or {}: false in tokenizer_config.json, is accepted",
        where, settings.tokenizer_class.name, flag, role, name ? lingua::quoted(*name) : "missing",
        flag));
  };
  parts.before.clear();
  parts.after.clear();
  if (settings.add_bos.value_or(false))
    parts.before = {id_of(settings.bos, "add_bos_token", "bos_token")};
  if (settings.add_eos.value_or(false))
    parts.after = {id_of(settings.eos, "add_eos_token", "eos_token")};
}

void read_template(const JsonField& field, BpeTokenizer::Parts& parts) {
  const JsonField specials = field["special_tokens"];
  std::vector<TokenId> before;
  std::vector<TokenId> after;
  bool passed = false;
  for (const JsonField& item : field["single"].items()) {
    if (item["Sequence"].exists()) {
      if (passed) item.refuse("one sequence is accepted");
      passed = true;
      continue;
    }
    for (const JsonField& id : specials[item["SpecialToken"]["id"].text()]["ids"].items()) {
      (passed ? after : before).push_back(id.whole());
    }
  }
  if (!passed) field["single"].refuse("a template with a sequence is accepted");
  parts.before.insert(parts.before.begin(), before.begin(), before.end());
  parts.after.insert(parts.after.end(), after.begin(), after.end());
}

void read_post_processor(const JsonField& field, BpeTokenizer::Parts& parts) {
  if (!field.exists()) return;
  const std::string type = field.type();
  if (type == "TemplateProcessing") {
    read_template(field, parts);
  } else if (type == "Sequence") {
    for (const JsonField& step : field["processors"].items()) read_post_processor(step, parts);
  } else if (type != "ByteLevel") {  // that one changes offsets only
    field["type"].refuse("post-processors TemplateProcessing, ByteLevel and Sequence are accepted");
  }
}

}  // namespace

std::unique_ptr<Tokenizer> load_json_tokenizer(const std::filesystem::path& path,
                                               const TokenizerSettings& settings) {
  const std::string where = path.string();
  const json file = parse_json(read_file(path), where, 64);
  const JsonField root(file, where + ": ");
  BpeTokenizer::Parts parts;
  read_model(root["model"], parts);
  parts.normalizer = make_normalizer(root["normalizer"]);
  const json pre_tokenizer = prefixed(root["pre_tokenizer"].value(), settings, false);
  parts.pre_tokenizer = make_pre_tokenizer(JsonField(pre_tokenizer, where + ": pre_tokenizer"));
  parts.decoder = std::make_unique<Decoder>(root["decoder"]);
  parts.added = AddedTokenList(
      [&vocabulary = *parts.vocabulary](const std::string& text) { return vocabulary.find(text); },
      parts.vocabulary->entries());
  parts.added.add(read_added(root["added_tokens"]));
  parts.added.add(further_tokens(settings, parts.added.tokens()));
  // Tokens for what the model has no embeddings of (images, say) cannot be used.
  if (settings.vocabulary) parts.added.drop_special_from(*settings.vocabulary);
  read_post_processor(root["post_processor"], parts);
  if (settings.tokenizer_class.sets_ends) set_ends(settings, where, parts);
  return std::make_unique<BpeTokenizer>(std::move(parts), settings, where);
}

}  // namespace lingua
