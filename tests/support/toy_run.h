#pragma once
// Whole runs of the toy model inside SimGrid, and the plain loop that they must equal.
//
// SimGrid's clock cannot be reset: one ToyRun per process.

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/engine/run.h"
#include "runtime/engine/worker.h"
#include "runtime/plan/membership.h"
#include "sim/cluster/sim_cluster.h"
#include "tests/support/toy_model.h"

namespace lingua::testing {

inline constexpr int kToySegments = 6;

using ToyTokens = std::vector<std::vector<TokenId>>;

inline std::vector<std::int64_t> toy_prompt(std::int64_t request) { return {request + 1, 2, 3}; }

// Equal runs of segments for those of the devices that are there, in their order. Errors: WorldError where they
// are fewer than so many.
inline std::vector<Stage> shared_among(std::vector<DeviceName> devices,
                                       const Membership& membership, int least = 1) {
  std::erase_if(devices, [&](const DeviceName& name) { return membership.lost.contains(name); });
  const int count = static_cast<int>(devices.size());
  if (count < least) throw WorldError(fmt::format("{} devices are needed", least));
  std::vector<Stage> stages;
  for (int d = 0; d < count; ++d) {
    stages.push_back({devices[static_cast<std::size_t>(d)],
                      kToySegments * d / count,
                      kToySegments * (d + 1) / count - 1,
                      {}});
  }
  return stages;
}

struct ToyRun {
  std::vector<Stage> stages;
  int in_flight = 1;
  int requests = 3;
  std::int64_t max_tokens = 5;
  bool kv_cache = true;
  double memory_bytes = 1e9;            // of each device
  std::vector<DeviceName> spares = {};  // devices that the plan leaves out
  std::function<std::vector<std::int64_t>(std::int64_t)> prompt = toy_prompt;  // by request
  LinkSpec link = {1e6, Seconds(0.002)};
  std::function<std::unique_ptr<Executor>()> make_executor = [] {
    return std::make_unique<ToyExecutor>();
  };
  std::function<void(ClusterSpec&)> change_cluster = [](ClusterSpec&) {};
  std::function<void(Segmentation&)> change_model = [](Segmentation&) {};
  std::function<void(Deployment&)> change_deployment = [](Deployment&) {};
  std::function<void(RunJob&)> change_job = [](RunJob&) {};
  WorkerOptions worker = {};
  // Sees every message that crosses a link.
  std::function<double(const MessageBody&)> wire_bytes = [](const MessageBody&) { return 1000.0; };
  // What a device does instead of the worker loop.
  std::map<DeviceName, std::function<void(Device&)>> impostors = {};
  std::function<void(SimCluster&)> faults = [](SimCluster&) {};

  RunResult operator()() const {
    ClusterSpec cluster;
    cluster.name = "test";
    cluster.default_link = link;
    Plan plan;
    plan.stages = stages;
    std::vector<DeviceName> devices = plan.devices();
    devices.insert(devices.end(), spares.begin(), spares.end());
    for (const DeviceName& device : devices) {
      cluster.devices.push_back({device, 1e9, 1e9, memory_bytes, 1, Seconds(0)});
    }
    change_cluster(cluster);
    Segmentation segmentation = toy_segmentation(kToySegments, true);
    change_model(segmentation);
    ToySource source;
    RunJob job;
    job.coordinator.deployment.segmentation = &segmentation;
    job.coordinator.deployment.source = &source;
    job.coordinator.deployment.plan.stages = stages;
    job.coordinator.deployment.plan.transfers = transfers_of(segmentation, stages);
    job.coordinator.deployment.chunk_bytes = 16;
    change_deployment(job.coordinator.deployment);
    job.coordinator.in_flight = in_flight;
    job.client.concurrency = in_flight;
    for (int r = 0; r < requests; ++r) job.client.requests.push_back(request(r));
    change_job(job);
    SimOptions options;
    options.wire_bytes = wire_bytes;
    options.make_executor = [&](const DeviceSpec&) { return make_executor(); };
    CoordinatorResult result;
    ClientResult answers;
    SimCluster sim(cluster, options);
    for (const DeviceName& device : job.coordinator.absent) sim.be_absent(device);
    for (const DeviceName& device : devices) {
      const auto impostor = impostors.find(device);
      sim.start(
          device, impostor != impostors.end() ? impostor->second : [this](Device& device) {
            run_worker(device, worker);
          });
    }
    sim.start(kCoordinator, [&](Device& device) {
      result = run_coordinator(device, job.coordinator);
      for (const DeviceName& name : spares) device.send(name, Stop{});
    });
    sim.start_client(kOnlyClient,
                     [&](Mailbox& mailbox) { answers = run_client(mailbox, job.client); });
    faults(sim);
    sim.run();
    return result_of(std::move(result), std::move(answers));
  }

