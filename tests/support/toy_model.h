#pragma once
// A model whose numerics fit in ten lines: real data and real states, without LibTorch.
//
// Each segment mixes what comes in with its own id, its weight and a state that grows by one number
// per token, so that a lost tensor, a wrong order, a stale state or a wrong weight changes the
// tokens.

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/device/device.h"
#include "runtime/model/model_source.h"

namespace lingua::testing {

inline constexpr std::int64_t kToyVocabulary = 97;

inline TensorSpec toy_spec(ValueId value, const std::string& name, DType dtype,
                           std::vector<StepFunction> dims) {
  return {value, name, dtype, true, dims, product(dims) * static_cast<double>(dtype_bytes(dtype))};
}

// A chain of `count` segments; with `residual`, the first segment's second output is used by every
// later segment, as positions and masks are.
inline Segmentation toy_segmentation(int count, bool residual) {
  const StepFunction n({0, 1, 0, 0, 0, 0});
  Segmentation model;
  model.model = "toy";
  model.rule = "by hand";
  model.model_inputs = {toy_spec(0, "tokens", DType::kInt64, {n})};
  for (int i = 0; i < count; ++i) {
    Segment segment;
    segment.id = i;
    segment.name = "toy " + std::to_string(i);
    segment.first_node = segment.last_node = i;
    segment.inputs = {i == 0 ? model.model_inputs[0]
                             : toy_spec(i, "hidden", DType::kInt64, {n, 2.0})};
    if (residual && i > 0)
      segment.inputs.push_back(toy_spec(1000, "positions", DType::kInt64, {n}));
    segment.outputs = {i + 1 < count ? toy_spec(i + 1, "hidden", DType::kInt64, {n, 2.0})
                                     : toy_spec(i + 1, "logits", DType::kFloat32,
                                                {1.0, static_cast<double>(kToyVocabulary)})};
    if (residual && i == 0 && count > 1)
      segment.outputs.push_back(toy_spec(1000, "positions", DType::kInt64, {n}));
    segment.state = {{2000 + i, "seen", DType::kInt64, {kCapacity}}};
    segment.weights = {{"weight " + std::to_string(i), DType::kInt64, {5}},
                       {"shared", DType::kInt64, {3}}};
    segment.flops = n * 1e6;
    segment.bytes_moved = n * 1e5;
    model.segments.push_back(segment);
  }
  model.model_outputs = {count};
  model.freedom = {true, true};
  return model;
}

class ToySource : public ModelSource {
 public:
  bool has_data() const override { return true; }
  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    for (std::int64_t i = 0; i < bytes; ++i) {
      const auto place = static_cast<std::size_t>(offset + i);
      out[i] = static_cast<std::byte>(weight.name[place % weight.name.size()] * 7 +
                                      static_cast<int>(place));
    }
  }
  std::optional<Digest> digest(const WeightSpec& weight) override {
    std::string all(static_cast<std::size_t>(weight.bytes()), 0);
    read(weight, 0, weight.bytes(), reinterpret_cast<std::byte*>(all.data()));
    return digest_of(all);
  }
  std::string program(const Segment& segment) override { return "program of " + segment.name; }
};

class ToyExecutor : public Executor {
 public:
  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override {
    if (program != "program of " + segment.name) throw WorldError("a wrong program arrived");
    std::uint64_t mixed = 0;
    for (const Tensor& weight : weights) {
      for (std::int64_t i = 0; i < weight.bytes(); ++i)
        mixed = mix(mixed, static_cast<std::uint64_t>(weight.data.get()[i]));
    }
    segments_[segment.id] = {segment, mixed};
  }
  void unload(SegmentId segment) override { segments_.erase(segment); }
  void release(RequestId request) override {
    std::erase_if(states_, [&](const auto& item) { return item.first.first == request; });
  }
  void release(RequestId request, SegmentId segment) override { states_.erase({request, segment}); }
  std::vector<Tensor> read_states(SegmentId segment, RequestId request, std::int64_t first,
                                  std::int64_t end) override {
    const std::vector<std::uint64_t>& rows = states_.at({request, segment});
    LINGUA_CHECK(first <= end && static_cast<std::size_t>(end) <= rows.size(), "{} .. {} of {}",
                 first, end, rows.size());
    Tensor tensor{DType::kInt64, {end - first}, nullptr};
    auto memory = allocate_bytes(tensor.bytes());
    std::memcpy(memory.get(), rows.data() + first, static_cast<std::size_t>(tensor.bytes()));
    tensor.data = memory;
    return {tensor};
  }
  void write_states(SegmentId segment, RequestId request, std::int64_t capacity, std::int64_t first,
                    const std::vector<Tensor>& states) override {
    const std::int64_t end = first + states.at(0).elements();
    LINGUA_CHECK(end <= capacity && segments_.contains(segment));
    std::vector<std::uint64_t>& rows = states_[{request, segment}];
    rows.resize(std::max(rows.size(), static_cast<std::size_t>(end)));
    std::memcpy(rows.data() + first, states[0].data.get(),
                static_cast<std::size_t>(states[0].bytes()));
  }
  void compute_with(const Computing&) override {}
  Work exert(const Exertion& exertion) override { return work_of(exertion); }
  std::size_t states() const { return states_.size(); }

