#include "runtime/torch/segment_program.h"

#include <sstream>

#include "runtime/base/errors.h"
#include "runtime/torch/operation_shapes.h"
#include "runtime/torch/program_bytes.h"
#include "runtime/torch/program_check.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

namespace jit = torch::jit;

class ProgramBuilder {
 public:
  ProgramBuilder(const GraphMapping& mapping, const Segment& segment)
      : mapping_(mapping), segment_(segment), graph_(std::make_shared<jit::Graph>()) {}

  std::shared_ptr<jit::Graph> build(const c10::TypePtr& self) {
    graph_->addInput("self")->setType(self);
    for (StepScalar scalar : segment_.step_scalars) {
      add_input(mapping_.step_scalars.at(static_cast<int>(scalar)));
    }
    for (const TensorSpec& input : segment_.inputs) add_input(mapping_.values.at(input.value));
    for (const StateSpec& state : segment_.state) add_input(mapping_.values.at(state.value));
    for (const WeightSpec& weight : segment_.weights) add_input(mapping_.weights.at(weight.name));
    for (NodeId node : segment_.recomputed) add_node(node);
    for (NodeId node = segment_.first_node; node <= segment_.last_node; ++node) add_node(node);
    std::vector<jit::Value*> outputs;
    for (const TensorSpec& output : segment_.outputs) {
      outputs.push_back(find(mapping_.values.at(output.value)));
    }
    if (outputs.empty()) {  // the lite interpreter has no empty tuples
      graph_->registerOutput(graph_->insertConstant(c10::IValue()));
    } else {
      graph_->registerOutput(graph_->appendNode(graph_->createTuple(outputs))->output());
    }
    return graph_;
  }

 private:
  void add_input(jit::Value* value) {
    jit::Value* input = graph_->addInput();
    input->copyMetadata(value);
    known_[value] = input;
  }

  jit::Value* find(jit::Value* value) {
    const auto found = known_.find(value);
    if (found != known_.end()) return found->second;
    LINGUA_CHECK(value->node()->kind() == c10::prim::Constant,
                 "segment {} uses {} without making or taking it", segment_.id, value->debugName());
    copy(*value->node());
    return known_.at(value);
  }

  void add_node(NodeId id) { copy(*mapping_.nodes.at(id)); }

  void copy(jit::Node& node) {
    jit::Node* copy = graph_->createClone(&node, [this](jit::Value* value) { return find(value); });
    forget_source(*copy);
    graph_->appendNode(copy);
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      known_[node.outputs()[i]] = copy->outputs()[i];
    }
  }

  // The text that a node came from would be saved whole with every program.
  static void forget_source(jit::Node& node) {
    node.setSourceRange(jit::SourceRange());
    for (jit::Block* block : node.blocks()) {
      for (jit::Node* inner : block->nodes()) forget_source(*inner);
    }
  }

  const GraphMapping& mapping_;
  const Segment& segment_;
  std::shared_ptr<jit::Graph> graph_;
  std::unordered_map<const jit::Value*, jit::Value*> known_;
};

}  // namespace

std::string make_program(const std::string& model, const GraphMapping& mapping,
                         const Segment& segment) {
  try {
    jit::Module module("__torch__.Segment");
    const auto graph = ProgramBuilder(mapping, segment).build(module.type());
    const c10::QualifiedName name(*module.type()->name(), "forward");
    module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(name, graph));
    std::ostringstream bytes;
    module._save_for_mobile(bytes);
    check_program(bytes.str(), find_operation);  // as the worker will
    return seal_program(bytes.str());
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: segment {} ({}) cannot be made a program: {}", model,
                                 segment.id, segment.name, error.what()));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: segment {} ({}) cannot be made a program: {}", model,
                                 segment.id, segment.name, first_line(error)));
  }
}

}  // namespace lingua
