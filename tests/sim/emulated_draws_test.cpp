// Tokens of random plans, schedules and ways to communicate, with LibTorch's numerics inside SimGrid: those
// of the unsplit model, whatever is drawn.

#include <gtest/gtest.h>

#include <memory>

#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/engine/run.h"
#include "runtime/engine/worker.h"
#include "runtime/net/wire.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/import.h"
#include "runtime/torch/random_model.h"
#include "runtime/torch/torch_executor.h"
#include "sim/cluster/sim_cluster.h"
#include "tests/support/draws.h"

namespace lingua {
namespace {

constexpr std::int64_t kTokens = 6;
constexpr int kPrompts = 10;

// A model in one form, and what it says when it is not split.
struct Subject {
  ImportedModel model;
  std::vector<ReferenceResult> answers;
};

std::vector<std::int64_t> prompt_of(int prompt) {
  Rng rng(static_cast<std::uint64_t>(prompt) + 7);
  std::vector<std::int64_t> tokens(1 + rng.below(prompt % 4 == 0 ? 90 : 14));
  for (std::int64_t& token : tokens) token = static_cast<std::int64_t>(rng.below(256));
  return tokens;
}

std::vector<Subject> make_subjects(const TemporaryFolder& folder) {
  std::vector<std::vector<std::int64_t>> prompts;
  for (int p = 0; p < kPrompts; ++p) prompts.push_back(prompt_of(p));
  std::vector<Subject> subjects;
  for (const std::string name : {"bloom:hidden=64,layers=4,heads=4,vocabulary=256",
                                 "llama:hidden=64,layers=4,heads=4,vocabulary=256"}) {
    const std::string path = folder.file(name.substr(0, name.find(':')));
    write_random_model({name, 3, DType::kBFloat16, path}, [](double) {});
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (const std::int64_t pieces : {1, 3}) {
        for (const bool int8 : {false, true}) {
          ImportOptions options;
          options.dtype = dtype;
          options.int8 = int8;
          options.head_pieces.count = pieces;
          subjects.push_back({import_model(path, options),
                              generate_reference(path, options, prompts, kTokens, 1, false)});
        }
      }
    }
  }
  return subjects;
}

struct Draw {
  Segmentation segmentation;
  bool recompute_norms = false;
  ClusterSpec cluster;
  RunJob job;
};

// Stages of at most five devices, the first of them at both ends sometimes.
std::vector<Stage> random_stages(int segments, Rng& rng) {
  std::vector<Stage> stages;
  const auto most = 1 + rng.below(5);
  for (int first = 0; first < segments;) {
    int last = segments - 1;
    if (stages.size() + 1 < most)
      last = first + static_cast<int>(rng.below(static_cast<std::uint64_t>(segments - first)));
    stages.push_back({fmt::format("d{}", stages.size()), first, last, {}});
    first = last + 1;
  }
  if (stages.size() > 2 && rng.below(3) == 0) stages.back().device = "d0";
  return stages;
}

Scheduling random_scheduling(Rng& rng) {
  constexpr std::int64_t kChunks[] = {kWholePrompts, kAutoChunk, 1, 5, 16, 40};
  return {static_cast<Policy>(rng.below(3)), static_cast<int>(rng.below(9)),
          kChunks[rng.below(std::size(kChunks))]};
}

Draw draw(const Subject& subject, Rng& rng) {
  Draw drawn;
  PartitionOptions options;
  options.rule = rng.below(3) == 0 ? "lingualinked" : "bytes";
  options.max_segments = options.rule == "bytes" ? 12 + static_cast<int>(rng.below(30)) : 64;
  options.recompute_norms = rng.below(2) == 0;
  drawn.recompute_norms = options.recompute_norms;
  drawn.segmentation = partition(subject.model.graph, options);
  drawn.cluster.name = "drawn";
  drawn.cluster.default_link = {rng.uniform(1e5, 1e8), Seconds(rng.uniform(0, 0.02))};
  Deployment& deployment = drawn.job.coordinator.deployment;
  deployment.source = subject.model.source.get();
  deployment.scheduling = random_scheduling(rng);
  deployment.communication = {WireType::kAsComputed, static_cast<ResidualPath>(rng.below(2)),
                              rng.below(2) == 0};
  deployment.plan.stages = random_stages(static_cast<int>(drawn.segmentation.segments.size()), rng);
  deployment.plan.transfers =
      transfers_of(drawn.segmentation, deployment.plan.stages, deployment.communication);
  for (const DeviceName& name : deployment.plan.devices()) {
    drawn.cluster.devices.push_back(
        {name, rng.uniform(1e8, 1e10), rng.uniform(1e8, 1e10), 1e9, 1, Seconds(0)});
  }
  drawn.job.coordinator.in_flight = 1 + static_cast<int>(rng.below(8));
  drawn.job.client.concurrency = drawn.job.coordinator.in_flight;
  for (int r = 0; r < kPrompts; ++r) {
    const std::vector<std::int64_t> tokens = prompt_of(r);
    Submit submit;
    submit.request = r;
    submit.inputs = {make_int64_tensor(tokens)};
    submit.max_tokens = kTokens;
    submit.capacity = static_cast<std::int64_t>(tokens.size()) + kTokens;
    drawn.job.client.requests.push_back(submit);
  }
  return drawn;
}

std::string describe(const Draw& drawn) {
  const Deployment& deployment = drawn.job.coordinator.deployment;
  std::string text = fmt::format(
      "rule {}, norms again {}, in flight {}, policy {}, max batch {}, chunk {}, {}, {}:",
      drawn.segmentation.rule, drawn.recompute_norms, drawn.job.coordinator.in_flight,
      static_cast<int>(deployment.scheduling.policy), deployment.scheduling.max_batch,
      deployment.scheduling.chunk, static_cast<int>(deployment.communication.residuals),
      deployment.communication.share_frames);
  for (const Stage& stage : deployment.plan.stages)
    text += fmt::format(" {} {}-{}", stage.device, stage.first_segment, stage.last_segment);
  return text;
}

// Whether the tokens are the reference's.
bool emulate(Draw& drawn, const Subject& subject) {
  drawn.job.coordinator.deployment.segmentation = &drawn.segmentation;
  SimOptions options;
  options.wire_bytes = wire_bytes;
  options.make_executor = [](const DeviceSpec&) {
    auto executor = make_torch_executor();
    executor->compute_with({1});
    return executor;
  };
  CoordinatorResult result;
  ClientResult answers;
  SimCluster sim(drawn.cluster, options);
  for (const DeviceName& name : drawn.job.coordinator.deployment.plan.devices())
    sim.start(name, [](Device& device) { run_worker(device, {}); });
  sim.start(kCoordinator,
            [&](Device& device) { result = run_coordinator(device, drawn.job.coordinator); });
  sim.start_client(kOnlyClient,
                   [&](Mailbox& mailbox) { answers = run_client(mailbox, drawn.job.client); });
  sim.run();
  const RunResult run = result_of(std::move(result), std::move(answers));
  if (run.answers.size() != subject.answers.size()) return false;
  for (std::size_t i = 0; i < run.answers.size(); ++i) {
    if (run.answers[i].tokens != subject.answers[i].tokens) return false;
  }
  return true;
}

TEST(EmulatedDraws, TokensAreThoseOfTheUnsplitModel) {
  const TemporaryFolder folder;
  const std::vector<Subject> subjects = make_subjects(folder);
  const int draws = testing::draws(500);
  for (int seed = 0; seed < draws; ++seed) {
    const Subject& subject = subjects[static_cast<std::size_t>(seed) % subjects.size()];
    Rng rng(static_cast<std::uint64_t>(seed) + 1);
    Draw drawn = draw(subject, rng);
    // In a process of its own: SimGrid simulates once.
    EXPECT_EXIT(_exit(emulate(drawn, subject) ? 0 : 1), ::testing::ExitedWithCode(0), "")
        << "seed " << seed << ", " << describe(drawn);
  }
}

}  // namespace
}  // namespace lingua
