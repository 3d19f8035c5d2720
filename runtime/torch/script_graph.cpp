#include "runtime/torch/script_graph.h"

#include <fmt/ostream.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_pooling.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inline_fork_wait.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/loop_unrolling.h>
#include <torch/csrc/jit/passes/lower_tuples.h>
#include <torch/csrc/jit/passes/peephole.h>
#include <torch/csrc/jit/passes/remove_dropout.h>
#include <torch/csrc/jit/passes/remove_mutation.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/torch/newer_ops.h"
#include "runtime/torch/script_attributes.h"
#include "runtime/torch/script_purity.h"
#include "runtime/torch/script_tuples.h"

namespace lingua {
namespace {

namespace jit = torch::jit;

constexpr std::size_t kLargestConstantBytes = 4096;  // larger ones become weights

bool is_kind(const jit::Node& node, const char* kind) {
  return node.kind() == c10::Symbol::fromQualString(kind);
}

std::set<c10::Symbol> sets_of(const c10::AliasInfo& info) {
  std::set<c10::Symbol> sets(info.beforeSets().begin(), info.beforeSets().end());
  sets.insert(info.afterSets().begin(), info.afterSets().end());
  for (const c10::AliasInfo& contained : info.containedTypes()) sets.merge(sets_of(contained));
  return sets;
}

bool may_share(const c10::AliasInfo& argument, const c10::AliasInfo& result) {
  const std::set<c10::Symbol> ours = sets_of(argument);
  const std::set<c10::Symbol> theirs = sets_of(result);
  return theirs.count(c10::AliasInfo::wildcardSet()) != 0 ||
         std::any_of(ours.begin(), ours.end(),
                     [&](c10::Symbol set) { return theirs.count(set) != 0; });
}

// Gives forward what ScriptModel::arguments says: a value each, and containers of them.
class ArgumentBinder {
 public:
  ArgumentBinder(const ScriptModel& model, ScriptForward& forward)
      : model_(model), forward_(forward), graph_(*forward.graph) {}

  void run() {
    const auto schema = model_.module.get_method("forward").function().getSchema();
    forward_.arguments.assign(model_.arguments.size(), nullptr);
    for (std::size_t i = 1; i < schema.arguments().size(); ++i) {
      bind(schema.arguments()[i], graph_.inputs().at(i));
    }
    for (std::size_t i = 0; i < model_.arguments.size(); ++i) {
      if (forward_.arguments[i] != nullptr) continue;
      throw InputError(fmt::format("{}: forward has no argument {}; it has {}", model_.name,
                                   model_.arguments[i].name, fmt::streamed(schema)));
    }
  }

 private:
  void bind(const c10::Argument& argument, jit::Value* value) {
    std::vector<std::size_t> ours;
    for (std::size_t i = 0; i < model_.arguments.size(); ++i) {
      const ForwardArgument& a = model_.arguments[i];
      if ((a.parameter.empty() ? a.name : a.parameter) == argument.name()) ours.push_back(i);
    }
    const jit::WithInsertPoint start(*graph_.nodes().begin());
    if (ours.empty()) {
      value->replaceAllUsesWith(constant(argument));
    } else if (model_.arguments[ours[0]].parameter.empty()) {
      forward_.arguments[ours[0]] = value;
      if (const auto optional = value->type()->cast<c10::OptionalType>()) {
        value->setType(optional->getElementType());
      }
    } else {
      const auto optional = value->type()->cast<c10::OptionalType>();
      auto next = ours.begin();
      value->replaceAllUsesWith(
          assemble(optional ? optional->getElementType() : value->type(), ours, &next));
    }
  }

  jit::Value* constant(const c10::Argument& argument) {
    const auto given = model_.constants.find(argument.name());
    if (given != model_.constants.end()) return graph_.insertConstant(given->second);
    const auto value = argument.default_value()
                           ? jit::tryInsertConstant(graph_, *argument.default_value())
                           : c10::nullopt;
    if (value) return *value;
    throw InputError(fmt::format("{}: forward's argument {} of type {} is not given", model_.name,
                                 argument.name(), argument.type()->annotation_str()));
  }

  using Indices = std::vector<std::size_t>;

