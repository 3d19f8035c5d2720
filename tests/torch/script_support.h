#pragma once
// Hand-written TorchScript for tests, and a loop that runs segments one after the other.

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/model/segment.h"
#include "runtime/torch/script_model.h"
#include "runtime/torch/tensor_convert.h"
#include "runtime/torch/torch_executor.h"

namespace lingua::testing {

inline const StepFunction kN({0, 1, 0, 0, 0, 0});

using Parameters = std::vector<std::pair<std::string, at::Tensor>>;

inline torch::jit::Module define(const std::string& source, const Parameters& parameters = {}) {
  torch::jit::Module module("__torch__.Model");
  for (const auto& [name, tensor] : parameters) module.register_parameter(name, tensor, false);
  module.define(source);
  module.eval();
  return module;
}

inline ForwardArgument input(const std::string& name, DType dtype, std::vector<StepFunction> dims) {
  ForwardArgument argument;
  argument.name = name;
  argument.dtype = dtype;
  argument.dims = std::move(dims);
  return argument;
}

inline ForwardArgument step_scalar(const std::string& name) {
  ForwardArgument argument;
  argument.name = name;
  argument.kind = ValueKind::kStep;
  argument.step_scalar = name == "new_tokens" ? StepScalar::kNewTokens : StepScalar::kCachedTokens;
  return argument;
}

inline ForwardArgument state(const std::string& name, std::vector<std::int64_t> shape) {
  ForwardArgument argument;
  argument.name = name;
  argument.kind = ValueKind::kState;
  argument.dtype = DType::kFloat32;
  argument.state_shape = std::move(shape);
  return argument;
}

inline ScriptModel script(const torch::jit::Module& module,
                          std::vector<ForwardArgument> arguments) {
  ScriptModel model;
  model.name = "test";
  model.module = module;
  model.arguments = std::move(arguments);
  return model;
}

inline std::vector<Tensor> read_weights(ModelSource& source, const Segment& segment) {
  std::vector<Tensor> weights;
  for (const WeightSpec& spec : segment.weights) {
    auto memory = allocate_bytes(spec.bytes());
    source.read(spec, 0, spec.bytes(), memory.get());
    weights.push_back({spec.dtype, spec.shape, memory});
  }
  return weights;
}

// Every segment on an executor of its own; values pass between them as on the way between phones.
class SplitModel {
 public:
  SplitModel(ImportedModel& model, const Segmentation& segmentation)
      : graph_(model.graph), segmentation_(segmentation) {
    for (const Segment& segment : segmentation_.segments) {
      executors_.push_back(make_torch_executor());
      executors_.back()->load(segment, model.source->program(segment),
                              read_weights(*model.source, segment));
    }
  }

  struct Step {
    StepContext context;
    std::vector<at::Tensor> inputs;
  };

  std::vector<at::Tensor> run(const StepContext& context, const std::vector<at::Tensor>& inputs) {
    return run({{context, inputs}}).front();
  }

  // Of steps that run as one.
  std::vector<std::vector<at::Tensor>> run(const std::vector<Step>& steps) {
    std::vector<std::map<ValueId, Tensor>> values(steps.size());
    for (std::size_t s = 0; s < steps.size(); ++s) {
      std::size_t next = 0;
      for (ValueId id : graph_.inputs) {
        if (graph_.values[id].kind == ValueKind::kInput)
          values[s][id] = from_torch(steps[s].inputs.at(next++));
      }
    }
    for (std::size_t i = 0; i < executors_.size(); ++i) run_segment(i, steps, values);
    std::vector<std::vector<at::Tensor>> outputs(steps.size());
    for (std::size_t s = 0; s < steps.size(); ++s) {
      for (ValueId id : graph_.outputs) outputs[s].push_back(to_torch(values[s].at(id)).clone());
    }
    return outputs;
  }

 private:
  void run_segment(std::size_t i, const std::vector<Step>& steps,
                   std::vector<std::map<ValueId, Tensor>>& values) {
    const Segment& segment = segmentation_.segments[i];
    std::vector<SegmentStep> batch;
    for (std::size_t s = 0; s < steps.size(); ++s) {
      batch.push_back({steps[s].context, {}});
      for (const TensorSpec& spec : segment.inputs)
        batch.back().inputs.push_back(values[s].at(spec.value));
    }
    const std::vector<SegmentResult> results = executors_[i]->run(segment.id, batch);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      if (!results[s].error.empty()) throw WorldError(results[s].error);
      for (std::size_t k = 0; k < segment.outputs.size(); ++k)
        values[s][segment.outputs[k].value] = results[s].outputs[k];
    }
  }

  const Graph& graph_;
  const Segmentation segmentation_;
  std::vector<std::unique_ptr<Executor>> executors_;
};

// The message of the error of type E that `run` throws, or "" when it throws none.
template <typename E, typename Run>
std::string message_of(const Run& run) {
  try {
    run();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

// A small transformer-like model: tied embedding, one attention with a cache in two blocks.
inline ScriptModel cached_model() {
  std::string source = "def forward(self, tokens: Tensor, new_tokens: int, cached_tokens: int";
  for (int i = 0; i < 2; ++i) source += fmt::format(", k_{}: Tensor, v_{}: Tensor", i, i);
  source +=
      "):\n"
      "  total = new_tokens + cached_tokens\n"
      "  mask = torch.triu(torch.full([new_tokens, total], -1e9), cached_tokens + 1)\n"
      "  x = torch.embedding(self.table, tokens)\n";
  Parameters parameters = {{"table", at::randn({17, 8})}};
  std::vector<ForwardArgument> arguments = {input("tokens", DType::kInt64, {kN}),
                                            step_scalar("new_tokens"),
                                            step_scalar("cached_tokens")};
  for (int i = 0; i < 2; ++i) {
    source += fmt::format(
        "  y = torch.layer_norm(x, [8], self.norm_{0})\n"
        "  k_{0}[cached_tokens:total] = torch.linear(y, self.key_{0})\n"
        "  v_{0}[cached_tokens:total] = torch.linear(y, self.value_{0})\n"
        "  s = torch.matmul(y, k_{0}[:total].t()) + mask\n"
        "  x = x + torch.matmul(torch.softmax(s, -1), v_{0}[:total])\n"
        "  x = x + torch.gelu(torch.linear(x, self.up_{0}))\n",
        i);
    for (const char* name : {"key", "value", "up"}) {
      parameters.emplace_back(fmt::format("{}_{}", name, i), at::randn({8, 8}));
    }
    parameters.emplace_back(fmt::format("norm_{}", i), at::randn({8}));
    arguments.push_back(state(fmt::format("k_{}", i), {kCapacity, 8}));
    arguments.push_back(state(fmt::format("v_{}", i), {kCapacity, 8}));
  }
  source += "  return torch.linear(x[-1:], self.table)\n";
  return script(define(source, parameters), arguments);
}

}  // namespace lingua::testing
