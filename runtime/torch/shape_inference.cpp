#include "runtime/torch/shape_inference.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/torch/tensor_convert.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

namespace jit = torch::jit;
using IValues = std::vector<c10::IValue>;

// The largest tensor of zeros that stands in for one without contents; above it, one zero repeated.
constexpr std::int64_t kDenseBytes = 16 << 20;

template <typename Map>
c10::IValue map_tensors(const c10::IValue& value, const Map& map) {
  if (value.isTensor())
    return value.toTensor().defined() ? c10::IValue(map(value.toTensor())) : value;
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(map(tensor));
    return list;
  }
  if (value.isList() && value.toList().elementType()->isSubtypeOf(
                            *c10::OptionalType::create(c10::TensorType::get()))) {
    c10::List<c10::optional<at::Tensor>> list;
    for (const c10::IValue& element : value.toListRef()) {
      list.push_back(element.isTensor() ? c10::optional<at::Tensor>(map(element.toTensor()))
                                        : c10::nullopt);
    }
    return list;
  }
  return value;
}

bool has_meta(const c10::IValue& value) {
  bool found = false;
  map_tensors(value, [&](const at::Tensor& tensor) {
    found = found || tensor.is_meta();
    return tensor;
  });
  return found;
}

at::Tensor to_meta(const at::Tensor& tensor) {
  if (tensor.is_meta()) return tensor;
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta));
}

at::Tensor to_zeros(const at::Tensor& tensor) {
  if (!tensor.is_meta()) return tensor;
  const auto options = tensor.options().device(at::kCPU);
  if (static_cast<std::int64_t>(tensor.nbytes()) <= kDenseBytes) {
    return at::zeros(tensor.sizes(), options);
  }
  return at::zeros({}, options).expand(tensor.sizes());
}

bool has_shape_by_contents(const jit::Node& node, const IValues& operands) {
  static const std::set<std::string> kinds = {"aten::nonzero",
                                              "aten::masked_select",
                                              "aten::unique",
                                              "aten::_unique2",
                                              "aten::argwhere",
                                              "aten::unique_dim",
                                              "aten::unique_consecutive",
                                              "aten::bincount"};
  const std::string kind = node.kind().toQualString();
  if (kind == "aten::index" || kind == "aten::index_put_" || kind == "aten::index_put") {
    bool by_mask = false;
    map_tensors(operands.at(1), [&](const at::Tensor& index) {
      by_mask = by_mask || index.scalar_type() == at::kBool || index.scalar_type() == at::kByte;
      return index;
    });
    return by_mask && kind == "aten::index";
  }
  return kinds.count(kind) != 0 || (kind == "aten::where" && operands.size() == 1);
}

IValues execute(const jit::Node& node, const IValues& operands) {
  jit::Stack stack(operands.begin(), operands.end());
  if (node.getOperator().schema().is_vararg()) {
    stack.emplace_back(static_cast<std::int64_t>(operands.size()));
  }
  node.getOperation()(stack);
  return {stack.begin(), stack.end()};
}

class Interpreter {
 public:
  Interpreter(const ScriptModel& model, std::set<std::string>* without_meta)
      : model_(model), without_meta_(*without_meta) {}

  StepSample run(const ScriptForward& forward, const Step& step) {
    for (std::size_t i = 0; i < forward.arguments.size(); ++i) {
      sample_.values[forward.arguments[i]] = argument(model_.arguments[i], step);
    }
    for (const ScriptWeight& weight : forward.weights) {
      sample_.values[weight.value] = to_meta(weight.tensor);
    }
    for (const jit::Node* node : forward.graph->nodes()) sample_.costs[node] = run(*node);
    return std::move(sample_);
  }

