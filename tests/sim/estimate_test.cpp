// The estimate of a plan against the simulated run of it: the same model of time, so the same numbers.

#include "runtime/predict/estimate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/random.h"
#include "runtime/engine/run.h"
#include "runtime/engine/worker.h"
#include "runtime/events/metrics.h"
#include "runtime/net/wire.h"
#include "runtime/plan/run_memory.h"
#include "sim/cluster/sim_cluster.h"
#include "tests/plan/hand_sizes.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using testing::kHandSizes;

// The sizes that the estimate is given, so that nothing but time can differ.
double assumed_bytes(const MessageBody& body) {
  if (const auto* values = std::get_if<Activations>(&body)) {
    double bytes = kHandSizes.activations;
    for (const Tensor& tensor : values->tensors)
      bytes += kHandSizes.tensor + static_cast<double>(tensor.bytes());
    return bytes;
  }
  if (const auto* together = std::get_if<Together>(&body)) {
    double bytes = kHandSizes.together;
    for (const Activations& each : together->activations)
      bytes += kHandSizes.together_each + assumed_bytes(each);
    for (const StepResult& each : together->results)
      bytes += kHandSizes.together_each + assumed_bytes(each);
    return bytes;
  }
  if (const auto* submit = std::get_if<Submit>(&body)) {
    return kHandSizes.submit + static_cast<double>(submit->inputs[0].bytes());
  }
  if (const auto* done = std::get_if<Done>(&body)) {
    return kHandSizes.done + kHandSizes.done_token * static_cast<double>(done->tokens.size());
  }
  if (std::holds_alternative<StepResult>(body)) return kHandSizes.result;
  if (std::holds_alternative<TokenMade>(body)) return kHandSizes.token_made;
  return kHandSizes.release;
}

struct Scene {
  Segmentation segmentation;
  ClusterSpec cluster;
  Workload workload;
  Plan plan;
};

// Six segments with residual values on 2 to 5 devices, with links, media and speeds from good to poor.
Scene random_scene(std::uint64_t seed) {
  Rng rng(seed);
  Scene scene;
  scene.segmentation = testing::toy_segmentation(6, true);
  for (Segment& segment : scene.segmentation.segments) {
    segment.flops = StepFunction({rng.uniform(1e6, 5e7), rng.uniform(1e5, 1e7), 1e4, 0, 0, 0});
    segment.bytes_moved = StepFunction({rng.uniform(1e6, 5e7), 0, rng.uniform(0, 1e5), 0, 0, 0});
  }
  const int devices = 2 + static_cast<int>(rng.below(4));
  scene.cluster.name = "random";
  scene.cluster.default_link = {rng.uniform(2e3, 1e5), Seconds(rng.uniform(0, 0.05))};
  for (int d = 0; d < devices; ++d) {
    scene.cluster.devices.push_back({fmt::format("d{}", d), rng.uniform(1e8, 1e9),
                                     rng.uniform(1e9, 1e10), 1e12, 1,
                                     Seconds(rng.uniform(0, 1e-3))});
  }
  for (int from = 0; from < devices; ++from) {
    for (int to = 0; to < devices; ++to) {
      if (from == to || rng.below(2) == 0) continue;
      scene.cluster.links[{fmt::format("d{}", from), fmt::format("d{}", to)}] = {
          rng.uniform(2e3, 1e6), Seconds(rng.uniform(0, 0.1))};
    }
  }
  if (rng.below(3) == 0) scene.cluster.shared_bytes_per_s = rng.uniform(5e3, 5e4);
  scene.workload = {.prompt_tokens = 1 + static_cast<std::int64_t>(rng.below(40)),
                    .max_tokens = 1 + static_cast<std::int64_t>(rng.below(8)),
                    .kv_cache = rng.below(4) != 0,
                    .in_flight = 1 + static_cast<int>(rng.below(6)),
                    .messages = kHandSizes};
  scene.workload.requests = scene.workload.in_flight + static_cast<int>(rng.below(12));
  for (int d = 0; d < devices; ++d) {
    scene.plan.stages.push_back(
        {fmt::format("d{}", d), 6 * d / devices, 6 * (d + 1) / devices - 1, {}});
  }
  const bool both_ends = devices > 2 && rng.below(2) == 0;
  if (both_ends) scene.plan.stages.back().device = "d0";
  scene.plan.transfers = transfers_of(scene.segmentation, scene.plan.stages);
  scene.plan.estimate = estimate(scene.plan, scene.segmentation, scene.cluster, scene.workload);
  return scene;
}

