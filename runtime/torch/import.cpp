#include "runtime/torch/import.h"

#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/torch/input_ranges.h"
#include "runtime/torch/script_graph.h"
#include "runtime/torch/script_model.h"
#include "runtime/torch/script_purity.h"
#include "runtime/torch/segment_program.h"
#include "runtime/torch/shape_inference.h"
#include "runtime/torch/tensor_convert.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

namespace jit = torch::jit;

class ScriptSource : public ModelSource {
 public:
  ScriptSource(ScriptModel model, ScriptForward forward, GraphMapping mapping)
      : model_(std::move(model)), forward_(std::move(forward)), mapping_(std::move(mapping)) {}

  bool has_data() const override {
    return model_.reader != nullptr ||
           std::none_of(forward_.weights.begin(), forward_.weights.end(),
                        [](const ScriptWeight& weight) { return weight.tensor.is_meta(); });
  }

  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    LINGUA_CHECK(offset >= 0 && bytes >= 0 && offset <= weight.bytes() - bytes,
                 "bytes {} to {} of weight {}, which has {}", offset, offset + bytes, weight.name,
                 weight.bytes());
    const at::Tensor& tensor = tensor_of(weight.name);
    if (tensor.is_meta()) {
      LINGUA_CHECK(model_.reader != nullptr, "weight {} has a shape only", weight.name);
      model_.reader->read(weight.name, offset, bytes, out);
      return;
    }
    const at::Tensor flat = tensor.contiguous();
    LINGUA_CHECK(static_cast<std::int64_t>(flat.nbytes()) == weight.bytes());
    std::memcpy(out, static_cast<const std::byte*>(flat.data_ptr()) + offset,
                static_cast<std::size_t>(bytes));
  }

  std::string program(const Segment& segment) override {
    return make_program(model_.name, mapping_, segment);
  }

 private:
  const at::Tensor& tensor_of(const std::string& name) const {
    const auto found = std::find_if(forward_.weights.begin(), forward_.weights.end(),
                                    [&](const ScriptWeight& w) { return w.name == name; });
    LINGUA_CHECK(found != forward_.weights.end(), "there is no weight {}", name);
    return found->tensor;
  }

  ScriptModel model_;
  ScriptForward forward_;
  GraphMapping mapping_;
};

