#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/torch/bloom.h"
#include "runtime/torch/config.h"
#include "runtime/torch/script_model.h"

namespace lingua {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kPieceElements = 1 << 20;

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return at::kFloat;
    case DType::kFloat64: return at::kDouble;
    case DType::kFloat16: return at::kHalf;
    case DType::kBFloat16: return at::kBFloat16;
    default: break;
  }
  throw BugError(fmt::format("weights of dtype {}", dtype_name(dtype)));
}

// Weights of a checkpoint under the model's names, converted to the model's dtype.
class CheckpointReader : public WeightReader {
 public:
  explicit CheckpointReader(const fs::path& folder) : checkpoint_(folder) {}

  // Errors: InputError when the checkpoint has no such weight, or not of this shape.
  void add(const WeightSpec& wanted) {
    const std::string prefixed = "transformer." + wanted.name;
    const WeightSpec* stored = checkpoint_.find(prefixed);
    if (stored == nullptr) stored = checkpoint_.find(wanted.name);
    if (stored == nullptr) {
      throw InputError(fmt::format("{}: tensor '{}' (or '{}') is missing", checkpoint_.path(),
                                   wanted.name, prefixed));
    }
    if (stored->shape != wanted.shape) {
      throw InputError(fmt::format("{}: tensor '{}' has shape [{}], but config.json makes it [{}]",
                                   checkpoint_.path(), stored->name, fmt::join(stored->shape, ", "),
                                   fmt::join(wanted.shape, ", ")));
    }
    constexpr std::array kFloating = {DType::kFloat32, DType::kFloat64, DType::kFloat16,
                                      DType::kBFloat16};
    if (std::find(kFloating.begin(), kFloating.end(), stored->dtype) == kFloating.end()) {
      throw InputError(
          fmt::format("{}: tensor '{}' is {}; supported are float32, float64, float16 and bfloat16",
                      checkpoint_.path(), stored->name, dtype_name(stored->dtype)));
    }
    weights_[wanted.name] = {stored, wanted.dtype};
  }

  void read(const std::string& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    const auto found = weights_.find(weight);
    LINGUA_CHECK(found != weights_.end(), "no weight {}", weight);
    const auto& [stored, dtype] = found->second;
    if (stored->dtype == dtype) {
      checkpoint_.read(stored->name, offset, bytes, out);
      return;
    }
    const std::int64_t size = dtype_bytes(dtype);
    const std::int64_t stored_size = dtype_bytes(stored->dtype);
    LINGUA_CHECK(offset % size == 0 && bytes % size == 0, "{} bytes at {}", bytes, offset);
    for (std::int64_t at = 0; at < bytes / size; at += kPieceElements) {
      const std::int64_t count = std::min(kPieceElements, bytes / size - at);
      const at::Tensor piece = at::empty({count}, scalar_type(stored->dtype));
      checkpoint_.read(stored->name, (offset / size + at) * stored_size, count * stored_size,
                       static_cast<std::byte*>(piece.data_ptr()));
      at::from_blob(out + at * size, {count}, scalar_type(dtype)).copy_(piece);
    }
  }

 private:
  struct Source {
    const WeightSpec* stored = nullptr;
    DType dtype = DType::kFloat32;
  };

  Checkpoint checkpoint_;
  std::map<std::string, Source> weights_;
};

std::vector<ForwardArgument> bloom_arguments(const BloomConfig& config,
                                             const ImportOptions& options) {
  std::vector<ForwardArgument> arguments(3);
  arguments[0].name = "tokens";
  arguments[0].dims = {StepFunction({0, 1, 0, 0, 0, 0})};
  for (int i : {1, 2}) {
    arguments[i].name = i == 1 ? "new_tokens" : "cached_tokens";
    arguments[i].kind = ValueKind::kStep;
    arguments[i].step_scalar = i == 1 ? StepScalar::kNewTokens : StepScalar::kCachedTokens;
  }
  for (std::int64_t state = 0; options.kv_cache && state < 2 * config.layers; ++state) {
    ForwardArgument argument;
    argument.name = fmt::format("{}_{}", state % 2 == 0 ? "k" : "v", state / 2);
    argument.kind = ValueKind::kState;
    argument.dtype = options.dtype;
    argument.state_shape = {config.heads, kCapacity, config.head_dim()};
    if (state % 2 == 0) std::swap(argument.state_shape[1], argument.state_shape[2]);
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

ScriptModel build_bloom(const std::string& name, const BloomConfig& config,
                        const ImportOptions& options) {
  if (options.dtype != DType::kFloat32 && options.dtype != DType::kBFloat16) {
    throw UsageError(fmt::format("model '{}': dtype {} is not supported; write float32 or bfloat16",
                                 name, dtype_name(options.dtype)));
  }
  ScriptModel model;
  model.name = name;
  model.module = torch::jit::Module("bloom");
  const auto meta = at::TensorOptions().dtype(scalar_type(options.dtype)).device(at::kMeta);
  for (const BloomWeight& weight : bloom_weights(config, options.dtype)) {
    model.module.register_parameter(weight.attribute, at::empty(weight.spec.shape, meta), false);
    model.weight_names[weight.attribute] = weight.spec.name;
  }
  model.module.define(bloom_script(config, options));
  model.arguments = bloom_arguments(config, options);
  model.is_language_model = true;
  model.vocabulary = config.vocabulary;
  model.stop_tokens = config.stop_tokens;
  model.kv_cache = options.kv_cache;
  return model;
}

}  // namespace

bool is_model_folder(const std::string& model) {
  std::error_code error;
  return fs::is_directory(model, error) || named_bloom_config(model).has_value();
}

ScriptModel load_model_folder(const std::string& model, const ImportOptions& options) {
  std::error_code error;
  if (!fs::is_directory(model, error)) {
    const std::optional<BloomConfig> config = named_bloom_config(model);
    LINGUA_CHECK(config.has_value(), "{} is no model folder", model);
    return build_bloom(model, *config, options);
  }
  const fs::path folder = fs::path(model).lexically_normal();
  const BloomConfig config = read_bloom_config(folder);
  const std::string name =
      (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  ScriptModel script = build_bloom(name, config, options);
  if (!Checkpoint::is_in(folder)) return script;
  auto reader = std::make_unique<CheckpointReader>(folder);
  for (const BloomWeight& weight : bloom_weights(config, options.dtype)) reader->add(weight.spec);
  script.reader = std::move(reader);
  return script;
}

}  // namespace lingua
