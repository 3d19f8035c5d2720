#include "runtime/torch/script_tuples.h"

#include <vector>

namespace lingua {
namespace {

namespace jit = torch::jit;

jit::Value* packed(jit::Graph& graph, const std::vector<jit::Value*>& elements,
                   const c10::TupleTypePtr& type) {
  return graph.insertNode(graph.createTuple(elements, type->schema() ? type : nullptr))->output();
}

// What a branch that raises an exception gives is no tuple that could be unpacked.
std::vector<jit::Value*> unpacked(jit::Graph& graph, jit::Value* tuple) {
  if (tuple->node()->kind() == c10::prim::Uninitialized) {
    std::vector<jit::Value*> elements;
    for (const c10::TypePtr& type : tuple->type()->expectRef<c10::TupleType>().elements()) {
      elements.push_back(graph.insertNode(graph.createUninitialized(type))->output());
    }
    return elements;
  }
  const auto outputs = graph.insertNode(graph.createTupleUnpack(tuple))->outputs();
  return {outputs.begin(), outputs.end()};
}

// The results of a block from `index` on: a tuple becomes its elements.
void split_block_output(jit::Graph& graph, jit::Block& block, std::size_t index) {
  const jit::WithInsertPoint end(block.return_node());
  std::size_t at = index;
  for (jit::Value* element : unpacked(graph, block.outputs()[index])) {
    block.insertOutput(++at, element);
  }
  block.eraseOutput(index);
}

void split_node_output(jit::Node& node, std::size_t index, const c10::TupleTypePtr& type) {
  jit::Graph& graph = *node.owningGraph();
  std::vector<jit::Value*> elements;
  for (std::size_t i = 0; i < type->elements().size(); ++i) {
    elements.push_back(node.insertOutput(index + 1 + i)->setType(type->elements()[i]));
  }
  const jit::WithInsertPoint behind(node.next());
  node.outputs()[index]->replaceAllUsesWith(packed(graph, elements, type));
  node.eraseOutput(index);
}

// A loop's block has a counter before what is carried, and gives its condition before it; the node
// has the most rounds and the first condition.
void split_loop_input(jit::Node& loop, std::size_t index, const c10::TupleTypePtr& type) {
  jit::Graph& graph = *loop.owningGraph();
  jit::Block& body = *loop.blocks()[0];
  {
    const jit::WithInsertPoint before(&loop);
    std::size_t at = index + 2;
    for (jit::Value* element : unpacked(graph, loop.input(index + 2))) {
      loop.insertInput(++at, element);
    }
    loop.removeInput(index + 2);
  }
  std::vector<jit::Value*> elements;
  for (std::size_t i = 0; i < type->elements().size(); ++i) {
    elements.push_back(body.insertInput(index + 2 + i)->setType(type->elements()[i]));
  }
  const jit::WithInsertPoint start(body.param_node()->next());
  body.inputs()[index + 1]->replaceAllUsesWith(packed(graph, elements, type));
  body.eraseInput(index + 1);
}

void split(jit::Block& block) {
  for (jit::Node* node : block.nodes()) {
    for (jit::Block* inner : node->blocks()) split(*inner);
    const bool is_loop = node->kind() == c10::prim::Loop;
    if (!is_loop && node->kind() != c10::prim::If) continue;
    for (std::size_t i = 0; i < node->outputs().size();) {
      const auto type = node->outputs()[i]->type()->cast<c10::TupleType>();
      if (!type) {
        ++i;
        continue;
      }
      for (jit::Block* inner : node->blocks()) {
        split_block_output(*node->owningGraph(), *inner, is_loop ? i + 1 : i);
      }
      if (is_loop) split_loop_input(*node, i, type);
      split_node_output(*node, i, type);
    }
  }
}

}  // namespace

void split_carried_tuples(jit::Graph& graph) { split(*graph.block()); }

}  // namespace lingua
