#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/torch/import.h"
#include "runtime/torch/linear_ops.h"
#include "runtime/torch/script_model.h"
#include "runtime/torch/tensor_convert.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The module that holds an attribute given by its path ("encoder.weight"), and its name there.
std::pair<torch::jit::Module, std::string> find_attribute(torch::jit::Module module,
                                                          const std::string& path) {
  std::size_t at = 0;
  for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', at)) {
    module = module.attr(path.substr(at, dot - at)).toModule();
    at = dot + 1;
  }
  return {module, path.substr(at)};
}

void read_weights(ScriptModel& model) {
  for (const auto& [path, name] : model.weight_names) {
    auto [owner, attribute] = find_attribute(model.module, path);
    const at::Tensor parameter = owner.attr(attribute).toTensor();
    if (!parameter.is_meta()) continue;
    const at::Tensor real = at::empty(parameter.sizes(), parameter.options().device(at::kCPU));
    model.reader->read(name, 0, static_cast<std::int64_t>(real.nbytes()),
                       static_cast<std::byte*>(real.data_ptr()));
    owner.setattr(attribute, real);
  }
}

at::ScalarType state_type(DType dtype) {
  return dtype == DType::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

c10::IValue step_value(const ForwardArgument& argument, const Step& step) {
  return argument.step_scalar == StepScalar::kNewTokens ? step.new_tokens : step.cached_tokens;
}

using Values = std::vector<c10::IValue>;

// What forward takes for `type`: the next of our values, or a container of them.
c10::IValue assemble(const c10::TypePtr& type, Values::const_iterator* next,
                     Values::const_iterator last) {
  if (const auto optional = type->cast<c10::OptionalType>())
    return assemble(optional->getElementType(), next, last);
  if (const auto tuple = type->cast<c10::TupleType>()) {
    Values elements;
    for (const c10::TypePtr& element : tuple->elements())
      elements.push_back(assemble(element, next, last));
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (type->kind() != c10::TypeKind::ListType) return *(*next)++;
  c10::List<at::Tensor> list;
  while (*next != last) list.push_back((*(*next)++).toTensor());
  return list;
}

void collect(const c10::IValue& value, std::vector<at::Tensor>* leaves) {
  if (value.isTensor()) {
    leaves->push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) collect(element, leaves);
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) collect(element, leaves);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) collect(entry.value(), leaves);
  }
}

// The tensors that forward gives for our arguments, in the order of ScriptModel.
std::vector<at::Tensor> forward(ScriptModel& model, const Values& ours) {
  const auto& parameters = model.module.get_method("forward").function().getSchema().arguments();
  std::unordered_map<std::string, c10::IValue> named;
  for (std::size_t p = 1; p < parameters.size(); ++p) {
    const std::string& name = parameters[p].name();
    Values taken;
    bool several = false;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const ForwardArgument& argument = model.arguments[i];
      several = several || argument.parameter == name;
      if ((argument.parameter.empty() ? argument.name : argument.parameter) == name)
        taken.push_back(ours[i]);
    }
    const auto constant = model.constants.find(name);
    auto next = taken.cbegin();
    if (several) {
      named[name] = assemble(parameters[p].type(), &next, taken.cend());
    } else if (!taken.empty()) {
      named[name] = taken[0];
    } else if (constant != model.constants.end()) {
      named[name] = constant->second;
    }
  }
  std::vector<at::Tensor> leaves;
  collect(model.module.get_method("forward")({}, named), &leaves);
  return leaves;
}

// Runs forward, step after step, on states of its own.
class Generation {
 public:
  Generation(ScriptModel& model, std::int64_t capacity) : model_(model) {
    for (const ForwardArgument& argument : model.arguments) {
      if (argument.kind != ValueKind::kState) continue;
      std::vector<std::int64_t> shape = argument.state_shape;
      std::replace(shape.begin(), shape.end(), kCapacity, capacity);
      states_.push_back(at::zeros(shape, state_type(argument.dtype)));
    }
  }

  // The logits of the last position, [V] in fp32.
  at::Tensor run(const std::vector<std::int64_t>& tokens, std::int64_t cached_tokens) {
    const Step step{static_cast<std::int64_t>(tokens.size()), cached_tokens};
    std::vector<c10::IValue> ours;
    auto state = states_.begin();
    for (const ForwardArgument& argument : model_.arguments) {
      if (argument.kind == ValueKind::kState) {
        ours.emplace_back(*state++);
      } else if (argument.kind == ValueKind::kStep) {
        ours.push_back(step_value(argument, step));
      } else {
        std::vector<std::int64_t> shape;
        for (const StepFunction& dim : argument.dims)
          shape.push_back(static_cast<std::int64_t>(dim.at(step)));
        ours.emplace_back(at::tensor(tokens, at::kLong).reshape(shape));
      }
    }
    const at::Tensor logits = forward(model_, ours).at(0);
    return logits.reshape({-1, model_.vocabulary}).select(0, -1).to(at::kFloat);
  }

 private:
  ScriptModel& model_;
  std::vector<at::Tensor> states_;
};

void check_prompt(const ScriptModel& model, const std::vector<std::int64_t>& prompt) {
  if (prompt.empty())
    throw InputError(
        fmt::format("{}: the prompt has no tokens; at least one is needed", model.name));
  for (std::int64_t token : prompt) {
    if (token >= 0 && token < model.vocabulary) continue;
    throw InputError(
        fmt::format("{}: the prompt's token {} is not in the vocabulary; write 0 to {}", model.name,
                    token, model.vocabulary - 1));
  }
}