 private:
  static c10::IValue argument(const ForwardArgument& argument, const Step& step) {
    if (argument.kind == ValueKind::kStep) {
      return argument.step_scalar == StepScalar::kNewTokens ? step.new_tokens : step.cached_tokens;
    }
    std::vector<std::int64_t> shape = argument.state_shape;
    std::replace(shape.begin(), shape.end(), kCapacity, step.new_tokens + step.cached_tokens);
    for (const StepFunction& dim : argument.dims) shape.push_back(std::llround(dim.at(step)));
    return at::empty(shape, at::dtype(to_scalar_type(argument.dtype)).device(at::kMeta));
  }

  OpCost run(const jit::Block& block) {
    OpCost cost;
    for (const jit::Node* node : block.nodes()) cost += run(*node);
    return cost;
  }

  OpCost run(const jit::Node& node) {
    if (node.kind() == c10::prim::Constant) {
      sample_.values[node.output()] = jit::toIValue(node.output()).value_or(c10::IValue());
      return {};
    }
    try {
      if (node.kind() == c10::prim::If) return run_if(node);
      if (node.kind() == c10::prim::Loop) return run_loop(node);
      return run_operation(node);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail(node, first_line(error));
    }
  }

  [[noreturn]] void fail(const jit::Node& node, const std::string& why) const {
    throw InputError(
        fmt::format("{}: {} cannot be run: {}", model_.name, node.kind().toQualString(), why));
  }

  OpCost run_if(const jit::Node& node) {
    const jit::Block* block = node.blocks().at(value(node.input()).toBool() ? 0 : 1);
    const OpCost cost = run(*block);
    assign(node.outputs(), block->outputs());
    return cost;
  }

  OpCost run_loop(const jit::Node& node) {
    constexpr std::int64_t kMostRounds = 1 << 16;
    const jit::Block* body = node.blocks().at(0);
    const std::int64_t most = value(node.inputs()[0]).toInt();
    bool go_on = value(node.inputs()[1]).toBool();
    IValues carried;
    for (const jit::Value* input : node.inputs().slice(2)) carried.push_back(value(input));
    OpCost cost;
    for (std::int64_t i = 0; i < most && go_on; ++i) {
      if (i == kMostRounds) fail(node, fmt::format("it loops more than {} times", kMostRounds));
      sample_.values[body->inputs()[0]] = i;
      for (std::size_t k = 0; k < carried.size(); ++k) {
        sample_.values[body->inputs()[k + 1]] = carried[k];
      }
      cost += run(*body);
      go_on = value(body->outputs()[0]).toBool();
      for (std::size_t k = 0; k < carried.size(); ++k) carried[k] = value(body->outputs()[k + 1]);
    }
    for (std::size_t k = 0; k < carried.size(); ++k) sample_.values[node.outputs()[k]] = carried[k];
    return cost;
  }

  void assign(at::ArrayRef<const jit::Value*> to, at::ArrayRef<const jit::Value*> from) {
    for (std::size_t i = 0; i < to.size(); ++i) sample_.values[to[i]] = value(from[i]);
  }

  const c10::IValue& value(const jit::Value* value) const {
    const auto found = sample_.values.find(value);
    LINGUA_CHECK(found != sample_.values.end(), "value {} is used before it is made",
                 value->debugName());
    return found->second;
  }

  OpCost run_operation(const jit::Node& node) {
    IValues operands;
    for (const jit::Value* input : node.inputs()) operands.push_back(value(input));
    const bool is_meta = std::any_of(operands.begin(), operands.end(), has_meta);
    IValues results;
    if (!run_construction(node, operands, &results)) {
      if (is_meta && has_shape_by_contents(node, operands)) {
        fail(node, "the shape of its result depends on the contents of tensors");
      }
      if (is_meta) {
        for (std::size_t i = 0; i < operands.size(); ++i) {
          if (!writes_to_list(node, i)) operands[i] = map_tensors(operands[i], join_meta);
        }
      }
      check_types(node, operands);
      results = is_meta ? run_without_contents(node, operands) : execute(node, operands);
    }
    LINGUA_CHECK(results.size() == node.outputs().size());
    for (std::size_t i = 0; i < results.size(); ++i) sample_.values[node.outputs()[i]] = results[i];
    return op_cost(node, operands, results);
  }

