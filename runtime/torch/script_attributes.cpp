#include "runtime/torch/script_attributes.h"

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lingua {
namespace {

namespace jit = torch::jit;

bool holds_tensors(const c10::IValue& value) {
  if (value.isTensor()) return true;
  if (value.isTuple()) {
    const auto& elements = value.toTupleRef().elements();
    return std::any_of(elements.begin(), elements.end(), holds_tensors);
  }
  if (!value.isList()) return false;
  const auto elements = value.toListRef();
  return std::any_of(elements.begin(), elements.end(), holds_tensors);
}

bool same_memory(const at::Tensor& a, const at::Tensor& b) {
  return a.has_storage() && b.has_storage() && a.is_alias_of(b) && a.sizes() == b.sizes() &&
         a.strides() == b.strides() && a.storage_offset() == b.storage_offset() &&
         a.scalar_type() == b.scalar_type();
}

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
      return;
    }
    const jit::WithInsertPoint here(&node);
    if (jit::Value* known = make(value, path)) node.output()->replaceAllUsesWith(known);
  }

  // A weight, a constant, or a container of them; null for anything else.
  jit::Value* make(const c10::IValue& value, const std::string& path) {
    if (value.isTensor() && value.toTensor().defined()) return weight(path, value.toTensor());
    if (!holds_tensors(value)) return jit::tryInsertConstant(graph_, value).value_or(nullptr);
    std::vector<jit::Value*> elements;
    const auto add = [&](const c10::IValue& element) {
      elements.push_back(make(element, fmt::format("{}.{}", path, elements.size())));
      return elements.back() != nullptr;
    };
    if (value.isTuple()) {
      for (const c10::IValue& element : value.toTupleRef().elements()) {
        if (!add(element)) return nullptr;
      }
      const auto type = value.type()->expect<c10::TupleType>();
      return graph_.insertNode(graph_.createTuple(elements, type->schema() ? type : nullptr))
          ->output();
    }
    const auto list = value.toList();
    for (const c10::IValue& element : value.toListRef()) {
      if (!add(element)) return nullptr;
    }
    return graph_.insertNode(graph_.createList(list.elementType(), elements))->output();
  }

  jit::Value* weight(const std::string& path, const at::Tensor& tensor) {
    for (const ScriptWeight& known : forward_.weights) {
      if (same_memory(known.tensor, tensor)) return known.value;
    }
    const std::string name = name_of(path, tensor);
    for (const ScriptWeight& known : forward_.weights) {
      if (known.name == name) return known.value;
    }
    jit::Value* value = graph_.addInput();
    value->setType(c10::TensorType::get());
    forward_.weights.push_back({name, tensor.detach(), value});
    return value;
  }

  // A parameter's own name, where a list holds it once more.
  std::string name_of(const std::string& path, const at::Tensor& tensor) {
    const auto renamed = model_.weight_names.find(path);
    if (renamed != model_.weight_names.end()) return renamed->second;
    if (!tensor.has_storage()) return path;
    if (names_.empty()) {
      for (const auto& parameter : model_.module.named_parameters()) {
        if (parameter.value.has_storage()) {
          names_.emplace(parameter.value.storage().unsafeGetStorageImpl(),
                         std::pair{parameter.name, parameter.value});
        }
      }
    }
    const auto [first, last] = names_.equal_range(tensor.storage().unsafeGetStorageImpl());
    std::string own;
    for (auto entry = first; entry != last; ++entry) {
      const auto& [name, parameter] = entry->second;
      if (!same_memory(parameter, tensor)) continue;
      if (name == path) return path;
      own = name;
    }
    return own.empty() ? path : own;
  }

  const ScriptModel& model_;
  ScriptForward& forward_;
  jit::Graph& graph_;
  std::unordered_map<const jit::Value*, Object> objects_;
  std::unordered_multimap<const void*, std::pair<std::string, at::Tensor>> names_;
  std::vector<jit::Node*> read_;
};

}  // namespace

void resolve_attributes(const ScriptModel& model, ScriptForward& forward) {
  AttributeResolver(model, forward).run();
}

}  // namespace lingua
