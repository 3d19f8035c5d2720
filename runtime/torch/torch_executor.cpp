#include "runtime/torch/torch_executor.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/mobile/import.h>
#include <torch/csrc/jit/mobile/module.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/cores.h"
#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/torch/cpu_libraries.h"
#include "runtime/torch/decoder_ops.h"
#include "runtime/torch/embedding_ops.h"
#include "runtime/torch/exertions.h"
#include "runtime/torch/int8_ops.h"
#include "runtime/torch/joint_run.h"
#include "runtime/torch/linear_ops.h"
#include "runtime/torch/operation_shapes.h"
#include "runtime/torch/program_bytes.h"
#include "runtime/torch/program_check.h"
#include "runtime/torch/tensor_convert.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

constexpr int kMostThreads = 1024;
constexpr double kMostStateBytes = 1LL << 46;
constexpr std::size_t kAlignment = 64;
// What oneDNN may keep of the kernels that it makes, one for each shape. A decode step has new
// shapes, longer by a token; a prefill uses a dozen over and over.
constexpr const char* kKeptKernels = "32";

struct LoadedSegment {
  Segment segment;
  torch::jit::mobile::Module module;
  torch::jit::mobile::Function* forward = nullptr;  // of module
  bool runs_jointly = false;
  std::vector<at::Tensor> weights;
  std::map<RequestId, std::vector<at::Tensor>> states;
};

class TorchExecutor : public Executor {
 public:
  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override;
  void unload(SegmentId segment) override { loaded_.erase(segment); }
  std::vector<SegmentResult> run(SegmentId segment, const std::vector<SegmentStep>& batch) override;
  void release(RequestId request) override {
    for (auto& [id, loaded] : loaded_) loaded.states.erase(request);
  }
  void release(RequestId request, SegmentId segment) override {
    const auto loaded = loaded_.find(segment);
    if (loaded != loaded_.end()) loaded->second.states.erase(request);
  }
  std::vector<Tensor> read_states(SegmentId segment, RequestId request, std::int64_t first,
                                  std::int64_t end) override;
  void write_states(SegmentId segment, RequestId request, std::int64_t capacity, std::int64_t first,
                    const std::vector<Tensor>& states) override;
  void compute_with(const Computing& computing) override {
    const Cores& cores = computing.cores.empty() ? all_cores_ : computing.cores;
    if (cores != cores_) compute_on(cores);
    cores_ = cores;
    const int threads = computing.threads > 0 ? computing.threads : static_cast<int>(cores.size());
    at::set_num_threads(std::min(threads, kMostThreads));
  }
  Work exert(const Exertion& exertion) override {
    try {
      return exertions_.exert(exertion);
    } catch (const c10::Error& error) {
      throw WorldError(first_line(error));
    }
  }

 private:
  // A step on its way through the program.
  struct Operands {
    torch::jit::mobile::Stack stack;
    const std::vector<at::Tensor>* states = nullptr;
  };
  static Operands operands_of(LoadedSegment& loaded, const SegmentStep& step);
  static SegmentResult run_alone(LoadedSegment& loaded, const SegmentStep& step);
  static std::vector<SegmentResult> run_together(LoadedSegment& loaded,
                                                 const std::vector<SegmentStep>& batch);
  static std::vector<at::Tensor>& states_of(LoadedSegment& loaded, RequestId request,
                                            std::int64_t capacity);
  static std::vector<Tensor> take_outputs(const LoadedSegment& loaded, const c10::IValue& result,
                                          const std::vector<at::Tensor>& states);

  std::map<SegmentId, LoadedSegment> loaded_;
  Exertions exertions_;
  const Cores all_cores_ = allowed_cores();
  Cores cores_ = all_cores_;  // that it computes on
};

std::size_t operand_count(const Segment& segment) {
  return segment.step_scalars.size() + segment.inputs.size() + segment.state.size() +
         segment.weights.size();
}

std::vector<at::Tensor> view_weights(const Segment& segment, const std::vector<Tensor>& weights) {
  LINGUA_CHECK(weights.size() == segment.weights.size(), "segment {} has {} weights, given {}",
               segment.id, segment.weights.size(), weights.size());
  std::vector<at::Tensor> views;
  views.reserve(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const WeightSpec& spec = segment.weights[i];
    Tensor weight = weights[i];
    if (!weight.has_data() || weight.bytes() != spec.bytes()) {
      throw WorldError(fmt::format("segment {}: weight {} has {} bytes; its spec says {}",
                                   segment.id, spec.name, weight.has_data() ? weight.bytes() : 0,
                                   spec.bytes()));
    }
    weight.dtype = spec.dtype;
    weight.shape = spec.shape;
    views.push_back(to_torch(weight));
  }
  return views;
}

