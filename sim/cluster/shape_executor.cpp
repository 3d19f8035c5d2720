#include <cmath>
#include <unordered_map>

#include "runtime/base/errors.h"
#include "sim/cluster/sim_cluster.h"

namespace lingua {
namespace {

class ShapeExecutor final : public Executor {
 public:
  void load(const Segment& segment, const std::string&, const std::vector<Tensor>&) override {
    segments_[segment.id] = {segment.inputs, segment.outputs, segment.state};
  }
  void unload(SegmentId segment) override { segments_.erase(segment); }
  void release(RequestId) override {}
  void release(RequestId, SegmentId) override {}
  void write_states(SegmentId, RequestId, std::int64_t, std::int64_t,
                    const std::vector<Tensor>&) override {}
  void compute_with(const Computing&) override {}
  Work exert(const Exertion& exertion) override { return work_of(exertion); }

  std::vector<SegmentResult> run(SegmentId id, const std::vector<SegmentStep>& batch) override {
    const auto found = segments_.find(id);
    LINGUA_CHECK(found != segments_.end(), "segment {} is not loaded", id);
    const Border& border = found->second;
    std::vector<SegmentResult> results(batch.size());
    for (std::size_t s = 0; s < batch.size(); ++s) {
      check_inputs(id, border, batch[s].inputs);
      results[s].outputs.reserve(border.outputs.size());
      for (const TensorSpec& spec : border.outputs)
        results[s].outputs.push_back(shaped(spec, batch[s].context.step));
    }
    return results;
  }

  std::vector<Tensor> read_states(SegmentId id, RequestId, std::int64_t first,
                                  std::int64_t end) override {
    std::vector<Tensor> states;
    for (const StateSpec& spec : segments_.at(id).state)
      states.push_back({spec.dtype, spec.shape_for(end - first), nullptr});
    return states;
  }

 private:
  struct Border {
    std::vector<TensorSpec> inputs;
    std::vector<TensorSpec> outputs;
    std::vector<StateSpec> state;
  };

  static void check_inputs(SegmentId id, const Border& border, const std::vector<Tensor>& inputs) {
    LINGUA_CHECK(inputs.size() == border.inputs.size(), "segment {} takes {} inputs, not {}", id,
                 border.inputs.size(), inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      LINGUA_CHECK(inputs[i].dtype == border.inputs[i].dtype, "segment {}: input {} is {}", id,
                   border.inputs[i].name, dtype_name(inputs[i].dtype));
    }
  }

  static Tensor shaped(const TensorSpec& spec, const Step& step) {
    Tensor tensor;
    tensor.dtype = spec.dtype;
    if (!spec.is_tensor) return tensor;
    tensor.shape.reserve(spec.dims.size());
    for (const StepFunction& dim : spec.dims) {
      tensor.shape.push_back(std::llround(dim.at(step)));
    }
    return tensor;
  }

  std::unordered_map<SegmentId, Border> segments_;
};

}  // namespace

std::unique_ptr<Executor> make_shape_executor() { return std::make_unique<ShapeExecutor>(); }

}  // namespace lingua
