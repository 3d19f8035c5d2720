#include "runtime/text/stop_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/text/json_field.h"

namespace lingua {

namespace fs = std::filesystem;

std::vector<TokenId> model_stop_tokens(const std::string& model) {
  std::error_code error;
  if (fs::is_regular_file(model, error) && Gguf::is_gguf(model)) {
    return gguf_stop_tokens(Gguf(model));
  }
  if (!fs::is_directory(model, error)) return {};
  const fs::path path = fs::path(model) / "generation_config.json";
  const nlohmann::json file = read_json_object(path);
  const JsonField stops = JsonField(file, path.string() + ": ")["eos_token_id"];
  if (!stops.exists()) return {};
  if (!stops.value().is_array()) return {stops.whole()};
  std::vector<TokenId> ids;
  for (const JsonField& id : stops.items()) ids.push_back(id.whole());
  return ids;
}

std::vector<TokenId> gguf_stop_tokens(const Gguf& file) {
  static const std::set<std::string> kWritten = {"<end_of_turn>", "<|eot_id|>",    "<|im_end|>",
                                                 "<|end|>",       "<|endoftext|>", "<|eom_id|>",
                                                 "<EOT>"};
  std::vector<TokenId> stops;
  const auto add = [&](TokenId id) {
    if (std::find(stops.begin(), stops.end(), id) == stops.end()) stops.push_back(id);
  };
  const std::string prefix = "tokenizer.ggml.";
  if (file.find_value(prefix + "tokens") == nullptr) return stops;
  const auto& tokens = file.value<std::vector<std::string>>(prefix + "tokens");
  const auto count = static_cast<std::int64_t>(tokens.size());
  for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    if (file.find_value(prefix + name) == nullptr) continue;
    const auto id = file.value<std::int64_t>(prefix + name);
    if (id < 0 || id >= count) {
      throw InputError(
          fmt::format("{}: metadata key '{}{}' is {}; the ids of its tokens are 0 to {}",
                      file.path(), prefix, name, id, count - 1));
    }
    add(id);
  }
  for (TokenId id = 0; id < count; ++id) {
    if (kWritten.contains(tokens[static_cast<std::size_t>(id)])) add(id);
  }
  return stops;
}

}  // namespace lingua