void TorchExecutor::load(const Segment& segment, const std::string& program,
                         const std::vector<Tensor>& weights) {
  const c10::InferenceMode no_autograd;
  LoadedSegment loaded;
  loaded.segment = segment;
  loaded.weights = view_weights(segment, weights);
  if (program.empty()) {
    throw WorldError(
        fmt::format("segment {} has no program: its model has no weights", segment.id));
  }
  std::string bytes;
  if (!open_program(program, &bytes)) {
    throw WorldError(
        fmt::format("segment {}: its program is damaged: its checksum differs", segment.id));
  }
  try {
    check_program(bytes, find_operation);
  } catch (const InputError& error) {
    throw WorldError(
        fmt::format("segment {}: its program is refused: {}", segment.id, error.what()));
  }
  std::string why;
  try {
    std::istringstream in(bytes);
    loaded.module = torch::jit::_load_for_mobile(in);
    const auto forward = loaded.module.find_method("forward");
    if (forward) loaded.forward = &forward->function();
    loaded.runs_jointly = forward && can_run_jointly(*loaded.forward);
    if (!forward) why = "it has no forward";
    // One more operand than ours: the module itself.
    if (forward && loaded.forward->hasSchema() &&
        loaded.forward->num_inputs() != operand_count(segment) + 1) {
      why = fmt::format("it takes {} operands, the segment has {}",
                        loaded.forward->num_inputs() - 1, operand_count(segment));
    }
  } catch (const std::exception& error) {
    why = first_line(error);
  }
  if (!why.empty()) {
    throw WorldError(fmt::format("segment {}: its program cannot be used: {}", segment.id, why));
  }
  loaded_.insert_or_assign(segment.id, std::move(loaded));
}

// Zeros that take memory only where they are written: a request's states are made for the tokens
// that it can come to hold, most of which never come.
at::Tensor lazy_zeros(const StateSpec& spec, std::int64_t capacity) {
  const double bytes = spec.bytes(capacity);
  const std::vector<std::int64_t> shape = spec.shape_for(capacity);
  const bool possible = bytes < kMostStateBytes &&
                        std::all_of(shape.begin(), shape.end(), [](auto dim) { return dim >= 0; });
  void* memory = possible ? std::calloc(static_cast<std::size_t>(bytes) + kAlignment, 1) : nullptr;
  if (memory == nullptr) {
    throw WorldError(fmt::format("no memory for its states of {} tokens: {} takes {}", capacity,
                                 spec.name, format_quantity(bytes, Unit::kBytes)));
  }
  void* data = memory;
  std::size_t space = static_cast<std::size_t>(bytes) + kAlignment;
  std::align(kAlignment, static_cast<std::size_t>(bytes), data, space);
  return at::from_blob(
      data, shape, [memory](void*) { std::free(memory); },
      at::TensorOptions().dtype(to_scalar_type(spec.dtype)));
}

std::vector<at::Tensor>& TorchExecutor::states_of(LoadedSegment& loaded, RequestId request,
                                                  std::int64_t capacity) {
  const auto [place, is_new] = loaded.states.try_emplace(request);
  std::vector<at::Tensor>& states = place->second;
  if (!is_new || loaded.segment.state.empty()) return states;
  try {
    for (const StateSpec& spec : loaded.segment.state) {
      states.push_back(lazy_zeros(spec, capacity));
    }
  } catch (const std::exception& error) {
    loaded.states.erase(place);
    throw WorldError(fmt::format("segment {}: {}", loaded.segment.id, first_line(error)));
  }
  return states;
}

// The part of a state that is of these tokens; all of one that has no capacity.
at::Tensor rows_of(const at::Tensor& state, const StateSpec& spec, std::int64_t first,
                   std::int64_t tokens) {
  const auto place = std::find(spec.shape.begin(), spec.shape.end(), kCapacity);
  if (place == spec.shape.end()) return state;
  return state.narrow(place - spec.shape.begin(), first, tokens);
}

std::vector<Tensor> TorchExecutor::read_states(SegmentId segment, RequestId request,
                                               std::int64_t first, std::int64_t end) {
  const c10::InferenceMode no_autograd;
  const LoadedSegment& loaded = loaded_.at(segment);
  const auto place = loaded.states.find(request);
  LINGUA_CHECK(place != loaded.states.end(), "request {}, segment {}", request, segment);
  std::vector<Tensor> states;
  for (std::size_t i = 0; i < place->second.size(); ++i) {
    const at::Tensor rows = rows_of(place->second[i], loaded.segment.state[i], first, end - first);
    states.push_back(from_torch(rows.clone(at::MemoryFormat::Contiguous)));
  }
  return states;
}

void TorchExecutor::write_states(SegmentId segment, RequestId request, std::int64_t capacity,
                                 std::int64_t first, const std::vector<Tensor>& states) {
  const c10::InferenceMode no_autograd;
  LoadedSegment& loaded = loaded_.at(segment);
  LINGUA_CHECK(states.size() == loaded.segment.state.size(), "{} states", states.size());
  const std::vector<at::Tensor>& own = states_of(loaded, request, capacity);
  for (std::size_t i = 0; i < states.size(); ++i) {
    const at::Tensor given = to_torch(states[i]);
    const std::vector<std::int64_t>& shape = loaded.segment.state[i].shape;
    const auto place = std::find(shape.begin(), shape.end(), kCapacity);
    const std::int64_t tokens = place == shape.end() ? 0 : given.size(place - shape.begin());
    rows_of(own[i], loaded.segment.state[i], first, tokens).copy_(given);
  }
}