// Shapes are all that is simulated.
class Shapes final : public ModelSource {
 public:
  bool has_data() const override { return false; }
  void read(const WeightSpec&, std::int64_t, std::int64_t, std::byte*) override {}
  std::string program(const Segment&) override { return {}; }
};

Metrics simulate(const Scene& scene,
                 const std::function<double(const MessageBody&)>& bytes = assumed_bytes) {
  Shapes source;
  RunJob job;
  job.coordinator.deployment.segmentation = &scene.segmentation;
  job.coordinator.deployment.source = &source;
  job.coordinator.deployment.plan = scene.plan;
  job.coordinator.deployment.scheduling = scene.workload.scheduling;
  job.coordinator.deployment.communication = scene.workload.communication;
  job.coordinator.in_flight = scene.workload.in_flight;
  for (int r = 0; r < scene.workload.requests; ++r) {
    Submit submit;
    submit.request = r;
    const std::int64_t length = scene.workload.prompt_length(static_cast<std::size_t>(r));
    submit.inputs = {make_int64_tensor(std::vector<std::int64_t>(length, 1))};
    submit.max_tokens = scene.workload.max_tokens;
    submit.capacity = length + scene.workload.max_tokens;
    submit.kv_cache = scene.workload.kv_cache;
    submit.stop_tokens = scene.workload.messages.request.stop_tokens;
    submit.sampling = scene.workload.messages.request.sampling;
    job.client.requests.push_back(submit);
  }
  SimOptions options;
  options.wire_bytes = bytes;
  options.make_executor = [](const DeviceSpec&) { return make_shape_executor(); };
  CoordinatorResult result;
  SimCluster sim(scene.cluster, options);
  for (const DeviceName& device : scene.plan.devices()) {
    sim.start(device, [](Device& device) { run_worker(device, {}); });
  }
  sim.start(kCoordinator,
            [&](Device& device) { result = run_coordinator(device, job.coordinator); });
  sim.start_client(kOnlyClient, [&](Mailbox& mailbox) { run_client(mailbox, job.client); });
  sim.run();
  return compute_metrics(result.log);
}

class EstimateAgainstSimulation : public ::testing::TestWithParam<int> {};

TEST_P(EstimateAgainstSimulation, AgreesOnTheThroughputOfRequestsInFlight) {
  const Scene scene = random_scene(GetParam());
  const Metrics simulated = simulate(scene);
  EXPECT_NEAR(scene.plan.estimate.tokens_per_s / simulated.tokens_per_s, 1, 1e-6);
}

// The same with prompts of several lengths.
Scene mixed_scene(std::uint64_t seed) {
  Scene scene = random_scene(seed);
  Rng rng(seed);
  auto& lengths = scene.workload.prompt_lengths;
  for (std::uint64_t n = 2 + rng.below(6); n > 0; --n)
    lengths.push_back(1 + static_cast<std::int64_t>(rng.below(400)));
  scene.workload.prompt_tokens = *std::max_element(lengths.begin(), lengths.end());
  return scene;
}

TEST_P(EstimateAgainstSimulation, AgreesOnTheThroughputOfPromptsThatDiffer) {
  const Scene scene = mixed_scene(GetParam());
  const Estimate expected = estimate(scene.plan, scene.segmentation, scene.cluster, scene.workload);
  EXPECT_NEAR(expected.tokens_per_s / simulate(scene).tokens_per_s, 1, 1e-6);
}

TEST_P(EstimateAgainstSimulation, AgreesOnTheMeanLatencyOfPromptsThatDiffer) {
  Scene scene = mixed_scene(GetParam());
  scene.workload.in_flight = 1;
  scene.workload.requests = static_cast<int>(scene.workload.prompt_lengths.size());
  const Estimate alone = estimate(scene.plan, scene.segmentation, scene.cluster, scene.workload);
  double latency_s = 0;
  for (const RequestMetrics& request : simulate(scene).requests)
    latency_s += (request.end - request.start).count() / scene.workload.requests;
  EXPECT_NEAR(alone.latency_s / latency_s, 1, 1e-6);
}