  ToyTokens tokens() const {
    ToyTokens tokens;
    for (const Done& answer : (*this)().answers) tokens.push_back(answer.tokens);
    return tokens;
  }

  Submit request(int r) const {
    Submit submit;
    submit.request = r;
    const std::vector<std::int64_t> tokens = prompt(r);
    submit.inputs = {make_int64_tensor(tokens)};
    submit.max_tokens = max_tokens;
    submit.capacity = max_tokens > 0 ? static_cast<std::int64_t>(tokens.size()) + max_tokens : 0;
    submit.kv_cache = kv_cache;
    return submit;
  }
};

// The same model on other stages, once a request has ended.
inline void move_after_one(RunJob& job, const std::vector<Stage>& stages,
                           Crossing crossing = Crossing::kEnd) {
  const Deployment before = job.coordinator.deployment;
  job.coordinator.rebalance = [=](const RunState& state) -> std::optional<Move> {
    if (state.ended != 1) return std::nullopt;
    Move move{before, {crossing}, {}, "a test asks for it"};
    move.deployment.plan.stages = stages;
    move.deployment.plan.transfers =
        transfers_of(*before.segmentation, stages, before.communication);
    return move;
  };
}

// Requests of five tokens: every segment in turn, in this process, no device and no message.
inline ToyTokens tokens_of_a_plain_loop(
    std::int64_t requests = 3,
    const std::function<std::vector<std::int64_t>(std::int64_t)>& prompt = toy_prompt,
    std::size_t max_tokens = 5,
    const Segmentation& segmentation = toy_segmentation(kToySegments, true)) {
  ToySource source;
  ToyExecutor executor;
  for (const Segment& segment : segmentation.segments) {
    std::vector<Tensor> weights;
    for (const WeightSpec& spec : segment.weights) {
      auto memory = allocate_bytes(spec.bytes());
      source.read(spec, 0, spec.bytes(), memory.get());
      weights.push_back({spec.dtype, spec.shape, memory});
    }
    executor.load(segment, source.program(segment), weights);
  }
  ToyTokens all;
  for (std::int64_t r = 0; r < requests; ++r) {
    std::vector<std::int64_t> next = prompt(r);
    std::vector<TokenId> tokens;
    std::int64_t cached = 0;
    while (tokens.size() < max_tokens) {
      const StepContext context{r, {static_cast<std::int64_t>(next.size()), cached}, 8};
      std::map<ValueId, Tensor> values = {{0, make_int64_tensor(next)}};
      for (const Segment& segment : segmentation.segments) {
        std::vector<Tensor> inputs;
        for (const TensorSpec& spec : segment.inputs) inputs.push_back(values.at(spec.value));
        const auto outputs = executor.run(segment.id, context, inputs);
        for (std::size_t i = 0; i < outputs.size(); ++i)
          values[segment.outputs[i].value] = outputs[i];
      }
      cached += static_cast<std::int64_t>(next.size());
      tokens.push_back(greedy_token(values.at(segmentation.model_outputs.front())));
      next = {tokens.back()};
    }
    all.push_back(tokens);
  }
  return all;
}

}  // namespace lingua::testing