  using Executor::run;
  std::vector<SegmentResult> run(SegmentId id, const std::vector<SegmentStep>& batch) override {
    std::vector<SegmentResult> results(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      try {
        results[i].outputs = outputs_of(id, batch[i].context, batch[i].inputs);
      } catch (const WorldError& error) {
        results[i].error = error.what();
      }
    }
    return results;
  }

  // One step's. Errors: WorldError with that of the step.
  virtual std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                         const std::vector<Tensor>& inputs) {
    LINGUA_CHECK(segments_.contains(id));
    const auto& [segment, weights] = segments_.at(id);
    auto& states = states_[{context.request, id}];
    auto place = static_cast<std::size_t>(context.step.cached_tokens);
    states.resize(std::max(states.size(),  // 0 where it has none
                           place + static_cast<std::size_t>(context.step.new_tokens)));
    std::uint64_t seen = place == 0 ? 0 : states[place - 1];
    std::uint64_t mixed = mix(weights, static_cast<std::uint64_t>(id));
    std::vector<Tensor> outputs;
    for (const TensorSpec& spec : segment.outputs) {
      Tensor tensor{spec.dtype, {}, nullptr};
      for (const StepFunction& dim : spec.dims)
        tensor.shape.push_back(static_cast<std::int64_t>(dim.at(context.step)));
      outputs.push_back(tensor);
    }
    // Token by token, so that a prefill of n tokens equals n steps of one.
    std::vector<std::vector<std::uint64_t>> rows;
    for (std::int64_t t = 0; t < context.step.new_tokens; ++t) {
      std::uint64_t row = mixed;
      for (const Tensor& input : inputs) {
        const std::int64_t width = input.elements() / context.step.new_tokens;
        for (std::int64_t i = 0; i < width; ++i) row = mix(row, number(input, t * width + i));
      }
      seen = mix(seen, row);
      states[place++] = seen;
      rows.push_back({seen, mix(seen, 1)});
    }
    for (Tensor& output : outputs) fill(output, rows);
    return outputs;
  }

 private:
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    a ^= b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2);
    return a * 0xbf58476d1ce4e5b9ULL;
  }
  static std::uint64_t number(const Tensor& tensor, std::int64_t i) {
    std::uint64_t value = 0;
    std::memcpy(&value, tensor.data.get() + 8 * i, 8);
    return value;
  }
  static void fill(Tensor& output, const std::vector<std::vector<std::uint64_t>>& rows) {
    auto memory = allocate_bytes(output.bytes());
    const auto count = static_cast<std::size_t>(output.elements());
    for (std::size_t i = 0; i < count; ++i) {
      if (output.dtype == DType::kFloat32) {
        const auto value = static_cast<float>(mix(rows.back()[0], i) >> 40);
        std::memcpy(memory.get() + 4 * i, &value, 4);
      } else {
        const std::size_t width = count / rows.size();
        std::memcpy(memory.get() + 8 * i, &rows[i / width][i % width], 8);
      }
    }
    output.data = memory;
  }

  std::map<SegmentId, std::pair<Segment, std::uint64_t>> segments_;
  // After each token, as a KV cache has them: a step that is computed again changes nothing.
  std::map<std::pair<RequestId, SegmentId>, std::vector<std::uint64_t>> states_;
};

}  // namespace lingua::testing
