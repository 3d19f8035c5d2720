#include "runtime/app/tensor_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/npy.h"
#include "runtime/checkpoint/safetensors.h"

namespace lingua {
namespace {

constexpr const char* kForm = "NAME=FILE.npy, NAME=FILE.safetensors or FILE.safetensors";

bool is_safetensors(const std::string& file) {
  return std::filesystem::path(file).extension() == ".safetensors";
}

Tensor read_tensor(const Safetensors& file, const WeightSpec& spec) {
  auto memory = allocate_bytes(spec.bytes());
  file.read(spec.name, 0, spec.bytes(), memory.get());
  return {spec.dtype, spec.shape, memory};
}

Tensor read_array(const std::string& file) {
  const NpyArray array = read_npy(file);
  auto memory = allocate_bytes(static_cast<std::int64_t>(array.data.size()));
  std::copy(array.data.begin(), array.data.end(), memory.get());
  return {array.dtype, array.shape, memory};
}

bool is_floating(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

double half_to_double(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  double value = 0;
  if (exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::quiet_NaN();
  } else {
    value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// To the nearest, ties to even. `digits` of the significand, `least` the smallest exponent.
double round_to(double value, int digits, int least) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), least);
  return std::ldexp(std::nearbyint(std::ldexp(value, digits - 1 - exponent)),
                    exponent - digits + 1);
}

std::uint16_t double_to_half(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00);
  const double size = std::abs(round_to(value, 11, -14));
  if (size >= 65536) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (size < std::ldexp(1, -14))
    return static_cast<std::uint16_t>(sign | static_cast<int>(std::ldexp(size, 24)));
  const int exponent = std::ilogb(size);
  const int fraction = static_cast<int>(std::ldexp(size, 10 - exponent)) - 1024;
  return static_cast<std::uint16_t>(sign | (exponent + 15) << 10 | fraction);
}

std::uint16_t double_to_bfloat16(double value) {
  if (std::isnan(value)) return 0x7fc0;
  return static_cast<std::uint16_t>(
      std::bit_cast<std::uint32_t>(static_cast<float>(round_to(value, 8, -126))) >> 16);
}

template <typename Number>
Number load(const std::byte* at) {
  Number number;
  std::memcpy(&number, at, sizeof number);
  return number;
}

template <typename Number>
void store(std::byte* at, Number number) {
  std::memcpy(at, &number, sizeof number);
}

double load_floating(DType dtype, const std::byte* at) {
  if (dtype == DType::kFloat32) return static_cast<double>(load<float>(at));
  if (dtype == DType::kFloat64) return load<double>(at);
  if (dtype == DType::kFloat16) return half_to_double(load<std::uint16_t>(at));
  return static_cast<double>(
      std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(at)) << 16));
}

void store_floating(DType dtype, double value, std::byte* at) {
  if (dtype == DType::kFloat32) store(at, static_cast<float>(value));
  if (dtype == DType::kFloat64) store(at, value);
  if (dtype == DType::kFloat16) store(at, double_to_half(value));
  if (dtype == DType::kBFloat16) store(at, double_to_bfloat16(value));
}

std::int64_t load_integer(DType dtype, const std::byte* at) {
  if (dtype == DType::kInt64) return load<std::int64_t>(at);
  if (dtype == DType::kInt32) return load<std::int32_t>(at);
  if (dtype == DType::kInt16) return load<std::int16_t>(at);
  if (dtype == DType::kInt8) return load<std::int8_t>(at);
  return load<std::uint8_t>(at);
}

template <typename Number>
bool store_in_range(std::int64_t value, std::byte* at) {
  if (value < std::numeric_limits<Number>::min() || value > std::numeric_limits<Number>::max())
    return false;
  store(at, static_cast<Number>(value));
  return true;
}

bool store_integer(DType dtype, std::int64_t value, std::byte* at) {
  if (dtype == DType::kInt64) return store_in_range<std::int64_t>(value, at);
  if (dtype == DType::kInt32) return store_in_range<std::int32_t>(value, at);
  if (dtype == DType::kInt16) return store_in_range<std::int16_t>(value, at);
  if (dtype == DType::kInt8) return store_in_range<std::int8_t>(value, at);
  return store_in_range<std::uint8_t>(value, at);
}