  // A list that an operation changes is that list, no copy.
  static bool writes_to_list(const jit::Node& node, std::size_t index) {
    const c10::FunctionSchema* schema = node.maybeSchema();
    if (schema == nullptr || index >= schema->arguments().size()) return false;
    const c10::AliasInfo* info = schema->arguments()[index].alias_info();
    return info != nullptr && info->isWrite() &&
           node.input(index)->type()->kind() == c10::TypeKind::ListType;
  }

  // A tensor with contents among tensors without; a number keeps its contents, which may matter.
  static at::Tensor join_meta(const at::Tensor& tensor) {
    return tensor.dim() == 0 ? tensor : to_meta(tensor);
  }

  // The meta device multiplies what real kernels refuse.
  void check_types(const jit::Node& node, const IValues& operands) const {
    if (!is_matrix_product(node)) return;
    c10::optional<at::ScalarType> first;
    for (const c10::IValue& operand : operands) {
      if (!operand.isTensor() || !operand.toTensor().defined()) continue;
      const at::ScalarType type = operand.toTensor().scalar_type();
      if (first && *first != type) {
        fail(node,
             fmt::format("its operands are {} and {}", c10::toString(*first), c10::toString(type)));
      }
      first = type;
    }
  }

  // Containers are instructions of LibTorch's interpreter, not operations.
  static bool run_construction(const jit::Node& node, const IValues& operands, IValues* results) {
    if (node.kind() == c10::prim::ListConstruct) {
      c10::impl::GenericList list(node.output()->type()->containedType(0));
      for (const c10::IValue& operand : operands) list.push_back(operand);
      *results = {list};
    } else if (node.kind() == c10::prim::TupleConstruct) {
      *results = {c10::ivalue::Tuple::create(operands)};
    } else if (node.kind() == c10::prim::ListUnpack) {
      const auto elements = operands.at(0).toListRef();
      results->assign(elements.begin(), elements.end());
      TORCH_CHECK(results->size() == node.outputs().size(), "a list of ", results->size(),
                  " values is taken for one of ", node.outputs().size());
    } else if (node.kind() == c10::prim::TupleUnpack) {
      const auto& elements = operands.at(0).toTupleRef().elements();
      results->assign(elements.begin(), elements.end());
    } else if (node.kind() == c10::prim::unchecked_cast) {
      *results = operands;
    } else {
      return false;
    }
    return true;
  }

  IValues run_without_contents(const jit::Node& node, const IValues& operands) {
    const std::string kind =
        node.maybeSchema() != nullptr ? c10::toString(node.maybeSchema()->operator_name()) : "";
    if (without_meta_.count(kind) == 0) {
      try {
        return execute(node, operands);
      } catch (const std::exception&) {
        // Kernels for the meta device are missing for many operations; real ones tell more.
      }
    }
    const auto outputs = node.outputs();
    const bool gives_tensors = std::any_of(outputs.begin(), outputs.end(), [](const jit::Value* v) {
      return v->type()->isSubtypeOf(*c10::TensorType::get()) ||
             v->type()->kind() == c10::TypeKind::ListType;
    });
    if (!gives_tensors && !outputs.empty()) {
      fail(node, "its result depends on the contents of tensors");
    }
    IValues zeros;
    for (const c10::IValue& operand : operands) zeros.push_back(map_tensors(operand, to_zeros));
    IValues results = execute(node, zeros);
    without_meta_.insert(kind);
    for (c10::IValue& result : results) result = map_tensors(result, to_meta);
    return results;
  }

  const ScriptModel& model_;
  std::set<std::string>& without_meta_;
  StepSample sample_;
};

