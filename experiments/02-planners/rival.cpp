// Looks for a plan of more throughput than a planner's, by hill climbing that knows nothing of the planner's
// search: the estimate is the judge, whole plans are the state.
//
//   rival CLUSTER.yaml --model bloom-3b [--rule bytes] [--int8] [--prompt 16] [--tokens 16] [--requests 32]
//     [--in-flight 8] [--planner cbc] [--seconds 100] [--seed 1]
//
// Prints a row: cluster, devices, model, planner, its tokens/s, its seconds of CPU, the rival's tokens/s, by
// how much that is more, and the rival's plan. Seconds are of CPU, so that a busy machine changes nothing.

#include <fmt/format.h>

#include <ctime>
#include <numeric>

#include "experiments/02-planners/workload_options.h"
#include "runtime/base/random.h"
#include "runtime/net/wire.h"
#include "runtime/partition/partition.h"
#include "runtime/plan/run_memory.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"
#include "runtime/torch/import.h"

namespace lingua {
namespace {

double cpu_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

class Rival {
 public:
  Rival(const PlanRequest& request, std::uint64_t seed) : request_(request), rng_(seed) {}

  // Climbs from the plan and, every second time, from one by chance, shaken more each time in vain.
  std::pair<double, std::vector<Stage>> climb(const std::vector<Stage>& plan, double until_s) {
    std::vector<Stage> best = plan;
    double best_value = value(best);
    for (int round = 0; cpu_s() < until_s; ++round) {
      std::vector<Stage> now = best;
      for (int changes = 1 + round % 6; round > 0 && changes > 0; --changes) change(now);
      double now_value = value(now);
      for (int failures = 0; failures < 300 && cpu_s() < until_s;) {
        std::vector<Stage> next = now;
        change(next);
        if (rng_.below(3) == 0) change(next);
        const double next_value = value(next);
        failures = next_value > now_value ? 0 : failures + 1;
        if (next_value < now_value || next_value == 0) continue;
        now = std::move(next);
        now_value = next_value;
      }
      if (now_value <= best_value) continue;
      best = now;
      best_value = now_value;
    }
    return {best_value, best};
  }

 private:
  // Tokens per second; 0 where it is no plan.
  double value(const std::vector<Stage>& stages) {
    const ClusterSpec& cluster = *request_.cluster;
    if (!cluster.header.empty() && stages.front().device != cluster.header) return 0;
    for (const Stage& stage : stages) {
      if (stage.last_segment < stage.first_segment) return 0;
    }
    for (const Stage& stage : stages) {
      const double need = run_memory_bytes(*request_.segmentation, stage.first_segment,
                                           stage.last_segment, request_.workload);
      if (need > cluster.device(stage.device).memory_bytes) return 0;
    }
    Plan plan;
    plan.stages = stages;
    plan.transfers = transfers_of(*request_.segmentation, plan.stages);
    return estimate(plan, *request_.segmentation, cluster, request_.workload).tokens_per_s;
  }

  DeviceName spare(const std::vector<Stage>& stages) {
    std::vector<DeviceName> names;
    for (const DeviceSpec& device : request_.cluster->devices) {
      bool used = false;
      for (const Stage& stage : stages) used = used || stage.device == device.name;
      if (!used) names.push_back(device.name);
    }
    return names.empty() ? "" : names[rng_.below(names.size())];
  }

  void change(std::vector<Stage>& stages) {
    const std::size_t at = rng_.below(stages.size());
    const std::size_t other = rng_.below(stages.size());
    const DeviceName name = spare(stages);
    const auto kind = rng_.below(name.empty() ? 6 : 10);
    if (kind < 4) {
      if (at == 0) return;
      const int by = (1 + static_cast<int>(rng_.below(rng_.below(2) == 0 ? 1 : 6))) *
                     (rng_.below(2) == 0 ? 1 : -1);
      stages[at - 1].last_segment += by;
      stages[at].first_segment += by;
    } else if (kind == 4) {
      std::swap(stages[at].device, stages[other].device);
    } else if (kind == 5) {
      if (stages.size() == 1) return;
      if (at > 0) stages[at - 1].last_segment = stages[at].last_segment;
      if (at == 0) stages[1].first_segment = 0;
      stages.erase(stages.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (kind < 8) {
      stages[at].device = name;
    } else {
      const int length = stages[at].last_segment - stages[at].first_segment + 1;
      if (length < 2) return;
      const int part = 1 + static_cast<int>(rng_.below(static_cast<std::uint64_t>(length) - 1));
      const SegmentId middle = stages[at].first_segment + part;
      const bool before = rng_.below(2) == 0;
      const DeviceName old = stages[at].device;
      Stage more{before ? old : name, middle, stages[at].last_segment, {}};
      stages[at].last_segment = middle - 1;
      stages[at].device = before ? name : old;
      stages.insert(stages.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(more));
    }
  }

  const PlanRequest& request_;
  Rng rng_;
};

struct Options {
  std::string cluster;
  std::string model = "bloom-3b";
  std::string planner = "cbc";
  PartitionOptions partition;
  ImportOptions import;
  Workload workload{.prompt_tokens = 16,
                    .max_tokens = 16,
                    .in_flight = 8,
                    .requests = 32,
                    .messages = message_sizes(wire_bytes)};
  double seconds = 100;
  std::uint64_t seed = 1;
};

void run(Options options) {
  const ImportedModel model = import_model(options.model, options.import);
  const Segmentation segmentation = partition(model.graph, options.partition);
  const ClusterSpec cluster = load_cluster(options.cluster);
  PlanRequest request;
  request.segmentation = &segmentation;
  request.cluster = &cluster;
  request.workload = options.workload;
  request.objective = Objective::kThroughput;
  request.time_limit_s = 600;
  const double begin_s = cpu_s();
  const Plan plan = make_plan(options.planner, request);
  const double planned_s = cpu_s() - begin_s;
  const auto [value, stages] =
      Rival(request, options.seed).climb(plan.stages, cpu_s() + options.seconds);
  std::string text;
  for (const Stage& stage : stages)
    text += fmt::format(" {}:{}-{}", stage.device, stage.first_segment, stage.last_segment);
  fmt::print("{},{},{},{},{:.4f},{:.2f},{:.4f},{:.2f}%,{}\n", cluster.name, cluster.devices.size(),
             options.model, options.planner, plan.estimate.tokens_per_s, planned_s, value,
             100 * (value / plan.estimate.tokens_per_s - 1), text);
}

}  // namespace
}  // namespace lingua

int main(int argc, char** argv) {
  lingua::Options options;
  CLI::App app("hill climbing against a planner");
  app.add_option("cluster", options.cluster)->required();
  app.add_option("--model", options.model);
  app.add_option("--planner", options.planner);
  app.add_option("--rule", options.partition.rule);
  app.add_flag("--int8", options.import.int8);
  app.add_flag_callback("--bf16", [&] { options.import.dtype = lingua::DType::kBFloat16; });
  lingua::add_workload_options(app, options.workload);
  app.add_option("--seconds", options.seconds);
  app.add_option("--seed", options.seed);
  return lingua::run_program(app, argc, argv, [&] { lingua::run(options); });
}
