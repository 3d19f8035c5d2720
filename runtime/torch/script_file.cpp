#include <fmt/format.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/version.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/file_kind.h"
#include "runtime/torch/family.h"
#include "runtime/torch/newer_ops.h"
#include "runtime/torch/script_arguments.h"
#include "runtime/torch/script_check.h"
#include "runtime/torch/script_model.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

// "Unknown builtin op: my::op." -> "my::op", or nothing.
std::string unknown_operation(const std::string& message) {
  static constexpr std::string_view kMark = "Unknown builtin op: ";
  const auto start = message.find(kMark);
  if (start == std::string::npos) return "";
  const auto begin = start + kMark.size();
  return message.substr(begin, message.find_first_of(". \n", begin) - begin);
}

// "aten::squeeze(Tensor self) -> Tensor:", the first variant that a call does not fit -> the name.
std::string misfitting_operation(const std::string& message) {
  const bool misfits = message.find("variants are available") != std::string::npos ||
                       message.find("Expected a value of type") != std::string::npos ||
                       message.find("Unknown keyword argument") != std::string::npos ||
                       message.find("missing value for argument") != std::string::npos;
  const auto start = misfits ? message.find("aten::") : std::string::npos;
  if (start == std::string::npos) return "";
  return message.substr(start, message.find_first_of(".( \n", start) - start);
}

// What LibTorch says of a file that it cannot read, in words for its owner.
std::string load_failure(const std::exception& failure) {
  const std::string unknown = unknown_operation(failure.what());
  if (!unknown.empty()) {
    return fmt::format(
        "unknown operation {}; accepted are the operations of LibTorch {} and some "
        "newer ones",
        unknown, TORCH_VERSION);
  }
  const std::string misfit = misfitting_operation(failure.what());
  if (!misfit.empty()) {
    return fmt::format(
        "calls {} with arguments that LibTorch {} does not know; accepted are those "
        "of its own version",
        misfit, TORCH_VERSION);
  }
  return "not a TorchScript file, or not a whole one: " + first_line(failure);
}

torch::jit::Module load_module(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw InputError(
        fmt::format("{}: there is no such file; write a model folder, a GGUF file, a TorchScript "
                    "file or the name of a published configuration: {}",
                    file, fmt::join(published_configs(), ", ")));
  }
  if (const std::string why = why_no_model_file(file); !why.empty()) {
    throw InputError(fmt::format("{}: not a TorchScript file: it {}", file, why));
  }
  check_script_file(file);
  register_newer_ops();
  try {
    torch::jit::Module module = torch::jit::load(file, at::kCPU);
    module.eval();
    return module;
  } catch (const std::exception& failure) {
    throw InputError(fmt::format("{}: {}", file, load_failure(failure)));
  }
}

}  // namespace

ScriptModel load_script_file(const std::string& file, const ImportOptions& options) {
  ScriptModel model;
  model.name = file;
  model.module = load_module(file);
  const auto forward = model.module.find_method("forward");
  if (!forward) throw InputError(fmt::format("{}: it has no method forward", file));
  check_script_operations(file, model.module);
  describe_arguments(forward->function().getSchema(), options.inputs, &model);
  return model;
}

}  // namespace lingua