  // A tensor, or a container of the next ones. A list takes all that are left.
  jit::Value* assemble(const c10::TypePtr& type, const Indices& ours, Indices::iterator* next) {
    if (type->kind() == c10::TypeKind::TensorType) {
      const std::size_t index = *(*next)++;
      jit::Value* input = graph_.addInput();
      input->setType(type);
      forward_.arguments[index] = input;
      return input;
    }
    std::vector<jit::Value*> elements;
    if (const auto tuple = type->cast<c10::TupleType>()) {
      for (const c10::TypePtr& element : tuple->elements()) {
        elements.push_back(assemble(element, ours, next));
      }
      return graph_.insertNode(graph_.createTuple(elements, tuple->schema() ? tuple : nullptr))
          ->output();
    }
    while (*next != ours.end()) elements.push_back(assemble(type->containedType(0), ours, next));
    return graph_.insertNode(graph_.createList(type->containedType(0), elements))->output();
  }

  const ScriptModel& model_;
  ScriptForward& forward_;
  jit::Graph& graph_;
};

void remove_messages(jit::Block& block) {
  for (auto it = block.nodes().begin(); it != block.nodes().end(); ++it) {
    for (jit::Block* inner : it->blocks()) remove_messages(*inner);
    if (is_kind(**it, "prim::Print") || is_kind(**it, "aten::warn")) it.destroyCurrent();
  }
}

void lift_large_constants(ScriptForward& forward, jit::Block& block, int* count) {
  for (jit::Node* node : block.nodes()) {
    for (jit::Block* inner : node->blocks()) lift_large_constants(forward, *inner, count);
    if (node->kind() != c10::prim::Constant) continue;
    const auto constant = jit::toIValue(node->output());
    if (!constant || !constant->isTensor() || !constant->toTensor().defined()) continue;
    if (constant->toTensor().nbytes() <= kLargestConstantBytes) continue;
    jit::Value* value = forward.graph->addInput();
    value->setType(c10::TensorType::get());
    node->output()->replaceAllUsesWith(value);
    forward.weights.push_back(
        {fmt::format("constant.{}", (*count)++), constant->toTensor().detach(), value});
  }
}

// What is given to forward belongs to others: where it is written to, a copy is.
void copy_written_inputs(const ScriptModel& model, ScriptForward& forward) {
  const Aliases aliases(*forward.graph);
  for (std::size_t i = 0; i < model.arguments.size(); ++i) {
    jit::Value* argument = forward.arguments[i];
    if (model.arguments[i].kind != ValueKind::kInput || !aliases.is_written(argument)) continue;
    const jit::WithInsertPoint start(*forward.graph->nodes().begin());
    jit::Value* copy =
        forward.graph->insert(c10::Symbol::fromQualString("aten::clone"), {argument});
    argument->replaceAllUsesAfterNodeWith(copy->node(), copy);
  }
  for (const ScriptWeight& weight : forward.weights) {
    if (!aliases.is_written(weight.value)) continue;
    throw InputError(fmt::format(
        "{}: forward writes to its weight {}; a model that is cut into segments must "
        "not (a model in training mode does: call model.eval() before it is saved; some "
        "do always)",
        model.name, weight.name));
  }
}

// Lists of constants that nobody changes become constants.
void fold_lists(jit::Graph& graph) {
  const Aliases aliases(graph);
  for (jit::Node* node : graph.nodes()) {
    if (node->kind() != c10::prim::ListConstruct || node->inputs().empty()) continue;
    const c10::TypePtr element = node->output()->type()->containedType(0);
    if (*element != *c10::IntType::get() && *element != *c10::FloatType::get()) continue;
    c10::impl::GenericList list(element);
    for (const jit::Value* input : node->inputs()) {
      if (const auto constant = jit::toIValue(input)) list.push_back(*constant);
    }
    if (list.size() != node->inputs().size() || aliases.is_written(node->output())) continue;
    const jit::WithInsertPoint here(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(list));
  }
}

// The leaves of nested tuples, lists and dictionaries, in their order. Nothing (None) is left out, and
// what is changed after it was put together is a leaf.
void collect_outputs(const Aliases& aliases, jit::Value* value, std::vector<jit::Value*>* leaves) {
  jit::Node* node = value->node();
  const bool is_dictionary = node->kind() == c10::prim::DictConstruct;
  const bool may_change = node->kind() == c10::prim::ListConstruct || is_dictionary;
  if (value->type()->kind() == c10::TypeKind::NoneType) return;
  if (node->kind() != c10::prim::TupleConstruct && (!may_change || aliases.is_written(value))) {
    leaves->push_back(value);
    return;
  }
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    if (!is_dictionary || i % 2 == 1) collect_outputs(aliases, node->input(i), leaves);
  }
}

bool is_tensor_list(const jit::Value& value) {
  return *value.type() == *c10::ListType::ofTensors();
}

// Makes an output of ours: what belongs to others (arguments, weights, constants) is copied.
void register_output(jit::Graph& graph, const Aliases& aliases, jit::Value* output) {
  const auto& roots = aliases.roots(output);
  const bool is_ours = output->node()->kind() != c10::prim::Constant &&
                       std::none_of(roots.begin(), roots.end(), [](const jit::Value* root) {
                         return root->node()->kind() == c10::prim::Param;
                       });
  const jit::WithInsertPoint end(graph.return_node());
  if (!is_ours) output = graph.insert(c10::Symbol::fromQualString("aten::clone"), {output});
  graph.registerOutput(output);
}

// Containers of tensors become that many outputs; a list that an operation makes stays, as its
// length is not known yet.
void flatten_outputs(const ScriptModel& model, ScriptForward& forward) {
  jit::Graph& graph = *forward.graph;
  std::vector<jit::Value*> outputs;
  const Aliases before(graph);
  for (jit::Value* output : graph.outputs()) collect_outputs(before, output, &outputs);
  if (outputs.empty()) throw InputError(fmt::format("{}: forward returns nothing", model.name));
  while (!graph.outputs().empty()) graph.eraseOutput(0);
  const auto tensor = c10::TensorType::get();
  for (jit::Value*& output : outputs) {
    if (output->type()->isSubtypeOf(*tensor) || is_tensor_list(*output)) continue;
    if (!output->type()->isSubtypeOf(*c10::OptionalType::create(tensor))) {
      throw InputError(fmt::format(
          "{}: forward returns a value of type {}; accepted are tensors, and tuples, lists and "
          "dictionaries of tensors that forward puts together",
          model.name, output->type()->annotation_str()));
    }
    const jit::WithInsertPoint end(graph.return_node());
    output = graph.insert(c10::Symbol::fromQualString("aten::_unwrap_optional"), {output});
  }
  const Aliases aliases(graph);
  for (jit::Value* output : outputs) {
    if (is_tensor_list(*output)) {
      graph.registerOutput(output);
    } else {
      register_output(graph, aliases, output);
    }
  }
}

}  // namespace

