#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/file_kind.h"
#include "runtime/checkpoint/gguf_model.h"
#include "runtime/checkpoint/json.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/torch/decoder_ops.h"
#include "runtime/torch/embedding_ops.h"
#include "runtime/torch/family.h"
#include "runtime/torch/int8_ops.h"
#include "runtime/torch/own_dtype.h"
#include "runtime/torch/quantise.h"
#include "runtime/torch/script_model.h"
#include "runtime/torch/script_resolver.h"
#include "runtime/torch/unused_tensors.h"

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
    case DType::kInt8: return at::kChar;
    default: break;
  }
  throw BugError(fmt::format("weights of dtype {}", dtype_name(dtype)));
}

// A model's weights on disk, with the file under them where there is one more.
struct Stored {
  std::unique_ptr<Gguf> file;
  std::unique_ptr<StoredWeights> weights;  // null: shapes only
};

// Weights of a checkpoint under the model's names, converted to the model's dtypes.
class CheckpointReader : public WeightReader {
 public:
  CheckpointReader(Stored stored, std::vector<std::string> prefixes)
      : stored_(std::move(stored)), prefixes_(std::move(prefixes)) {}

  // Errors: InputError when the checkpoint has no such weight, or not of this shape, which
  // `config` gave it.
  void add(const WeightSpec& wanted, const std::optional<RowPiece>& piece,
           const std::string& config) {
    const std::string& name = piece ? piece->matrix : wanted.name;
    std::vector<std::int64_t> shape = wanted.shape;
    if (piece) shape[0] = piece->rows;
    const WeightSpec& stored = find(name);
    if (stored.shape != shape) {
      throw InputError(fmt::format("{}: tensor '{}' has shape [{}], but {} makes it [{}]",
                                   stored_.weights->path(), stored.name,
                                   fmt::join(stored.shape, ", "), config, fmt::join(shape, ", ")));
    }
    constexpr std::array kFloating = {DType::kFloat32, DType::kFloat64, DType::kFloat16,
                                      DType::kBFloat16};
    if (std::find(kFloating.begin(), kFloating.end(), stored.dtype) == kFloating.end()) {
      throw InputError(
          fmt::format("{}: tensor '{}' is {}; supported are float32, float64, float16 and bfloat16",
                      stored_.weights->path(), stored.name, dtype_name(stored.dtype)));
    }
    matrices_[name] = &stored;
    weights_[wanted.name] = {&stored, wanted.dtype, piece ? piece->first * shape[1] : 0};
  }

  // What else the checkpoint holds (unused_tensors.h), after all that is read was added.
  std::optional<std::string> note_of_rest(const std::string& config, Task task) const {
    TensorsRead read;
    read.config = config;
    for (const auto& [name, stored] : matrices_) read.names.insert(stored->name);
    for (const char* embedding : {"embed_tokens.weight", "word_embeddings.weight"}) {
      const auto found = matrices_.find(embedding);
      const bool tied = task == Task::kLanguageModel && matrices_.count("lm_head.weight") == 0;
      if (tied && found != matrices_.end()) read.tied = found->second->name;
    }
    return note_of_unused(*stored_.weights, read);
  }

  void read(const std::string& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    const auto found = weights_.find(weight);
    LINGUA_CHECK(found != weights_.end(), "no weight {}", weight);
    const auto& [stored, dtype, first] = found->second;
    const std::int64_t size = dtype_bytes(dtype);
    offset += first * size;
    if (stored->dtype == dtype) {
      stored_.weights->read(stored->name, offset, bytes, out);
      return;
    }
    const std::int64_t stored_size = dtype_bytes(stored->dtype);
    LINGUA_CHECK(offset % size == 0 && bytes % size == 0, "{} bytes at {}", bytes, offset);
    for (std::int64_t at = 0; at < bytes / size; at += kPieceElements) {
      const std::int64_t count = std::min(kPieceElements, bytes / size - at);
      const at::Tensor piece = at::empty({count}, scalar_type(stored->dtype));
      stored_.weights->read(stored->name, (offset / size + at) * stored_size, count * stored_size,
                            static_cast<std::byte*>(piece.data_ptr()));
      at::from_blob(out + at * size, {count}, scalar_type(dtype)).copy_(piece);
    }
  }

 private:
  struct Source {
    const WeightSpec* stored = nullptr;
    DType dtype = DType::kFloat32;
    std::int64_t first = 0;  // of its elements
  };

