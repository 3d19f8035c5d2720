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

namespace lingua {
namespace {

namespace jit = torch::jit;

constexpr std::size_t kLargestConstantBytes = 4096;  // larger ones become weights

bool is_kind(const jit::Node& node, const char* kind) {
  return node.kind() == c10::Symbol::fromQualString(kind);
}

// Finds the attributes that forward reads: modules on the way, tensors as weights, the rest as
// constants.
class AttributeResolver {
 public:
  AttributeResolver(const ScriptModel& model, ScriptForward& forward)
      : model_(model), forward_(forward), graph_(*forward.graph) {}

  void run() {
    objects_[graph_.inputs().at(0)] = {model_.module._ivalue(), ""};
    resolve(*graph_.block());
    for (jit::Node* node : read_) {
      if (!node->hasUses()) node->destroy();
    }
  }

 private:
  struct Object {
    c10::IValue value;
    std::string path;  // "" or "transformer."
  };

  void resolve(jit::Block& block) {
    for (jit::Node* node : block.nodes()) {
      for (jit::Block* inner : node->blocks()) resolve(*inner);
      if (node->kind() == c10::prim::GetAttr) resolve(*node);
      if (node->kind() == c10::prim::SetAttr && objects_.count(node->input(0)) != 0) {
        throw InputError(fmt::format(
            "{}: forward changes its attribute {}; a model that is cut into segments must not",
            model_.name, objects_[node->input(0)].path + node->s(c10::attr::name)));
      }
    }
  }

  void resolve(jit::Node& node) {
    const auto owner = objects_.find(node.input());
    if (owner == objects_.end()) return;
    const std::string path = owner->second.path + node.s(c10::attr::name);
    const c10::IValue value = owner->second.value.toObjectRef().getAttr(node.s(c10::attr::name));
    read_.insert(read_.begin(), &node);  // users before what they use
    if (value.isObject()) {
      objects_[node.output()] = {value, path + "."};
    } else if (value.isTensor()) {
      node.output()->replaceAllUsesWith(weight(path, value.toTensor()));
    } else {
      const jit::WithInsertPoint here(&node);
      const auto constant = jit::tryInsertConstant(graph_, value);
      if (!constant) {
        throw InputError(
            fmt::format("{}: attribute {} of type {} is not supported; accepted are "
                        "tensors, numbers, strings and lists of them",
                        model_.name, path, value.type()->repr_str()));
      }
      node.output()->replaceAllUsesWith(*constant);
    }
  }

  jit::Value* weight(const std::string& path, const at::Tensor& tensor) {
    const auto renamed = model_.weight_names.find(path);
    const std::string name = renamed == model_.weight_names.end() ? path : renamed->second;
    for (const ScriptWeight& known : forward_.weights) {
      if (known.name == name || same_memory(known.tensor, tensor)) return known.value;
    }
    jit::Value* value = graph_.addInput();
    value->setType(c10::TensorType::get());
    forward_.weights.push_back({name, tensor.detach(), value});
    return value;
  }

  static bool same_memory(const at::Tensor& a, const at::Tensor& b) {
    return a.has_storage() && b.has_storage() && a.is_alias_of(b) && a.sizes() == b.sizes() &&
           a.strides() == b.strides() && a.storage_offset() == b.storage_offset() &&
           a.scalar_type() == b.scalar_type();
  }

  const ScriptModel& model_;
  ScriptForward& forward_;
  jit::Graph& graph_;
  std::unordered_map<const jit::Value*, Object> objects_;
  std::vector<jit::Node*> read_;
};

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

// Graph inputs that ScriptModel::arguments does not name become their default values.
void bind_arguments(const ScriptModel& model, ScriptForward& forward) {
  const auto schema = model.module.get_method("forward").function().getSchema();
  jit::Graph& graph = *forward.graph;
  forward.arguments.assign(model.arguments.size(), nullptr);
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {
    const c10::Argument& argument = schema.arguments()[i];
    jit::Value* value = graph.inputs().at(i);
    const auto named = std::find_if(model.arguments.begin(), model.arguments.end(),
                                    [&](const auto& a) { return a.name == argument.name(); });
    if (named != model.arguments.end()) {
      forward.arguments[static_cast<std::size_t>(named - model.arguments.begin())] = value;
      continue;
    }
    const jit::WithInsertPoint start(*graph.nodes().begin());
    const auto constant = argument.default_value()
                              ? jit::tryInsertConstant(graph, *argument.default_value())
                              : c10::nullopt;
    if (!constant) {
      throw InputError(fmt::format("{}: forward's argument {} of type {} is not given", model.name,
                                   argument.name(), argument.type()->repr_str()));
    }
    value->replaceAllUsesWith(*constant);
  }
  for (std::size_t i = 0; i < model.arguments.size(); ++i) {
    if (forward.arguments[i] == nullptr) {
      throw InputError(fmt::format("{}: forward has no argument {}; it has {}", model.name,
                                   model.arguments[i].name, fmt::streamed(schema)));
    }
  }
}

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
    throw InputError(
        fmt::format("{}: forward writes to its weight {}; a model that is cut into "
                    "segments must not",
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

// A tuple or list of tensors becomes that many outputs; what belongs to others is copied.
void flatten_outputs(const ScriptModel& model, ScriptForward& forward) {
  jit::Graph& graph = *forward.graph;
  std::vector<jit::Value*> outputs(graph.outputs().begin(), graph.outputs().end());
  if (outputs.size() == 1 && (outputs[0]->node()->kind() == c10::prim::TupleConstruct ||
                              outputs[0]->node()->kind() == c10::prim::ListConstruct)) {
    jit::Node* container = outputs[0]->node();
    outputs.assign(container->inputs().begin(), container->inputs().end());
  }
  if (outputs.empty()) throw InputError(fmt::format("{}: forward returns nothing", model.name));
  const Aliases aliases(graph);
  while (!graph.outputs().empty()) graph.eraseOutput(0);
  for (jit::Value* output : outputs) {
    if (!output->type()->isSubtypeOf(*c10::TensorType::get())) {
      throw InputError(fmt::format(
          "{}: forward returns a value of type {}; accepted are a tensor or a tuple of tensors",
          model.name, output->type()->repr_str()));
    }
    const auto& roots = aliases.roots(output);
    const bool is_ours = output->node()->kind() != c10::prim::Constant &&
                         std::none_of(roots.begin(), roots.end(), [](const jit::Value* root) {
                           return root->node()->kind() == c10::prim::Param;
                         });
    const jit::WithInsertPoint end(graph.return_node());
    graph.registerOutput(
        is_ours ? output : graph.insert(c10::Symbol::fromQualString("aten::clone"), {output}));
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
  bind_arguments(model, forward);
  AttributeResolver(model, forward).run();
  remove_messages(*forward.graph->block());
  jit::removeDropout(forward.graph);
  int constants = 0;
  lift_large_constants(forward, *forward.graph->block(), &constants);
  simplify(forward);
  copy_written_inputs(model, forward);
  flatten_outputs(model, forward);
  simplify(forward);
  if (forward.graph->inputs().at(0)->hasUses()) {
    const jit::Node* user = forward.graph->inputs().at(0)->uses().front().user;
    throw InputError(fmt::format("{}: {} on a module is not supported", model.name,
                                 user->kind().toQualString()));
  }
  return forward;
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