TorchExecutor::Operands TorchExecutor::operands_of(LoadedSegment& loaded, const SegmentStep& step) {
  const Segment& spec = loaded.segment;
  LINGUA_CHECK(step.inputs.size() == spec.inputs.size(), "segment {} takes {} inputs, given {}",
               spec.id, spec.inputs.size(), step.inputs.size());
  Operands operands;
  operands.states = &states_of(loaded, step.context.request, step.context.capacity);
  operands.stack.reserve(operand_count(spec) + 1);
  operands.stack.emplace_back(loaded.module._ivalue());
  for (StepScalar scalar : spec.step_scalars) {
    operands.stack.emplace_back(scalar == StepScalar::kNewTokens ? step.context.step.new_tokens
                                                                 : step.context.step.cached_tokens);
  }
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    at::Tensor input = to_torch(step.inputs[i]);
    if (spec.inputs[i].is_tensor) {
      operands.stack.emplace_back(std::move(input));
    } else {
      operands.stack.emplace_back(input.item());
    }
  }
  for (const at::Tensor& state : *operands.states) operands.stack.emplace_back(state);
  for (const at::Tensor& weight : loaded.weights) operands.stack.emplace_back(weight);
  return operands;
}

// What a step of this segment gave LibTorch to complain of.
std::string complaint(const Segment& segment, const std::string& why) {
  return fmt::format("segment {} ({}): {}", segment.id, segment.name, why);
}

SegmentResult TorchExecutor::run_alone(LoadedSegment& loaded, const SegmentStep& step) {
  try {
    Operands operands = operands_of(loaded, step);
    loaded.forward->run(operands.stack);
    return {take_outputs(loaded, operands.stack.back(), *operands.states), ""};
  } catch (const WorldError& error) {
    return {{}, error.what()};
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    return {{}, complaint(loaded.segment, first_line(error))};
  }
}

std::vector<SegmentResult> TorchExecutor::run_together(LoadedSegment& loaded,
                                                       const std::vector<SegmentStep>& batch) {
  std::vector<SegmentResult> results(batch.size());
  std::vector<JointStep> steps(batch.size());
  std::vector<const std::vector<at::Tensor>*> states(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    try {
      Operands operands = operands_of(loaded, batch[i]);
      steps[i].stack = std::move(operands.stack);
      states[i] = operands.states;
    } catch (const WorldError& error) {
      steps[i].error = results[i].error = error.what();
    }
  }
  run_jointly(*loaded.forward, steps);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!results[i].error.empty()) continue;
    if (!steps[i].error.empty()) {
      results[i].error = complaint(loaded.segment, steps[i].error);
      continue;
    }
    results[i].outputs = take_outputs(loaded, steps[i].stack.back(), *states[i]);
  }
  return results;
}

std::vector<SegmentResult> TorchExecutor::run(SegmentId segment,
                                              const std::vector<SegmentStep>& batch) {
  const auto found = loaded_.find(segment);
  LINGUA_CHECK(found != loaded_.end(), "segment {} is not loaded", segment);
  LoadedSegment& loaded = found->second;
  const c10::InferenceMode no_autograd;
  if (batch.size() > 1 && loaded.runs_jointly) return run_together(loaded, batch);
  std::vector<SegmentResult> results;
  results.reserve(batch.size());
  for (const SegmentStep& step : batch) results.push_back(run_alone(loaded, step));
  return results;
}

std::vector<Tensor> TorchExecutor::take_outputs(const LoadedSegment& loaded,
                                                const c10::IValue& result,
                                                const std::vector<at::Tensor>& states) {
  const Segment& spec = loaded.segment;
  if (result.isNone() && spec.outputs.empty()) return {};
  const auto& elements = result.toTupleRef().elements();
  if (elements.size() != spec.outputs.size()) {
    throw WorldError(fmt::format("segment {}: its program gave {} outputs; its spec says {}",
                                 spec.id, elements.size(), spec.outputs.size()));
  }
  std::vector<Tensor> outputs;
  outputs.reserve(elements.size());
  for (const c10::IValue& element : elements) {
    if (!element.isTensor()) {
      outputs.push_back(from_torch(at::scalar_tensor(
          element.toScalar(), at::dtype(element.isInt() ? at::kLong : at::kDouble))));
      continue;
    }
    const at::Tensor& tensor = element.toTensor();
    const bool is_state = std::any_of(states.begin(), states.end(), [&](const at::Tensor& state) {
      return state.is_alias_of(tensor);
    });
    outputs.push_back(from_torch(is_state ? tensor.clone() : tensor));
  }
  return outputs;
}

}  // namespace

void bound_kernel_caches() {
  for (const char* name : {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"}) {
    setenv(name, kKeptKernels, 0);
  }
}

std::unique_ptr<Executor> make_torch_executor() {
  bound_kernel_caches();
  register_decoder_ops();
  register_embedding_ops();
  register_int8_ops();
  register_linear_ops();
  onednn_trouble();
  return std::make_unique<TorchExecutor>();
}

}  // namespace lingua