// The same with steps that run as one, prompts in pieces and policies, in memory for a few activations.
enum class Longer { kNo, kRequests, kTokens };
Scene scheduled_scene(std::uint64_t seed, Longer longer = Longer::kNo) {
  Scene scene = seed % 3 == 0 ? mixed_scene(seed) : random_scene(seed);
  Rng rng(seed + 1000);
  constexpr std::int64_t kChunks[] = {kWholePrompts, kAutoChunk, 4, 16, 64};
  scene.workload.scheduling = {static_cast<Policy>(rng.below(3)), static_cast<int>(rng.below(9)),
                               kChunks[rng.below(std::size(kChunks))]};
  scene.workload.in_flight = 2 + static_cast<int>(rng.below(10));
  scene.workload.requests = scene.workload.in_flight + static_cast<int>(rng.below(12));
  if (longer == Longer::kRequests) {
    scene.workload.requests += 130;
    scene.workload.max_tokens = 1 + static_cast<std::int64_t>(rng.below(2));
  } else if (longer == Longer::kTokens) {
    scene.workload.in_flight = scene.workload.requests = 2 + static_cast<int>(rng.below(2));
    scene.workload.max_tokens += 130;
  }
  scene.workload.communication = {WireType::kAsComputed,
                                  rng.below(2) == 0 ? ResidualPath::kDirect : ResidualPath::kRelay,
                                  rng.below(4) != 0};
  scene.plan.transfers =
      transfers_of(scene.segmentation, scene.plan.stages, scene.workload.communication);
  for (Segment& segment : scene.segmentation.segments)
    segment.weights_read = rng.uniform(0.5, 1) * segment.bytes_moved.coefficients()[0];
  if (rng.below(3) > 0) return scene;
  for (DeviceSpec& device : scene.cluster.devices) {
    RunMemory memory(scene.workload);
    for (const Stage& stage : scene.plan.stages) {
      if (stage.device == device.name) memory.add(stage, scene.segmentation);
    }
    device.memory_bytes = memory.total_bytes() + 1.5 * memory.activation_bytes();
  }
  return scene;
}

TEST_P(EstimateAgainstSimulation, AgreesOnTheThroughputOfBatchesAndPromptsInPieces) {
  const Scene scene = scheduled_scene(GetParam());
  const Estimate expected = estimate(scene.plan, scene.segmentation, scene.cluster, scene.workload);
  EXPECT_NEAR(expected.tokens_per_s / simulate(scene).tokens_per_s, 1, 1e-6);
}

// By the wire format: sizes depend on numbers, of requests, steps and lengths. Where steps of several requests
// take turns, a byte can change whose turn it is, so that sizes have to be right to the byte.
TEST_P(EstimateAgainstSimulation, AgreesToTheByteOfTheWireFormat) {
  Rng rng(GetParam());
  // Numbers beyond 127, and of all steps fewer than have the event log sent in the middle of the run.
  const auto longer = static_cast<Longer>(rng.below(3));
  Scene scene = scheduled_scene(GetParam(), longer);
  scene.workload.messages = message_sizes(wire_bytes);
  scene.workload.messages.request.stop_tokens.assign(rng.below(3), 1000);
  scene.workload.communication.wire = static_cast<WireType>(rng.below(3));
  scene.plan.transfers =
      transfers_of(scene.segmentation, scene.plan.stages, scene.workload.communication);
  const Estimate expected = estimate(scene.plan, scene.segmentation, scene.cluster, scene.workload);
  EXPECT_NEAR(expected.tokens_per_s / simulate(scene, wire_bytes).tokens_per_s, 1, 1e-9);
}

TEST_P(EstimateAgainstSimulation, AgreesOnTheLatencyOfAPromptInPieces) {
  Scene scene = random_scene(GetParam());
  scene.workload.scheduling.chunk = 5;
  scene.workload.requests = scene.workload.in_flight = 1;
  const Estimate expected = estimate(scene.plan, scene.segmentation, scene.cluster, scene.workload);
  const RequestMetrics simulated = simulate(scene).requests.at(0);
  EXPECT_NEAR(expected.latency_s / (simulated.end - simulated.start).count(), 1, 1e-6);
  EXPECT_NEAR(expected.ttft_s / simulated.ttft_s, 1, 1e-6);
}

TEST_P(EstimateAgainstSimulation, AgreesOnTheLatencyOfOneRequestAlone) {
  Scene scene = random_scene(GetParam());
  scene.workload.requests = scene.workload.in_flight = 1;
  const RequestMetrics simulated = simulate(scene).requests.at(0);
  EXPECT_NEAR(scene.plan.estimate.latency_s / (simulated.end - simulated.start).count(), 1, 1e-6);
  EXPECT_NEAR(scene.plan.estimate.ttft_s / simulated.ttft_s, 1, 1e-6);
  if (scene.workload.max_tokens == 1) return;
  EXPECT_NEAR(scene.plan.estimate.tpot_s / simulated.tpot_s, 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Seeds, EstimateAgainstSimulation, ::testing::Range(1, 41));

}  // namespace
}  // namespace lingua