// "transformer.h.3.mlp.dense.weight" -> "transformer.h.3.mlp.dense"
std::string owner_of(const std::string& name) {
  const auto dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

int depth_of(const std::string& scope) {
  return scope.empty() ? 0 : 1 + static_cast<int>(std::count(scope.begin(), scope.end(), '.'));
}

// Between two operations with weights lies what they have in common, or, across a border, what
// belongs to the first.
std::string scope_between(const std::string& before, const std::string& after) {
  if (before.empty()) return "";
  std::string common = before;
  while (!common.empty() && after != common && !after.starts_with(common + '.')) {
    common = owner_of(common);
  }
  return depth_of(common) + 2 >= depth_of(before) ? common : owner_of(before);
}

class GraphBuilder {
 public:
  GraphBuilder(const ScriptModel& model, const ScriptForward& forward,
               const std::vector<StepSample>& samples)
      : model_(model), forward_(forward), samples_(samples), aliases_(*forward.graph) {}

  void build(Graph* graph, GraphMapping* mapping) {
    graph_.model = model_.name;
    for (std::size_t i = 0; i < model_.arguments.size(); ++i) add_argument(i);
    for (const ScriptWeight& weight : forward_.weights) add_weight(weight);
    for (jit::Node* node : forward_.graph->nodes()) {
      if (node->kind() != c10::prim::Constant) add_node(node);
    }
    for (jit::Value* output : forward_.graph->outputs()) graph_.outputs.push_back(ids_.at(output));
    add_scopes();
    check_graph(graph_);
    *graph = std::move(graph_);
    *mapping = std::move(mapping_);
  }

 private:
  Value& add_value(jit::Value* value, ValueKind kind) {
    ids_[value] = static_cast<ValueId>(graph_.values.size());
    mapping_.values.push_back(value);
    Value& added = graph_.values.emplace_back();
    added.name = value->debugName();
    added.kind = kind;
    return added;
  }

  void add_argument(std::size_t index) {
    const ForwardArgument& argument = model_.arguments[index];
    jit::Value* script_value = forward_.arguments[index];
    Value& value = add_value(script_value, argument.kind);
    value.name = argument.name;
    value.dtype = argument.dtype;
    value.dims = argument.dims;
    value.state_shape = argument.state_shape;
    value.step_scalar = argument.step_scalar;
    value.can_be_sent = argument.kind != ValueKind::kState;
    if (argument.kind == ValueKind::kStep) {
      value.is_tensor = false;
      value.dtype = DType::kInt64;
      mapping_.step_scalars[static_cast<int>(argument.step_scalar)] = script_value;
    }
    if (argument.kind == ValueKind::kState) {
      states_.insert(script_value);
    } else {
      graph_.inputs.push_back(ids_.at(script_value));
    }
  }

  void add_weight(const ScriptWeight& weight) {
    if (!weight.value->hasUses()) return;
    Value& value = add_value(weight.value, ValueKind::kWeight);
    value.name = weight.name;
    value.dtype = dtype_of(weight.tensor, "weight " + weight.name);
    for (std::int64_t dim : weight.tensor.sizes())
      value.dims.emplace_back(static_cast<double>(dim));
    mapping_.weights[weight.name] = weight.value;
  }

  void add_node(jit::Node* script_node) {
    const auto id = static_cast<NodeId>(graph_.nodes.size());
    mapping_.nodes.push_back(script_node);
    Node node;
    node.kind = script_node->kind().toQualString();
    node.step_only = script_node->blocks().empty() && !script_node->isNondeterministic();
    for (jit::Value* operand : operands_of(*script_node)) {
      const ValueId input = ids_.at(operand);
      Value& value = graph_.values[input];
      value.users.push_back(id);
      node.inputs.push_back(input);
      node.is_piece = node.is_piece || model_.pieces.count(value.name) != 0;
      const bool from_step = value.kind == ValueKind::kStep ||
                             (value.producer >= 0 && graph_.nodes[value.producer].step_only);
      node.step_only = node.step_only && from_step && !aliases_.is_written(operand);
    }
    for (jit::Value* output : script_node->outputs()) {
      Value& value = add_value(output, ValueKind::kActivation);
      value.producer = id;
      describe(output, node.kind, &value);
      node.outputs.push_back(ids_.at(output));
      node.step_only = node.step_only && !aliases_.is_written(output);
    }
    add_costs(*script_node, &node);
    graph_.nodes.push_back(std::move(node));
  }

  void describe(const jit::Value* script_value, const std::string& kind, Value* value) const {
    const c10::IValue& first = samples_.front().values.at(script_value);
    value->is_tensor = first.isTensor() && first.toTensor().defined();
    if (!value->is_tensor) {
      value->can_be_sent = first.isInt() || first.isDouble();
      value->dtype = first.isDouble() ? DType::kFloat64 : DType::kInt64;
      return;
    }
    const auto& roots = aliases_.roots(script_value);
    value->can_be_sent = !aliases_.is_written(script_value) &&
                         std::none_of(roots.begin(), roots.end(), [&](const jit::Value* root) {
                           return states_.count(root) != 0;
                         });
    value->dtype = dtype_of(first.toTensor(), kind);
    const auto dimensions = static_cast<std::size_t>(first.toTensor().dim());
    std::vector<std::vector<double>> dims(dimensions);
    for (const StepSample& sample : samples_) {
      const c10::IValue& other = sample.values.at(script_value);
      if (!other.isTensor() || other.toTensor().dim() != first.toTensor().dim() ||
          other.toTensor().scalar_type() != first.toTensor().scalar_type()) {
        refuse(kind, "the kind of its result depends on the number of tokens");
      }
      for (std::size_t d = 0; d < dimensions; ++d) {
        dims[d].push_back(static_cast<double>(other.toTensor().size(static_cast<std::int64_t>(d))));
      }
    }
    for (const auto& samples : dims) {
      if (!fit(samples, &value->dims.emplace_back())) {
        refuse(kind,
               "the shape of its result is no polynomial of the numbers of new and cached "
               "tokens");
      }
    }
  }

  void add_costs(const jit::Node& script_node, Node* node) const {
    std::vector<double> flops;
    std::vector<double> bytes;
    std::vector<double> copied;
    for (const StepSample& sample : samples_) {
      const OpCost& cost = sample.costs.at(&script_node);
      flops.push_back(cost.flops);
      bytes.push_back(cost.bytes);
      copied.push_back(cost.copied_bytes);
    }
    const bool may_bound = !script_node.blocks().empty();
    node->flops = cost_function(flops, node->kind, may_bound);
    // A reshape is a view at some steps and a copy at others: then it counts as a copy.
    const bool fits = fit(bytes, &node->bytes_moved);
    if (!fits) node->bytes_moved = cost_function(copied, node->kind, may_bound);
  }

  // The branches of control flow may cost differently: then the multiple of n that bounds them.
  StepFunction cost_function(const std::vector<double>& samples, const std::string& kind,
                             bool may_bound) const {
    StepFunction function;
    if (fit(samples, &function)) return function;
    if (!may_bound)
      refuse(kind, "its cost is no polynomial of the numbers of new and cached tokens");
    double most = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      most = std::max(most, samples[i] / static_cast<double>(fit_steps()[i].new_tokens));
    }
    return StepFunction({0, most, 0, 0, 0, 0});
  }

  DType dtype_of(const at::Tensor& tensor, const std::string& whose) const {
    if (tensor.layout() != at::kStrided) {
      refuse(whose, fmt::format("tensors of layout {} are not supported; accepted are dense ones",
                                c10::str(tensor.layout())));
    }
    try {
      return from_scalar_type(tensor.scalar_type());
    } catch (const InputError& error) {
      refuse(whose, error.what());
    }
  }

  [[noreturn]] void refuse(const std::string& kind, const std::string& why) const {
    throw InputError(fmt::format("{}: {}: {}", model_.name, kind, why));
  }

  std::string weight_scope(const Node& node) const {
    for (ValueId input : node.inputs) {
      const Value& value = graph_.values[input];
      if (value.kind == ValueKind::kWeight) return owner_of(value.name);
    }
    return "";
  }

  void add_scopes() {
    std::vector<std::string> next(graph_.nodes.size() + 1);
    for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
      const std::string own = weight_scope(graph_.nodes[i]);
      next[i] = own.empty() ? next[i + 1] : own;
    }
    std::string before;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node& node = graph_.nodes[i];
      const std::string own = weight_scope(node);
      node.scope = own.empty() ? scope_between(before, next[i]) : own;
      if (!own.empty()) before = own;
    }
  }

  const ScriptModel& model_;
  const ScriptForward& forward_;
  const std::vector<StepSample>& samples_;
  const Aliases aliases_;
  Graph graph_;
  GraphMapping mapping_;
  std::unordered_map<const jit::Value*, ValueId> ids_;
  std::set<const jit::Value*> states_;
};

