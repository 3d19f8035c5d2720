#include "runtime/torch/script_purity.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

namespace jit = torch::jit;

template <typename Visit>
void for_each_node(const jit::Block& block, const Visit& visit) {
  for (const jit::Node* node : block.nodes()) {
    visit(*node);
    for (const jit::Block* inner : node->blocks()) for_each_node(*inner, visit);
  }
}

// The operand that the schema calls by one of these names; null when there is none.
const jit::Value* operand(const jit::Node& node, std::initializer_list<const char*> names) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return nullptr;
  for (const char* name : names) {
    const auto index = schema->argumentIndexWithName(name);
    if (index && static_cast<std::size_t>(*index) < node.inputs().size()) {
      return node.inputs()[static_cast<std::size_t>(*index)];
    }
  }
  return nullptr;
}

const jit::Value* training_flag(const jit::Node& node) {
  return operand(node, {"train", "training", "use_input_stats"});
}

bool is_false(const jit::Value* value) {
  const auto constant = value == nullptr ? c10::nullopt : jit::toIValue(value);
  return constant && constant->isBool() && !constant->toBool();
}

bool is_zero(const jit::Value* value) {
  const auto constant = jit::toIValue(value);
  return constant && ((constant->isDouble() && constant->toDouble() == 0) ||
                      (constant->isInt() && constant->toInt() == 0));
}

bool is_dropout(const jit::Node& node) {
  static const std::set<std::string> kKinds = {"aten::dropout",
                                               "aten::dropout_",
                                               "aten::feature_dropout",
                                               "aten::alpha_dropout",
                                               "aten::alpha_dropout_",
                                               "aten::feature_dropout_",
                                               "aten::feature_alpha_dropout",
                                               "aten::feature_alpha_dropout_"};
  return kKinds.count(node.kind().toQualString()) != 0;
}

bool draws_by_its_tag(const jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return false;
  const auto known = c10::Dispatcher::singleton().findSchema(schema->operator_name());
  return known && known->hasTag(at::Tag::nondeterministic_seeded);
}

bool is_random(const jit::Node& node) {
  if (is_false(training_flag(node))) return false;
  if (const jit::Value* share = operand(node, {"dropout", "dropout_p"})) return !is_zero(share);
  return node.isNondeterministic() || draws_by_its_tag(node);
}

bool updates_statistics(const jit::Node& node) {
  const jit::Value* statistics = operand(node, {"running_mean"});
  const jit::Value* flag = training_flag(node);
  return statistics != nullptr && flag != nullptr && !is_false(flag) &&
         statistics->type()->kind() != c10::TypeKind::NoneType;
}

// "encoder.layer" for the value of self.encoder.layer; nothing for what is no attribute.
std::optional<std::string> attribute_path(const jit::Value& value, const jit::Graph& graph) {
  if (&value == graph.inputs().at(0)) return "";
  const jit::Node* node = value.node();
  if (node->kind() != c10::prim::GetAttr) return std::nullopt;
  const auto owner = attribute_path(*node->input(), graph);
  if (!owner) return std::nullopt;
  return (owner->empty() ? "" : *owner + ".") + node->s(c10::attr::name);
}

void check_operand(const std::string& model, const jit::Graph& graph, const jit::Node& user,
                   const jit::Value& value) {
  const auto path = attribute_path(value, graph);
  if (!path) return;
  const std::string kind = user.kind().toQualString();
  if (user.kind() == c10::prim::SetAttr) {
    throw InputError(fmt::format(
        "{}: forward changes its attribute {}; a model that is cut into segments must not (a model "
        "in training mode may: call model.eval() before it is saved)",
        model, (path->empty() ? "" : *path + ".") + user.s(c10::attr::name)));
  }
  throw InputError(fmt::format(
      "{}: {} uses {}, of type {}, which is not supported; accepted are attributes that are "
      "tensors, numbers, strings and lists of them",
      model, kind, path->empty() ? "the module itself" : "the attribute " + *path,
      value.type()->annotation_str()));
}

}  // namespace

void remove_idle_dropout(jit::Graph& graph) {
  const auto visit = [](const auto& self, jit::Block& block) -> void {
    for (auto it = block.nodes().begin(); it != block.nodes().end(); ++it) {
      for (jit::Block* inner : it->blocks()) self(self, *inner);
      if (!is_dropout(**it) || !is_zero(it->input(1))) continue;
      it->output()->replaceAllUsesWith(it->input(0));
      it.destroyCurrent();
    }
  };
  visit(visit, *graph.block());
}

void check_attributes(const ScriptModel& model, const jit::Graph& graph) {
  for_each_node(*graph.block(), [&](const jit::Node& node) {
    if (node.kind() == c10::prim::GetAttr) return;  // what takes its result tells more
    for (const jit::Value* value : node.inputs()) check_operand(model.name, graph, node, *value);
    for (const jit::Block* block : node.blocks()) {
      for (const jit::Value* value : block->outputs()) {
        check_operand(model.name, graph, node, *value);
      }
    }
  });
  for (const jit::Value* output : graph.outputs()) {
    check_operand(model.name, graph, *graph.return_node(), *output);
  }
}

void check_is_deterministic(const ScriptModel& model, const jit::Graph& graph) {
  for_each_node(*graph.block(), [&](const jit::Node& node) {
    const char* kind = node.kind().toQualString();
    if (is_random(node)) {
      const bool trains = is_dropout(node) || training_flag(node) != nullptr ||
                          operand(node, {"dropout", "dropout_p"}) != nullptr;
      throw InputError(fmt::format(
          "{}: {} draws random numbers, and would draw others on each device; {}", model.name, kind,
          trains ? "the model was saved in training mode: call model.eval() before it is traced, "
                   "scripted or frozen"
                 : "give forward the numbers as an input instead"));
    }
    if (!updates_statistics(node)) return;
    throw InputError(fmt::format(
        "{}: {} updates the running statistics of its module, as it was saved in training mode; "
        "call model.eval() before it is traced, scripted or frozen",
        model.name, kind));
  });
}

}  // namespace lingua