// A file does not say what it is: the import finds out.
ScriptModel load_file(const std::string& name, const ImportOptions& options) {
  const ImportedModel imported = import_model(name, options);
  ScriptModel model = load_script_file(name, options);
  model.is_language_model = imported.is_language_model;
  model.vocabulary = imported.vocabulary;
  for (ForwardArgument& argument : model.arguments) {
    for (const ValueId input : imported.graph.inputs) {
      const Value& value = imported.graph.values[input];
      if (value.name == argument.name && value.kind == ValueKind::kInput)
        argument.dims = value.dims;
    }
  }
  return model;
}

ScriptModel load(const std::string& name, const ImportOptions& options) {
  ScriptModel model =
      has_family(name) ? load_model_folder(name, options) : load_file(name, options);
  if (!model.is_language_model) {
    throw InputError(fmt::format(
        "{}: takes no tokens or gives no logits; only a language model generates", name));
  }
  bool shapes_only = false;
  for (const at::Tensor& parameter : model.module.parameters()) {
    shapes_only = shapes_only || (model.reader == nullptr && parameter.is_meta());
  }
  if (shapes_only) {
    throw InputError(
        fmt::format("{}: has shapes and no weights; name a folder with model.safetensors", name));
  }
  return model;
}

using ChooseNext = std::function<Choice(const at::Tensor& logits)>;

Choice choose_largest(const at::Tensor& logits) {
  const float* values = logits.data_ptr<float>();
  return {std::max_element(values, values + logits.numel()) - values, false};
}

// The same memory; not for longer than the logits.
Tensor view_of(const at::Tensor& logits) {
  const auto* bytes = static_cast<const std::byte*>(logits.data_ptr());
  return {DType::kFloat32, {logits.numel()}, {bytes, [](const std::byte*) {}}};
}

ReferenceResult generate(ScriptModel& script, const std::vector<std::int64_t>& prompt,
                         std::int64_t max_tokens, bool keep_logits, const ChooseNext& choose) {
  Generation generation(script, static_cast<std::int64_t>(prompt.size()) + max_tokens);
  ReferenceResult result;
  std::vector<std::int64_t> all = prompt;
  const Clock::time_point start = Clock::now();
  for (std::int64_t made = 0; made < max_tokens; ++made) {
    const bool prefill = made == 0 || !script.kv_cache;
    const at::Tensor logits =
        prefill ? generation.run(all, 0)
                : generation.run({all.back()}, static_cast<std::int64_t>(all.size()) - 1);
    const float* values = logits.data_ptr<float>();
    const Choice choice = choose(logits);
    all.push_back(choice.token);
    result.tokens.push_back(all.back());
    if (keep_logits) result.logits.emplace_back(values, values + logits.numel());
    if (made == 0) result.prefill_s = seconds_since(start);
    if (choice.last) break;
  }
  result.decode_s = seconds_since(start) - result.prefill_s;
  return result;
}

}  // namespace

std::vector<ReferenceResult> generate_reference(
    const std::string& model, const ImportOptions& options,
    const std::vector<std::vector<std::int64_t>>& prompts, std::int64_t max_tokens, int threads,
    bool keep_logits, const ChooseToken& choose) {
  const c10::InferenceMode inference;
  ScriptModel script = load(model, options);
  const torch::jit::GraphOptimizerEnabledGuard no_profiling(
      false);  // without it calls are not inlined
  for (const auto& prompt : prompts) check_prompt(script, prompt);
  read_weights(script);
  register_linear_ops();
  if (threads > 0) at::set_num_threads(threads);
  std::vector<ReferenceResult> results;
  try {
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      ChooseNext next = choose_largest;
      if (choose) next = [&](const at::Tensor& logits) { return choose(i, view_of(logits)); };
      results.push_back(generate(script, prompts[i], max_tokens, keep_logits, next));
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw WorldError(fmt::format("{}: {}", model, first_line(error)));
  }
  return results;
}

std::vector<ReferencePass> run_reference(const std::string& model, const ImportOptions& options,
                                         const std::vector<std::vector<Tensor>>& requests,
                                         const std::vector<std::int64_t>& new_tokens, int threads) {
  const c10::InferenceMode inference;
  ScriptModel script = load_file(model, options);
  const torch::jit::GraphOptimizerEnabledGuard no_profiling(
      false);  // without it calls are not inlined
  if (threads > 0) at::set_num_threads(threads);
  std::vector<ReferencePass> passes;
  for (std::size_t r = 0; r < requests.size(); ++r) {
    auto input = requests[r].begin();
    Values ours;
    for (const ForwardArgument& argument : script.arguments) {
      // A copy: forward may write to what it is given.
      ours.push_back(argument.kind == ValueKind::kStep ? step_value(argument, {new_tokens[r], 0})
                                                       : c10::IValue(to_torch(*input++).clone()));
    }
    try {
      const Clock::time_point start = Clock::now();
      const auto outputs = forward(script, ours);
      ReferencePass& pass = passes.emplace_back();
      pass.seconds = seconds_since(start);
      for (const at::Tensor& output : outputs) pass.outputs.push_back(from_torch(output.clone()));
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw WorldError(fmt::format("{}: {}", model, first_line(error)));
    }
  }
  return passes;
}

}  // namespace lingua