bool is_embedded_in(const Graph& graph, ValueId tokens, double rows) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return node.kind == "aten::embedding" && node.inputs.size() == 2 && node.inputs[1] == tokens &&
           graph.values[node.inputs[0]].dims[0] == StepFunction(rows);
  });
}

// One int64 input with n tokens; one floating output [..., n or 1, V]. A single row must be as long
// as the table of embeddings, or it may be a classifier's.
void recognise_language_model(ImportedModel* imported) {
  const Graph& graph = imported->graph;
  if (graph.inputs.empty() || graph.outputs.size() != 1) return;
  const Value& tokens = graph.values[graph.inputs[0]];
  const Value& logits = graph.values[graph.outputs[0]];
  const auto is_input = [&](ValueId id) { return graph.values[id].kind == ValueKind::kInput; };
  if (std::count_if(graph.inputs.begin(), graph.inputs.end(), is_input) != 1) return;
  const StepFunction n({0, 1, 0, 0, 0, 0});
  const bool floating = logits.dtype == DType::kFloat32 || logits.dtype == DType::kBFloat16 ||
                        logits.dtype == DType::kFloat16 || logits.dtype == DType::kFloat64;
  if (tokens.dtype != DType::kInt64 || tokens.dims.empty() || tokens.dims.back() != n) return;
  if (!floating || logits.dims.size() < 2 || !logits.dims.back().is_constant()) return;
  const double vocabulary = logits.dims.back().coefficients()[0];
  const StepFunction& rows = logits.dims[logits.dims.size() - 2];
  const bool last_row =
      rows == StepFunction(1.0) && is_embedded_in(graph, graph.inputs[0], vocabulary);
  if (rows != n && !last_row) return;
  imported->is_language_model = true;
  imported->vocabulary = static_cast<std::int64_t>(vocabulary);
}

