#include "runtime/checkpoint/gguf_model.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/gguf_architecture.h"
#include "runtime/checkpoint/json.h"

namespace lingua {
namespace {

enum class Change { kNone, kOneAdded, kRowsReordered };

struct Weight {
  std::string name_in_file;
  WeightSpec spec;
  Change change = Change::kNone;
  std::int64_t heads = 0;  // of kRowsReordered
};

struct Name {
  std::string name;
  const GgufModule* module = nullptr;
};

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kBias = ".bias";

bool drop_end(std::string_view end, std::string_view* text) {
  if (!text->ends_with(end)) return false;
  text->remove_suffix(end.size());
  return true;
}

// The checkpoint's name of a tensor of a layer, "blk.3.attn_q.weight".
std::optional<Name> name_in_layer(const GgufArchitecture& architecture, std::int64_t layers,
                                  std::string_view name) {
  constexpr std::string_view kLayer = "blk.";
  if (!name.starts_with(kLayer)) return std::nullopt;
  name.remove_prefix(kLayer.size());
  const std::size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot > 4) return std::nullopt;
  std::int64_t layer = 0;
  for (const char digit : name.substr(0, dot)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    layer = layer * 10 + (digit - '0');
  }
  if (layer >= layers || std::to_string(layer) != name.substr(0, dot)) return std::nullopt;
  name.remove_prefix(dot + 1);
  const bool is_bias = drop_end(kBias, &name);
  if (!is_bias && !drop_end(kWeight, &name)) return std::nullopt;
  for (const GgufModule& module : architecture.modules) {
    if (name != module.in_file || (is_bias && !module.may_have_bias)) continue;
    return Name{
        fmt::format("model.layers.{}.{}{}", layer, module.in_checkpoint, is_bias ? kBias : kWeight),
        &module};
  }
  return std::nullopt;
}

class ModelWeights : public StoredWeights {
 public:
  explicit ModelWeights(const Gguf& file) : file_(file), architecture_(architecture_of(file)) {
    const nlohmann::json config = config_of(file);
    layers_ = config.at("num_hidden_layers");
    heads_ = config.at("num_attention_heads");
    key_heads_ = config.at("num_key_value_heads");
    head_dim_ = config.at("head_dim");
    for (const std::string& name : file.names()) {
      if (name != "rope_freqs.weight") add(name);
    }
  }

