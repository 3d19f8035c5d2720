#pragma once
// A small cluster with keys for tests of damaged traffic.

#include <deque>

#include "runtime/base/temporary.h"
#include "runtime/engine/run.h"
#include "tests/net/raw_peers.h"
#include "tests/support/toy_model.h"

namespace lingua::testing {

inline constexpr int kTrafficSegments = 6;

// The toy executor, which refuses as a real one does what it cannot compute.
class WaryExecutor : public ToyExecutor {
 public:
  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override {
    for (const Tensor& weight : weights) {
      if (!weight.has_data()) throw WorldError("the toy takes weights with contents");
    }
    ToyExecutor::load(segment, program, weights);
    loaded_[segment.id] = segment;
  }
  void unload(SegmentId id) override {
    ToyExecutor::unload(id);
    loaded_.erase(id);
  }
  std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                 const std::vector<Tensor>& inputs) override {
    const Segment& segment = loaded_.at(id);
    const std::int64_t tokens = context.step.new_tokens;
    LINGUA_CHECK(tokens > 0 && inputs.size() == segment.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      LINGUA_CHECK(inputs[i].dtype == segment.inputs[i].dtype);
      const bool fits = inputs[i].dtype == DType::kInt64 && inputs[i].has_data() &&
                        inputs[i].elements() % tokens == 0;
      if (!fits) throw WorldError("the toy takes rows of int64");
    }
    for (const TensorSpec& output : segment.outputs) {
      double width = output.dtype == DType::kFloat32 ? 1 : 1 / static_cast<double>(tokens);
      for (const StepFunction& dim : output.dims) {
        const double size = dim.at(context.step);
        if (!(size >= 1 && size <= 10'000)) throw WorldError("the toy makes no such tensor");
        width *= size;
      }
      const bool rows = output.dtype == DType::kInt64 && (width == 1 || width == 2);
      const bool logits = output.dtype == DType::kFloat32 && width <= 10'000;
      if (!rows && !logits) throw WorldError("the toy makes no such tensor");
    }
    return ToyExecutor::outputs_of(id, context, inputs);
  }

 private:
  std::map<SegmentId, Segment> loaded_;
};

// The mailbox of a coordinator that has a client in its own thread.
class WithClient : public Mailbox {
 public:
  WithClient(Mailbox& mailbox, const ClientJob& job) : mailbox_(mailbox), client_(job) {
    Effects effects;
    client_.begin(effects);
    take(std::move(effects));
  }

  const DeviceName& name() const override { return mailbox_.name(); }
  Seconds now() override { return mailbox_.now(); }
  void send(const DeviceName& to, MessageBody body) override {
    if (to != kOnlyClient) {
      mailbox_.send(to, std::move(body));
      return;
    }
    Effects effects;
    client_.take({kCoordinator, std::move(body), now(), now(), 0}, now(), effects);
    client_.submit_due(
        now(), [] { return false; }, effects);
    take(std::move(effects));
  }
  std::optional<Message> receive(Seconds deadline) override {
    if (said_.empty()) return mailbox_.receive(deadline);
    Message message = std::move(said_.front());
    said_.pop_front();
    return message;
  }

 private:
  void take(Effects effects) {
    for (Letter& letter : effects.letters)
      said_.push_back({kOnlyClient, std::move(letter.body), now(), now(), 0});
  }

  Mailbox& mailbox_;
  Client client_;
  std::deque<Message> said_;  // by the client
};

// Three devices with keys that a coordinator knows, and what they are to do.
class Cluster {
 public:
  Cluster() {
    for (const DeviceName& name : names) {
      pairs[name] = make_key_pair();
      KnownKeys(folder_.file("known")).add(name, pairs[name].public_key);
    }
    admission = std::make_shared<Admission>(make_key_pair(), folder_.file("known"));
  }

  NetOptions coordinator_options(bool secured = true) const {
    NetOptions options = quick(20);
    if (!secured) return options;
    options.key = admission->self();
    options.admission = admission;
    return options;
  }

  NetWorkerOptions worker(const DeviceName& name, const std::string& address,
                          bool secured = true) const {
    NetWorkerOptions options{{name, 1e9, 1e9, 64e6, 1, Seconds(0)}, address, quick(8), {}};
    if (!secured) return options;
    options.net.key = pairs.at(name);
    options.coordinator_key = admission->self().public_key;
    return options;
  }

  RunJob job(int requests = 2) const {
    RunJob job;
    job.coordinator.deployment.segmentation = &segmentation_;
    job.coordinator.deployment.source = &source_;
    job.coordinator.deployment.plan.stages = {
        {"w1", 0, 1, {}}, {"w2", 2, 3, {}}, {"w3", 4, kTrafficSegments - 1, {}}};
    job.coordinator.deployment.plan.transfers =
        transfers_of(segmentation_, job.coordinator.deployment.plan.stages);
    job.coordinator.deployment.chunk_bytes = 64;
    job.coordinator.settle = Seconds(0.1);
    job.coordinator.stall_timeout = Seconds(1);
    for (RequestId id = 0; id < requests; ++id) {
      Submit submit;
      submit.request = id;
      submit.inputs = {make_int64_tensor({1, 2, 3})};
      submit.max_tokens = 6;
      submit.capacity = 9;
      job.client.requests.push_back(submit);
    }
    return job;
  }

  const std::vector<DeviceName> names = {"w1", "w2", "w3"};
  std::map<DeviceName, KeyPair> pairs;
  std::shared_ptr<Admission> admission;

 private:
  TemporaryFolder folder_;
  const Segmentation segmentation_ = toy_segmentation(kTrafficSegments, true);
  mutable ToySource source_;
};

}  // namespace lingua::testing