  const WeightSpec& find(const std::string& name) const {
    for (const std::string& prefix : prefixes_) {
      if (const WeightSpec* stored = stored_.weights->find(prefix + name)) return *stored;
    }
    std::vector<std::string> names;
    for (const std::string& prefix : prefixes_) names.push_back('\'' + prefix + name + '\'');
    throw InputError(
        fmt::format("{}: tensor {} is missing", stored_.weights->path(), fmt::join(names, " or ")));
  }

  Stored stored_;
  std::vector<std::string> prefixes_;
  std::map<std::string, Source> weights_;
  std::map<std::string, const WeightSpec*> matrices_;  // as stored, by the names of whole weights
};

std::vector<ForwardArgument> arguments_of(const ScriptWriter& writer, DType dtype) {
  std::vector<ForwardArgument> arguments;
  for (const char* name : {"tokens", "targets"}) {
    if (name == std::string("targets") && !writer.takes_targets()) continue;
    ForwardArgument& argument = arguments.emplace_back();
    argument.name = name;
    argument.dims = {StepFunction({0, 1, 0, 0, 0, 0})};
  }
  for (const StepScalar scalar : {StepScalar::kNewTokens, StepScalar::kCachedTokens}) {
    ForwardArgument& argument = arguments.emplace_back();
    argument.name = scalar == StepScalar::kNewTokens ? "new_tokens" : "cached_tokens";
    argument.kind = ValueKind::kStep;
    argument.step_scalar = scalar;
  }
  for (const ModelState& state : writer.states()) {
    ForwardArgument& argument = arguments.emplace_back();
    argument.name = state.name;
    argument.kind = ValueKind::kState;
    argument.dtype = dtype;
    argument.state_shape = state.shape;
  }
  return arguments;
}

ScriptWriter write_script(const FamilyModel& model, const ImportOptions& options) {
  ScriptWriter writer(options, model.task);
  model.write(writer);
  return writer;
}

// How many pieces of the vocabulary's rows the options ask for. Where not even a row is within the bound,
// or the pieces would be too many, the bound is left to who cuts the graph, which says what is too large.
std::int64_t count_pieces(const std::string& name, const FamilyModel& model,
                          ImportOptions options) {
  constexpr std::int64_t kMostPieces = 1024;
  constexpr double kShare = 1.0 / 16;
  auto [count, most_bytes] = options.head_pieces;
  LINGUA_CHECK(count >= 0, "{} pieces of a head", count);
  if (count > model.vocabulary) {
    throw UsageError(
        fmt::format("model '{}': its head cannot be cut into {} pieces; write at most as many as "
                    "it has tokens, {}",
                    name, count, model.vocabulary));
  }
  if (count == 1 && most_bytes <= 0) return count;
  options.head_pieces = {};
  WeightSpec row{"", options.dtype, {1, model.hidden}};
  if (options.int8) row = int8_weight(row);
  double all_bytes = 0;
  const ScriptWriter whole = write_script(model, options);
  for (const ModelWeight& weight : whole.weights())
    all_bytes += static_cast<double>(weight.spec.bytes());
  const auto within = [&](double bytes) {
    const double fitting = std::floor(bytes / static_cast<double>(row.bytes()));
    if (fitting < 1 || fitting >= static_cast<double>(model.vocabulary)) return std::int64_t{1};
    const auto rows = static_cast<std::int64_t>(fitting);
    const std::int64_t pieces = (model.vocabulary + rows - 1) / rows;
    return pieces <= kMostPieces ? pieces : 1;
  };
  if (count == 0) count = within(kShare * all_bytes);
  return most_bytes > 0 ? std::max(count, within(most_bytes)) : count;
}

// Quantised as its own format says: the matrices stand there under other names and in other shapes.
void refuse_quantised(const ConfigFields& fields) {
  for (const char* field : {"quantization_config", "quantization"}) {
    const nlohmann::json* value = fields.find(field);
    if (value == nullptr) continue;
    const auto method = value->is_object() ? value->find("quant_method") : value->end();
    const bool named = value->is_object() && method != value->end() && method->is_string();
    fields.refuse(field, fmt::format("the weights are quantised{}, which is not read; take the "
                                     "model's float weights, or a GGUF file (`int8` makes its own)",
                                     named ? " by " + quoted(method->get<std::string>()) : ""));
  }
}

// A model folder or a GGUF file.
Stored open_stored(const fs::path& path) {
  Stored stored;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    stored.file = std::make_unique<Gguf>(path);
    check_holds_model(*stored.file);
    stored.weights = weights_of(*stored.file);
  } else if (Checkpoint::is_in(path)) {
    stored.weights = std::make_unique<Checkpoint>(path);
  }
  return stored;
}