  const std::string& path() const override { return file_.path(); }
  DType own_dtype() const override { return file_.own_dtype(); }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, weight] : weights_) names.push_back(name);
    return names;
  }

  const WeightSpec* find(const std::string& name) const override {
    const auto it = weights_.find(name);
    return it == weights_.end() ? nullptr : &it->second.spec;
  }

  void read(const std::string& name, std::int64_t offset, std::int64_t bytes,
            std::byte* out) const override {
    const auto it = weights_.find(name);
    LINGUA_CHECK(it != weights_.end(), "{} has no tensor {}", path(), name);
    const Weight& weight = it->second;
    if (weight.change == Change::kRowsReordered) {
      read_reordered(weight, offset, bytes, out);
      return;
    }
    file_.read(weight.name_in_file, offset, bytes, out);
    if (weight.change == Change::kNone) return;
    for (std::int64_t at = 0; at < bytes; at += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, out + at, sizeof value);
      value -= 1;
      std::memcpy(out + at, &value, sizeof value);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& name, const std::string& why) const {
    throw InputError(fmt::format("{}: tensor {} {}", path(), lingua::quoted(name), why));
  }

  void add(const std::string& in_file) {
    Weight weight;
    weight.name_in_file = in_file;
    weight.spec = *file_.find(in_file);
    bool is_norm = false;
    if (in_file == "token_embd.weight") {
      weight.spec.name = "model.embed_tokens.weight";
    } else if (in_file == "output.weight") {
      weight.spec.name = "lm_head.weight";
    } else if (in_file == "output_norm.weight") {
      weight.spec.name = "model.norm.weight";
      is_norm = true;
    } else {
      const std::optional<Name> name = name_in_layer(architecture_, layers_, in_file);
      if (!name) {
        refuse(in_file, fmt::format("is not a part of the models of architecture '{}' with {} "
                                    "layers that are supported",
                                    architecture_.name, layers_));
      }
      weight.spec.name = name->name;
      is_norm = name->module->is_norm;
      const std::string module = name->module->in_file;
      if (architecture_.rows_reordered && module == "attn_q") weight.heads = heads_;
      if (architecture_.rows_reordered && module == "attn_k") weight.heads = key_heads_;
    }
    if (weight.heads > 0) {
      weight.change = Change::kRowsReordered;
      const std::int64_t rows = weight.heads * head_dim_;
      if (weight.spec.shape.empty() || weight.spec.shape[0] != rows) {
        refuse(in_file,
               fmt::format("has no {} rows, {} heads of {}", rows, weight.heads, head_dim_));
      }
    }
    if (is_norm && architecture_.norms_shifted) {
      weight.change = Change::kOneAdded;
      if (weight.spec.dtype != DType::kFloat32) {
        refuse(in_file, fmt::format("is of dtype {}; a norm of '{}' is float32",
                                    dtype_name(weight.spec.dtype), architecture_.name));
      }
    }
    std::string name = weight.spec.name;
    weights_.emplace(std::move(name), std::move(weight));
  }

  // Row 2 i + j of a head in the file is row j head_dim / 2 + i of that head.
  void read_reordered(const Weight& weight, std::int64_t offset, std::int64_t bytes,
                      std::byte* out) const {
    const std::int64_t row_bytes = weight.spec.bytes() / weight.spec.shape[0];
    const std::int64_t half = head_dim_ / 2;
    while (bytes > 0) {
      const std::int64_t row = offset / row_bytes;
      const std::int64_t skipped = offset % row_bytes;
      const std::int64_t in_head = row % head_dim_;
      const std::int64_t stored = row - in_head + in_head % half * 2 + in_head / half;
      const std::int64_t wanted = std::min(bytes, row_bytes - skipped);
      file_.read(weight.name_in_file, stored * row_bytes + skipped, wanted, out);
      offset += wanted;
      bytes -= wanted;
      out += wanted;
    }
  }

  const Gguf& file_;
  const GgufArchitecture& architecture_;
  std::int64_t layers_ = 0;
  std::int64_t heads_ = 0;
  std::int64_t key_heads_ = 0;
  std::int64_t head_dim_ = 0;
  std::map<std::string, Weight> weights_;
};

}  // namespace

void check_holds_model(const Gguf& file) {
  const auto refuse = [&](const std::string& why) {
    throw InputError(fmt::format("{}: {}", file.path(), why));
  };
  const auto integer = [&](const char* key) {
    const auto* found = file.find_value(key);
    const auto* number = found != nullptr ? std::get_if<std::int64_t>(found) : nullptr;
    return number != nullptr ? *number : 0;
  };
  if (const std::int64_t count = integer("split.count"); count > 1) {
    refuse(
        fmt::format("is part {} of {} of a model; join them into one file ("
                    "llama-gguf-split --merge, given the first part)",
                    integer("split.no") + 1, count));
  }
  const auto* value = file.find_value("general.type");
  const auto* type = value != nullptr ? std::get_if<std::string>(value) : nullptr;
  if (type != nullptr && *type == "adapter") {
    refuse(
        "is an adapter (LoRA), not a model; merge it into its model (llama-export-lora) and give "
        "the result");
  }
  if (type != nullptr && *type != "model") {
    refuse(fmt::format("metadata key 'general.type': holds {}, not a language model ('model')",
                       quoted(*type)));
  }
  const std::vector<std::string> names = file.names();
  if (names.empty()) refuse("has no tensors: it holds a vocabulary alone, not a model");
  for (const std::string& name : names) {
    for (const std::string_view start :
         {"model.layers.", "model.embed_tokens", "transformer.h.", "lm_head.", "model.norm."}) {
      if (!name.starts_with(start)) continue;
      refuse(
          fmt::format("tensor {} has a name of Hugging Face's layout; GGUF has names such as "
                      "'blk.0.attn_q.weight' and 'token_embd.weight', and weights reordered to "
                      "match: make the file with llama.cpp's convert_hf_to_gguf.py, or give the "
                      "Hugging Face folder itself",
                      quoted(name)));
    }
  }
}

std::unique_ptr<StoredWeights> weights_of(const Gguf& file) {
  return std::make_unique<ModelWeights>(file);
}

}  // namespace lingua