// Shapes that an input is tried with when nobody gave one.
ImportedModel import_file(const std::string& file, const ImportOptions& options) {
  const StepFunction n({0, 1, 0, 0, 0, 0});
  const std::vector<std::vector<StepFunction>> guesses = {{1.0, n}, {n}};
  std::string why;
  std::string name;
  for (const auto& guess : guesses) {
    ScriptModel model = load_script_file(file, options);
    const auto unknown =
        std::find_if(model.arguments.begin(), model.arguments.end(), [](const auto& argument) {
          return argument.kind == ValueKind::kInput && argument.dims.empty();
        });
    if (!options.inputs.empty() || unknown == model.arguments.end()) {
      return import_script(std::move(model));
    }
    name = unknown->name;
    unknown->dims = guess;
    try {
      return import_script(std::move(model));
    } catch (const InputError& error) {
      if (why.empty()) why = error.what();
    }
  }
  throw InputError(
      fmt::format("{} (the shape of forward's argument {} is not given and int64 1xn does not do; "
                  "write `input` "
                  "{}=DIMxDIMx...:DTYPE, as in {}=1x3x224x224:float32)",
                  why, name, name, name));
}

}  // namespace

namespace {

// The number of elements of each output that is a list, at the sample steps.
std::vector<std::size_t> output_lengths(const ScriptModel& model, const ScriptForward& forward,
                                        const std::vector<StepSample>& samples) {
  std::vector<std::size_t> lengths;
  for (const jit::Value* output : forward.graph->outputs()) {
    const auto length = [&](const StepSample& sample) {
      const c10::IValue& value = sample.values.at(output);
      return value.isTensorList() ? value.toTensorList().size() : 0;
    };
    lengths.push_back(length(samples.front()));
    if (std::any_of(samples.begin(), samples.end(),
                    [&](const StepSample& sample) { return length(sample) != lengths.back(); })) {
      throw InputError(fmt::format(
          "{}: forward returns a list whose length depends on the number of tokens; accepted are "
          "lists of a fixed length",
          model.name));
    }
  }
  return lengths;
}

// What draws random numbers may fail as it does: the first says more.
std::vector<StepSample> first_samples(const ScriptModel& model, const ScriptForward& forward) {
  try {
    return sample_steps(model, forward);
  } catch (const InputError&) {
    check_is_deterministic(model, *forward.graph);
    throw;
  }
}

// The flat forward and what it does at the sample steps.
std::vector<StepSample> flatten_and_sample(const ScriptModel& model, ScriptForward* forward) {
  try {
    *forward = flatten_forward(model);
    std::vector<StepSample> samples = first_samples(model, *forward);
    if (unpack_output_lists(*forward, output_lengths(model, *forward, samples))) {
      samples = sample_steps(model, *forward);
    }
    while (fold_constants(*forward, samples) > 0) {
      simplify(*forward);
      samples = sample_steps(model, *forward);
    }
    check_is_deterministic(model, *forward->graph);
    return samples;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: forward cannot be read: {}", model.name, first_line(error)));
  }
}

}  // namespace

ImportedModel import_script(ScriptModel model) {
  ScriptForward forward;
  std::vector<StepSample> samples = flatten_and_sample(model, &forward);
  ImportedModel imported;
  GraphMapping mapping;
  GraphBuilder(model, forward, samples).build(&imported.graph, &mapping);
  imported.graph.freedom = model.freedom;
  imported.family = model.family;
  imported.is_language_model = model.is_language_model;
  imported.labels = model.labels;
  imported.class_score = model.class_score;
  imported.notes = model.notes;
  imported.max_positions = model.max_positions;
  imported.vocabulary = model.vocabulary;
  imported.head_pieces = model.head_pieces;
  imported.stop_tokens = model.stop_tokens;
  imported.kv_cache = model.kv_cache;
  if (imported.family.empty()) recognise_language_model(&imported);
  imported.index_inputs = index_ranges(model, forward, samples);
  if (const std::string kind = missing_half_kernel(forward, samples.front()); !kind.empty()) {
    imported.why_not_computed = fmt::format(
        "{} is not computed in float16 by LibTorch {} on a CPU; accepted are models in float32 or "
        "bfloat16: call model.float() or model.bfloat16() before it is traced or scripted",
        kind, TORCH_VERSION);
  }
  imported.source =
      std::make_unique<ScriptSource>(std::move(model), std::move(forward), std::move(mapping));
  return imported;
}

ImportedModel import_model(const std::string& model, const ImportOptions& options) {
  if (has_family(model)) return import_script(load_model_folder(model, options));
  return import_file(model, options);
}

}  // namespace lingua