// Floating point is rounded to the model's type, integers are widened or narrowed when all fit.
Tensor convert(const NamedTensor& input, DType dtype) {
  const Tensor& from = input.tensor;
  if (from.dtype == dtype) return from;
  const bool floating = is_floating(from.dtype) && is_floating(dtype);
  const bool has_bool = from.dtype == DType::kBool || dtype == DType::kBool;
  if (!floating && (has_bool || is_floating(from.dtype) || is_floating(dtype))) {
    throw InputError(fmt::format("{}: input {} is {} here and {} in the model; write it as {}",
                                 input.file, input.name, dtype_name(from.dtype), dtype_name(dtype),
                                 dtype_name(dtype)));
  }
  Tensor to{dtype, from.shape, nullptr};
  auto memory = allocate_bytes(to.bytes());
  for (std::int64_t i = 0; i < from.elements(); ++i) {
    const std::byte* source = from.data.get() + i * dtype_bytes(from.dtype);
    std::byte* target = memory.get() + i * dtype_bytes(dtype);
    if (floating) {
      store_floating(dtype, load_floating(from.dtype, source), target);
    } else if (!store_integer(dtype, load_integer(from.dtype, source), target)) {
      throw InputError(fmt::format("{}: input {} has the value {}, which {} cannot hold",
                                   input.file, input.name, load_integer(from.dtype, source),
                                   dtype_name(dtype)));
    }
  }
  to.data = memory;
  return to;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

std::string dims_text(const std::vector<StepFunction>& dims) {
  std::vector<std::string> texts;
  // Only n itself can be written.
  for (const StepFunction& dim : dims) texts.push_back(dim.is_constant() ? dim.to_string() : "n");
  return fmt::format("({})", fmt::join(texts, ", "));
}

// The number of new tokens by which `dims` are `shape`; 0 when every number does.
std::int64_t tokens_by(const NamedTensor& input, const std::vector<StepFunction>& dims) {
  const auto& shape = input.tensor.shape;
  std::int64_t tokens = 0;
  bool fits = shape.size() == dims.size();
  for (std::size_t d = 0; fits && d < dims.size(); ++d) {
    if (dims[d].is_constant()) {
      fits = dims[d].coefficients()[0] == static_cast<double>(shape[d]);
    } else {
      fits = shape[d] > 0 && (tokens == 0 || tokens == shape[d]);
      tokens = shape[d];
    }
  }
  if (fits) return tokens;
  throw InputError(fmt::format("{}: input {} has the shape {}; the model takes {}", input.file,
                               input.name, shape_text(shape), dims_text(dims)));
}

const Value& input_of(const Graph& graph, const NamedTensor& input) {
  std::string names;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    if (value.kind != ValueKind::kInput) continue;
    if (value.name == input.name) return value;
    names += (names.empty() ? "" : ", ") + value.name;
  }
  throw InputError(
      fmt::format("{}: {} has no input {}; it has {}", input.file, graph.model, input.name, names));
}

// The input is the prompt of a model that reads tokens.
void take_as_prompt(const std::string& model, const NamedTensor& input, Study& study) {
  const auto count = static_cast<std::size_t>(input.tensor.elements());
  const auto* ids = reinterpret_cast<const std::int64_t*>(input.tensor.data.get());
  for (std::size_t i = 0; i < count; ++i) {
    if (ids[i] >= 0 && ids[i] < study.model.vocabulary) continue;
    throw InputError(fmt::format("{}: {} is no token of {}; write 0 to {}", input.file, ids[i],
                                 model, study.model.vocabulary - 1));
  }
  study.prompts = {std::vector<TokenId>(ids, ids + count)};
}

}  // namespace

std::vector<NamedTensor> read_input_files(const std::vector<std::string>& texts) {
  std::vector<NamedTensor> inputs;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    const std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
    const std::string file = equals == std::string::npos ? text : text.substr(equals + 1);
    if (file.empty() || equals == 0 || (name.empty() && !is_safetensors(file))) {
      throw UsageError(fmt::format("`input-file` {}: write {}", text, kForm));
    }
    if (!is_safetensors(file)) {
      inputs.push_back({name, file, read_array(file)});
      continue;
    }
    const Safetensors tensors(file);
    if (!name.empty() && tensors.tensors().count(name) == 0) {
      throw InputError(fmt::format("{}: has no tensor {}", file, name));
    }
    for (const auto& [key, spec] : tensors.tensors()) {
      if (name.empty() || key == name) inputs.push_back({key, file, read_tensor(tensors, spec)});
    }
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (inputs[i].name != inputs[k].name) continue;
      throw UsageError(fmt::format("`input-file`: {} is given twice, by {} and {}; write it once",
                                   inputs[i].name, inputs[k].file, inputs[i].file));
    }
  }
  return inputs;
}