ConfigFields config_in(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / "config.json", error)) {
    throw InputError(fmt::format("{}: {}", folder.string(), why_no_config(folder)));
  }
  const ConfigFields fields = read_config(folder);
  refuse_quantised(fields);
  return fields;
}

ScriptModel build(const std::string& name, const ConfigFields& fields, Stored stored,
                  ImportOptions options) {
  if (options.dtype != DType::kFloat32 && options.dtype != DType::kBFloat16) {
    throw UsageError(fmt::format("model '{}': dtype {} is not supported; write float32 or bfloat16",
                                 name, dtype_name(options.dtype)));
  }
  const FamilyModel family = read_family_model(fields);
  options.kv_cache =
      options.kv_cache && family.task == Task::kLanguageModel;  // else one pass is all
  options.head_pieces.count = count_pieces(name, family, options);
  const ScriptWriter writer = write_script(family, options);
  ScriptModel model;
  model.name = name;
  model.module = torch::jit::Module(family.family);
  for (const ModelWeight& weight : writer.weights()) {
    const auto meta = at::TensorOptions().dtype(scalar_type(weight.spec.dtype)).device(at::kMeta);
    model.module.register_parameter(weight.attribute, at::empty(weight.spec.shape, meta), false);
    model.weight_names[weight.attribute] = weight.spec.name;
    if (weight.piece) model.pieces.insert(weight.spec.name);
  }
  register_decoder_ops();
  register_embedding_ops();
  register_int8_ops();
  model.module.define(writer.source(), std::make_shared<ScriptResolver>());
  model.arguments = arguments_of(writer, options.dtype);
  model.family = family.family;
  model.is_language_model = family.task == Task::kLanguageModel;
  model.labels = family.labels;
  model.class_score = family.class_score;
  model.notes = family.notes;
  model.vocabulary = family.vocabulary;
  model.head_pieces = options.head_pieces.count;
  model.max_positions = family.max_positions;
  model.stop_tokens = family.stop_tokens;
  model.kv_cache = options.kv_cache;
  model.freedom = {true, options.kv_cache && writer.rows_know_their_place()};
  if (stored.weights == nullptr) return model;
  const std::string file = stored.weights->path();
  auto reader = std::make_unique<CheckpointReader>(std::move(stored), family.prefixes);
  std::vector<WeightSpec> held;
  for (const ModelWeight& weight : writer.weights()) {
    reader->add(matrix_of_int8(weight.spec).value_or(weight.spec), weight.piece, fields.origin());
    held.push_back(weight.spec);
  }
  if (const auto note = reader->note_of_rest(fields.origin(), family.task)) {
    model.notes.push_back(*note);
  }
  model.reader = make_int8_reader(std::move(reader), held, file);
  return model;
}

}  // namespace

bool has_family(const std::string& model) {
  std::error_code error;
  return fs::is_directory(model, error) || Gguf::is_gguf(model) || named_config(model).has_value();
}

std::optional<DType> own_dtype(const std::string& model) {
  if (!has_family(model)) return std::nullopt;
  std::error_code error;
  const fs::path path(model);
  const bool is_folder = fs::is_directory(path, error);
  if (is_folder || Gguf::is_gguf(path)) {
    std::optional<ConfigFields> config;
    if (is_folder) config = config_in(path);
    const Stored stored = open_stored(path);
    if (stored.weights != nullptr) return stored.weights->own_dtype();
    const std::string named = config->text("dtype", config->text("torch_dtype", "bfloat16"));
    if (named == "float32" || named == "float64") return DType::kFloat32;
  }
  return DType::kBFloat16;
}

ScriptModel load_model_folder(const std::string& model, const ImportOptions& options) {
  std::error_code error;
  const fs::path path = fs::path(model).lexically_normal();
  if (fs::is_directory(path, error)) {
    const ConfigFields fields = config_in(path);
    const fs::path name = (path.has_filename() ? path : path.parent_path()).filename();
    return build(name.string(), fields, open_stored(path), options);
  }
  if (Gguf::is_gguf(path)) {
    Stored stored = open_stored(path);
    const ConfigFields fields(config_of(*stored.file), path.string());
    return build(path.stem().string(), fields, std::move(stored), options);
  }
  const std::optional<nlohmann::json> config = named_config(model);
  LINGUA_CHECK(config.has_value(), "{} is no model folder", model);
  return build(model, {*config, fmt::format("model '{}'", model)}, {}, options);
}

}  // namespace lingua
