#pragma once
// A ScriptModel's forward as one flat TorchScript graph whose weights are operands.
//
// Internal to torch/. Calls are inlined, attributes resolved to constants or weights, control flow
// on constants resolved, in-place operations on fresh tensors made functional, lists and tuples
// removed where that is possible. What is computed, and in which order, stays the same.
// Errors: InputError names model and attribute, argument or operation.

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/torch/script_model.h"

namespace lingua {

struct ScriptWeight {
  std::string name;
  at::Tensor tensor;  // on the meta device when it has no contents
  torch::jit::Value* value = nullptr;
};

struct ScriptForward {
  std::shared_ptr<torch::jit::Graph> graph;
  std::vector<torch::jit::Value*> arguments;  // of ScriptModel::arguments, in their order
  std::vector<ScriptWeight> weights;
};

ScriptForward flatten_forward(const ScriptModel& model);

// Runs the clean-up passes again, after constants have become known. The weights' values and the
// arguments keep their identity.
void simplify(ScriptForward& forward);

// Outputs that are lists of tensors become one output for each element; lengths has an entry for
// each output, used for these. Returns whether there were any.
bool unpack_output_lists(ScriptForward& forward, const std::vector<std::size_t>& lengths);

// Which tensors share memory, by the schemas of the operations.
class Aliases {
 public:
  explicit Aliases(const torch::jit::Graph& graph);

  // The values whose memory this one may be: itself, unless it is a view.
  const std::set<const torch::jit::Value*>& roots(const torch::jit::Value* value) const;
  // True when some operation writes to its memory.
  bool is_written(const torch::jit::Value* value) const;

 private:
  void visit(const torch::jit::Block& block);
  void visit(const torch::jit::Node& node);
  void visit_container(const torch::jit::Node& node);
  void add_roots(const torch::jit::Value* to, const torch::jit::Value* from);

  std::unordered_map<const torch::jit::Value*, std::set<const torch::jit::Value*>> roots_;
  std::set<const torch::jit::Value*> written_;
};

// The operands of a node, those that its nested blocks take from outside included, each once;
// results of prim::Constant left out.
std::vector<torch::jit::Value*> operands_of(const torch::jit::Node& node);

}  // namespace lingua