std::vector<std::string> described_inputs(const ModelOptions& options,
                                          const std::vector<NamedTensor>& inputs) {
  std::vector<std::string> texts = options.inputs;
  for (const NamedTensor& input : inputs) {
    // NAME.0, NAME.1, ... are the elements of a list or tuple, which one text describes.
    const std::string owner = input.name.substr(0, input.name.find('.'));
    const bool known =
        std::any_of(options.inputs.begin(), options.inputs.end(), [&](const auto& t) {
          return t.starts_with(input.name + "=") || t.starts_with(owner + "=");
        });
    if (known) continue;
    const std::string what =
        fmt::format("{}:{}", fmt::join(input.tensor.shape, "x"), dtype_name(input.tensor.dtype));
    const auto before =
        std::find_if(texts.begin() + static_cast<std::ptrdiff_t>(options.inputs.size()),
                     texts.end(), [&](const auto& t) { return t.starts_with(owner + "="); });
    if (owner != input.name && before != texts.end()) {
      *before += "," + what;
    } else {
      texts.push_back(owner + "=" + what);
    }
  }
  return texts;
}

void bind_inputs(const std::string& model, Study& study) {
  for (NamedTensor& input : study.inputs) {
    const Value& value = input_of(study.model.graph, input);
    const std::int64_t tokens = tokens_by(input, value.dims);
    if (tokens > 0 && study.input_tokens > 0 && tokens != study.input_tokens) {
      throw InputError(fmt::format("{}: input {} is for {} tokens, the inputs before it for {}",
                                   input.file, input.name, tokens, study.input_tokens));
    }
    if (tokens > 0) study.input_tokens = tokens;
    input.tensor = convert(input, value.dtype);
    const bool is_prompt = study.model.vocabulary > 0 && value.dtype == DType::kInt64;
    if (is_prompt && study.inputs.size() == 1) take_as_prompt(model, input, study);
  }
}

void check_output_file(const std::string& path, std::size_t outputs, int requests) {
  if (is_safetensors(path)) return;
  if (std::filesystem::path(path).extension() != ".npy") {
    throw UsageError(
        fmt::format("`output-file` {}: its name ends neither in .npy nor in .safetensors", path));
  }
  if (outputs == 1 && requests == 1) return;
  throw UsageError(fmt::format(
      "`output-file` {}: one array cannot take {} outputs of {} requests; write FILE.safetensors",
      path, outputs, requests));
}

void write_outputs(const std::string& path, const std::vector<Done>& answers) {
  std::vector<WeightSpec> specs;
  std::vector<const Tensor*> tensors;
  for (const Done& answer : answers) {
    for (std::size_t i = 0; i < answer.outputs.size(); ++i) {
      const Tensor& tensor = answer.outputs[i];
      if (!tensor.has_data()) {
        throw WorldError(
            fmt::format("{}: request {} got outputs without contents", path, answer.request));
      }
      const std::string owner =
          answers.size() > 1 ? fmt::format("request.{}.", answer.request) : "";
      specs.push_back({fmt::format("{}output.{}", owner, i), tensor.dtype, tensor.shape});
      tensors.push_back(&tensor);
    }
  }
  if (is_safetensors(path)) {
    std::size_t next = 0;
    write_safetensors(path, specs, [&](const WeightSpec& spec, const AppendBytes& append) {
      append(tensors[next++]->data.get(), spec.bytes());
    });
    return;
  }
  LINGUA_CHECK(tensors.size() == 1, "one array for {} tensors", tensors.size());
  write_file_atomically(path, [&](std::ostream& out) {
    write_npy(out, specs[0].dtype, specs[0].shape, tensors[0]->data.get());
  });
}

}  // namespace lingua
