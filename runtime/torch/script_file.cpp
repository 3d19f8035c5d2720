#include <fmt/ostream.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/torch/script_model.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

constexpr const char* kInputFormat = "NAME=DIMxDIMx...:DTYPE, as in tokens=1xn:int64";

[[noreturn]] void refuse_input(const std::string& text, const std::string& why) {
  throw UsageError(fmt::format("input '{}': {}; write {}", text, why, kInputFormat));
}

StepFunction parse_dim(const std::string& text, std::string_view dim) {
  if (dim == "n") return StepFunction({0, 1, 0, 0, 0, 0});
  constexpr std::int64_t kLargest = 1 << 24;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(dim.data(), dim.data() + dim.size(), number);
  if (error != std::errc() || end != dim.data() + dim.size() || number < 1 || number > kLargest) {
    refuse_input(text,
                 fmt::format("dimension '{}' is neither n nor a number of 1 to {}", dim, kLargest));
  }
  return static_cast<double>(number);
}

ForwardArgument parse_input(const std::string& text) {
  const auto equals = text.find('=');
  const auto colon = text.rfind(':');
  if (equals == std::string::npos || equals == 0) refuse_input(text, "it names no argument");
  if (colon == std::string::npos || colon < equals) refuse_input(text, "it names no dtype");
  ForwardArgument argument;
  argument.name = text.substr(0, equals);
  argument.dtype = parse_dtype(text.substr(colon + 1));
  std::string_view dims(text.data() + equals + 1, colon - equals - 1);
  while (!dims.empty()) {
    const auto cross = dims.find('x');
    argument.dims.push_back(parse_dim(text, dims.substr(0, cross)));
    if (cross == std::string_view::npos) break;
    dims.remove_prefix(cross + 1);
    if (dims.empty()) refuse_input(text, "a dimension is missing");
  }
  return argument;
}

// "Unknown builtin op: my::op." -> "my::op", or nothing.
std::string unknown_operation(const std::string& message) {
  static constexpr std::string_view kMark = "Unknown builtin op: ";
  const auto start = message.find(kMark);
  if (start == std::string::npos) return "";
  const auto begin = start + kMark.size();
  return message.substr(begin, message.find_first_of(". \n", begin) - begin);
}

torch::jit::Module load_module(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw InputError(fmt::format(
        "{}: there is no such file; write a model folder, the name of a published configuration "
        "or a TorchScript file",
        file));
  }
  try {
    torch::jit::Module module = torch::jit::load(file, at::kCPU);
    module.eval();
    return module;
  } catch (const std::exception& failure) {
    const std::string operation = unknown_operation(failure.what());
    if (!operation.empty()) {
      throw InputError(
          fmt::format("{}: unknown operation {}; accepted are the operations that "
                      "LibTorch itself has",
                      file, operation));
    }
    throw InputError(fmt::format("{}: not a TorchScript file, or not a whole one: {}", file,
                                 first_line(failure)));
  }
}

ForwardArgument step_argument(const std::string& name) {
  ForwardArgument argument;
  argument.name = name;
  argument.kind = ValueKind::kStep;
  argument.step_scalar = name == "new_tokens" ? StepScalar::kNewTokens : StepScalar::kCachedTokens;
  return argument;
}

}  // namespace

ScriptModel load_script_file(const std::string& file, const ImportOptions& options) {
  ScriptModel model;
  model.name = file;
  model.module = load_module(file);
  const auto forward = model.module.find_method("forward");
  if (!forward) throw InputError(fmt::format("{}: it has no method forward", file));

  std::vector<ForwardArgument> given;
  for (const std::string& text : options.inputs) given.push_back(parse_input(text));
  const auto& arguments = forward->function().getSchema().arguments();
  bool guessed = false;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& name = arguments[i].name();
    const auto found = std::find_if(given.begin(), given.end(),
                                    [&](const ForwardArgument& g) { return g.name == name; });
    if (found != given.end()) {
      model.arguments.push_back(*found);
      given.erase(found);
    } else if (name == "new_tokens" || name == "cached_tokens") {
      model.arguments.push_back(step_argument(name));
    } else if (!arguments[i].default_value()) {
      if (guessed || !options.inputs.empty() || *arguments[i].type() != *c10::TensorType::get()) {
        throw InputError(
            fmt::format("{}: the shape of forward's argument {} ({}) is not given; "
                        "write --input {}=DIMxDIMx...:DTYPE",
                        file, name, arguments[i].type()->repr_str(), name));
      }
      ForwardArgument argument;
      argument.name = name;
      model.arguments.push_back(argument);
      guessed = true;
    }
  }
  if (!given.empty()) {
    throw InputError(fmt::format("{}: forward has no argument {}; it is {}", file, given[0].name,
                                 fmt::streamed(forward->function().getSchema())));
  }
  return model;
}

}  // namespace lingua