// Sums and products of sizes: constant when they are the same at all sample steps. Of a comparison
// or a minimum that is not true.
bool is_polynomial(const jit::Node& node, const std::set<const jit::Value*>& polynomial) {
  static const std::set<std::string> kSources = {"aten::size", "aten::dim", "prim::dtype"};
  static const std::set<std::string> kOperations = {
      "aten::__getitem__", "prim::ListUnpack", "prim::ListConstruct", "aten::slice", "aten::len",
      "aten::add",         "aten::sub",        "aten::mul",           "aten::neg"};
  const std::string kind = node.kind().toQualString();
  return kSources.count(kind) != 0 ||
         (kOperations.count(kind) != 0 &&
          std::all_of(node.inputs().begin(), node.inputs().end(),
                      [&](const jit::Value* input) { return polynomial.count(input) != 0; }));
}

bool is_number(const c10::IValue& value) {
  return value.isInt() || value.isDouble() || value.isBool();
}

bool has_half(const c10::IValue& value) {
  bool found = false;
  map_tensors(value, [&](const at::Tensor& tensor) {
    found = found || tensor.scalar_type() == at::kHalf;
    return tensor;
  });
  return found;
}

// True when the node runs on operands of this kind, as far as the kernel's dtype is concerned.
bool has_half_kernel(const jit::Node& node, const IValues& operands) {
  IValues zeros;
  for (const c10::IValue& operand : operands) zeros.push_back(map_tensors(operand, to_zeros));
  try {
    execute(node, zeros);
  } catch (const std::exception& error) {
    return std::string(error.what()).find("not implemented for 'Half'") == std::string::npos;
  }
  return true;
}

bool is_same_everywhere(const jit::Value* value, const std::vector<StepSample>& samples) {
  const c10::IValue& first = samples.front().values.at(value);
  return is_number(first) && std::all_of(samples.begin(), samples.end(), [&](const auto& sample) {
           const c10::IValue& other = sample.values.at(value);
           return other.tagKind() == first.tagKind() && other == first;
         });
}

}  // namespace

std::vector<StepSample> sample_steps(const ScriptModel& model, const ScriptForward& forward) {
  const c10::InferenceMode no_autograd;
  std::set<std::string> without_meta;
  std::vector<StepSample> samples;
  for (const Step& step : fit_steps()) {
    samples.push_back(Interpreter(model, &without_meta).run(forward, step));
  }
  return samples;
}

std::string missing_half_kernel(const ScriptForward& forward, const StepSample& sample) {
  const c10::InferenceMode no_autograd;
  std::set<std::string> tried;
  for (const jit::Node* node : forward.graph->nodes()) {
    IValues operands;
    for (const jit::Value* input : node->inputs()) operands.push_back(sample.values.at(input));
    if (node->maybeSchema() == nullptr || !node->blocks().empty() ||
        std::none_of(operands.begin(), operands.end(), has_half)) {
      continue;
    }
    const std::string kind = node->kind().toQualString();
    if (tried.insert(kind).second && !has_half_kernel(*node, operands)) return kind;
  }
  return "";
}

int fold_constants(ScriptForward& forward, const std::vector<StepSample>& samples) {
  std::set<const jit::Value*> constant;
  std::set<const jit::Value*> polynomial;  // constants included
  for (const jit::Value* argument : forward.arguments) {
    if (!argument->type()->isSubtypeOf(*c10::TensorType::get())) polynomial.insert(argument);
  }
  int count = 0;
  for (jit::Node* node : forward.graph->nodes()) {
    const bool of_constants =
        node->blocks().empty() && !node->isNondeterministic() &&
        std::all_of(node->inputs().begin(), node->inputs().end(),
                    [&](const jit::Value* input) { return constant.count(input) != 0; });
    const bool smooth = of_constants || is_polynomial(*node, polynomial);
    for (jit::Value* output : node->outputs()) {
      if (of_constants) constant.insert(output);
      if (smooth) polynomial.insert(output);
      if (!smooth || node->kind() == c10::prim::Constant || !output->hasUses()) continue;
      if (!is_same_everywhere(output, samples)) continue;
      const jit::WithInsertPoint here(node);
      jit::Value* known = forward.graph->insertConstant(samples.front().values.at(output));
      output->replaceAllUsesWith(known);
      constant.insert(known);
      polynomial.insert(known);
      ++count;
    }
  }
  return count;
}

}  // namespace lingua