void simplify(ScriptForward& forward) {
  std::shared_ptr<jit::Graph>& graph = forward.graph;
  constexpr int kRounds = 3;  // unrolled loops and resolved branches uncover more constants
  for (int i = 0; i < kRounds; ++i) {
    jit::RemoveListMutation(graph);
    jit::ConstantPropagationImmutableTypes(graph);
    jit::PeepholeOptimize(graph, /*disable_shape_peepholes=*/true);
    jit::UnrollConstantLoops(graph);
    split_carried_tuples(*graph);
    jit::LowerSimpleTuples(graph);
  }
  jit::RemoveTensorMutation(graph);
  fold_lists(*graph);
  jit::ConstantPooling(graph);
  jit::EliminateDeadCode(graph);
}

ScriptForward flatten_forward(const ScriptModel& model) {
  const auto method = model.module.find_method("forward");
  if (!method) throw InputError(fmt::format("{}: it has no method forward", model.name));
  ScriptForward forward;
  forward.graph = jit::toGraphFunction(method->function()).graph()->copy();
  jit::Inline(*forward.graph);
  jit::InlineForkWait(forward.graph);
  ArgumentBinder(model, forward).run();
  resolve_attributes(model, forward);
  remove_messages(*forward.graph->block());
  jit::removeDropout(forward.graph);
  int constants = 0;
  lift_large_constants(forward, *forward.graph->block(), &constants);
  simplify(forward);
  remove_idle_dropout(*forward.graph);
  expand_newer_ops(forward.graph);
  simplify(forward);
  check_attributes(model, *forward.graph);
  copy_written_inputs(model, forward);
  flatten_outputs(model, forward);
  simplify(forward);
  return forward;
}

bool unpack_output_lists(ScriptForward& forward, const std::vector<std::size_t>& lengths) {
  jit::Graph& graph = *forward.graph;
  const std::vector<jit::Value*> outputs(graph.outputs().begin(), graph.outputs().end());
  if (std::none_of(outputs.begin(), outputs.end(),
                   [](const jit::Value* output) { return is_tensor_list(*output); })) {
    return false;
  }
  while (!graph.outputs().empty()) graph.eraseOutput(0);
  std::vector<jit::Value*> leaves;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!is_tensor_list(*outputs[i])) {
      leaves.push_back(outputs[i]);
      continue;
    }
    const jit::WithInsertPoint end(graph.return_node());
    jit::Node* unpack = graph.insertNode(graph.createListUnpack(outputs[i], lengths.at(i)));
    leaves.insert(leaves.end(), unpack->outputs().begin(), unpack->outputs().end());
  }
  const Aliases aliases(graph);
  for (jit::Value* leaf : leaves) register_output(graph, aliases, leaf);
  return true;
}

Aliases::Aliases(const jit::Graph& graph) {
  for (const jit::Value* input : graph.inputs()) roots_[input] = {input};
  visit(*graph.block());
}

const std::set<const jit::Value*>& Aliases::roots(const jit::Value* value) const {
  static const std::set<const jit::Value*> kNone;
  const auto found = roots_.find(value);
  return found == roots_.end() ? kNone : found->second;
}

bool Aliases::is_written(const jit::Value* value) const {
  const auto& all = roots(value);
  return std::any_of(all.begin(), all.end(),
                     [&](const jit::Value* root) { return written_.count(root) != 0; });
}

void Aliases::visit(const jit::Block& block) {
  for (const jit::Node* node : block.nodes()) visit(*node);
}

void Aliases::visit(const jit::Node& node) {
  if (node.kind() == c10::prim::Constant) return;
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (!node.blocks().empty() || schema == nullptr) {
    visit_container(node);
    return;
  }
  const std::size_t inputs = std::min(node.inputs().size(), schema->arguments().size());
  for (std::size_t i = 0; i < inputs; ++i) {
    const c10::AliasInfo* info = schema->arguments()[i].alias_info();
    if (info == nullptr || !info->isWrite()) continue;
    written_.insert(roots(node.inputs()[i]).begin(), roots(node.inputs()[i]).end());
  }
  for (std::size_t o = 0; o < node.outputs().size(); ++o) {
    const jit::Value* output = node.outputs()[o];
    const c10::AliasInfo* info =
        o < schema->returns().size() ? schema->returns()[o].alias_info() : nullptr;
    for (std::size_t i = 0; info != nullptr && i < inputs; ++i) {
      const c10::AliasInfo* from = schema->arguments()[i].alias_info();
      if (from != nullptr && may_share(*from, *info)) add_roots(output, node.inputs()[i]);
    }
    if (roots_[output].empty()) roots_[output].insert(output);
  }
}

// Containers and control flow: what comes out may be anything that went in.
void Aliases::visit_container(const jit::Node& node) {
  const auto operands = operands_of(node);
  const auto assume = [&](const jit::Value* value) {
    roots_[value].insert(value);
    for (const jit::Value* operand : operands) add_roots(value, operand);
  };
  for (const jit::Block* block : node.blocks()) {
    for (const jit::Value* input : block->inputs()) assume(input);
    visit(*block);
  }
  for (const jit::Value* output : node.outputs()) {
    assume(output);
    for (const jit::Block* block : node.blocks()) {
      for (const jit::Value* inner : block->outputs()) add_roots(output, inner);
    }
  }
}

void Aliases::add_roots(const jit::Value* to, const jit::Value* from) {
  const std::set<const jit::Value*> more = roots(from);
  roots_[to].insert(more.begin(), more.end());
}

std::vector<jit::Value*> operands_of(const jit::Node& node) {
  std::vector<jit::Value*> operands;
  std::set<const jit::Value*> known;
  const auto add = [&](jit::Value* value) {
    if (value->node()->kind() == c10::prim::Constant) return;
    if (known.insert(value).second) operands.push_back(value);
  };
  for (jit::Value* input : const_cast<jit::Node&>(node).inputs()) add(input);
  const auto visit = [&](const auto& self, jit::Block* block) -> void {
    for (jit::Value* input : block->inputs()) known.insert(input);
    for (jit::Node* inner : block->nodes()) {
      for (jit::Value* input : inner->inputs()) add(input);
      for (jit::Block* nested : inner->blocks()) self(self, nested);
      for (jit::Value* output : inner->outputs()) known.insert(output);
    }
    for (jit::Value* output : block->outputs()) add(output);
  };
  for (jit::Block* block : const_cast<jit::Node&>(node).blocks()) visit(visit, block);
  return operands;
}

}  // namespace lingua
