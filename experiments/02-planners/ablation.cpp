// What each part of the search earns: chains by simulated annealing with one part left out at a time, at the
// same effort, and the labels that a proof takes with and without the beam's chain to begin with.
//
//   ablation CLUSTER.yaml [--model bloom-1b1] [--prompt 16] [--tokens 8] [--requests 32] [--in-flight 4]
//     [--effort 0.1] [--seeds 5]
//
// Prints rows "cluster,what,mean,worst" of annealing: by how much its chains are worse, by the estimate, than
// the best chain that any variant found, over the seeds; and "cluster,goal,with,without" of labels. Effort is
// counted in steps on stages and in labels: a busy machine changes nothing.

#include <fmt/format.h>

#include <algorithm>

#include "experiments/02-planners/workload_options.h"
#include "runtime/net/wire.h"
#include "runtime/partition/partition.h"
#include "runtime/planner/named/simple_plans.h"
#include "runtime/planner/search/annealing.h"
#include "runtime/planner/search/beam.h"
#include "runtime/planner/search/label_setting.h"
#include "runtime/planner/search/optimise_chain.h"
#include "runtime/predict/estimated_value.h"
#include "runtime/torch/import.h"

namespace lingua {
namespace {

struct Options {
  std::string cluster;
  std::string model = "bloom-1b1";
  Workload workload{.prompt_tokens = 16,
                    .max_tokens = 8,
                    .in_flight = 4,
                    .requests = 32,
                    .messages = message_sizes(wire_bytes)};
  double effort = 0.1;
  int seeds = 5;
};

struct Variant {
  const char* name;
  AnnealingParts parts;
  bool simple_plans = true;
};

std::vector<Variant> variants() {
  std::vector<Variant> all = {{"all parts", {}}, {"no simple plans", {}, false}};
  const auto without = [&](const char* name, auto&& leave_out) {
    all.push_back({name, {}});
    leave_out(all.back().parts);
  };
  without("no compromises", [](AnnealingParts& parts) { parts.compromises = false; });
  without("no predictions", [](AnnealingParts& parts) { parts.predictions = false; });
  without("no exclusions", [](AnnealingParts& parts) { parts.exclusions = false; });
  without("no races", [](AnnealingParts& parts) { parts.races = false; });
  without("no warm starts", [](AnnealingParts& parts) { parts.warm_starts = false; });
  without("no reheating", [](AnnealingParts& parts) { parts.reheating = false; });
  without("no swap of places", [](AnnealingParts& parts) { parts.moves.swap_places = false; });
  without("no move of a place", [](AnnealingParts& parts) { parts.moves.move_place = false; });
  without("no turn round", [](AnnealingParts& parts) { parts.moves.turn_round = false; });
  without("no dealing anew", [](AnnealingParts& parts) { parts.moves.deal_anew = false; });
  return all;
}

void ablate_annealing(const Options& options, const PlanRequest& request) {
  const PlanCosts costs(request);
  const std::vector<Run> first = quick_chain(costs);
  const std::vector<Variant> all = variants();
  std::vector<std::vector<double>> values(all.size());
  double best = estimated_value(costs, first);
  for (std::size_t v = 0; v < all.size(); ++v) {
    AnnealingParts parts = all[v].parts;
    parts.effort = options.effort;
    const ChainStarts starts = [&](const PlanCosts& of) {
      return all[v].simple_plans ? simple_plans(of) : std::vector<std::vector<Run>>{};
    };
    for (int seed = 1; seed <= options.seeds; ++seed) {
      parts.seed = static_cast<std::uint64_t>(seed);
      values[v].push_back(estimated_value(costs, improve_chain(costs, first, starts, parts)));
      best = std::min(best, values[v].back());
    }
  }
  for (std::size_t v = 0; v < all.size(); ++v) {
    double sum = 0;
    double worst = 0;
    for (const double value : values[v]) {
      sum += value / best - 1;
      worst = std::max(worst, value / best - 1);
    }
    fmt::print("annealing,{},{},{:.2f}%,{:.2f}%\n", request.cluster->name, all[v].name,
               100 * sum / options.seeds, 100 * worst);
  }
}

// Labels that a proof takes, from this chain on.
std::int64_t proof_labels(const PlanCosts& costs, const std::vector<Run>& incumbent) {
  constexpr std::size_t kWidth = 4000;
  std::int64_t labels = 0;
  const ChainSolver solver = [&](const ChainLimits& limits) {
    ChainResult result = search_chain(costs, limits, kWidth);
    labels += result.effort;
    return result;
  };
  optimise_chain(costs, solver, incumbent);
  return labels;
}

void run(const Options& options) {
  ImportOptions import;
  import.dtype = DType::kBFloat16;
  import.int8 = true;
  const ImportedModel model = import_model(options.model, import);
  const Segmentation segmentation = partition(model.graph, {});
  const ClusterSpec cluster = load_cluster(options.cluster);
  PlanRequest request;
  request.segmentation = &segmentation;
  request.cluster = &cluster;
  request.workload = options.workload;
  request.time_limit_s = 1e6;  // effort alone counts
  request.objective = Objective::kThroughput;
  request.rules = resolved_rules(request);
  ablate_annealing(options, request);
  for (const Objective& goal : {Objective::kLatency, Objective::kThroughput}) {
    request.objective = goal;
    const PlanCosts costs(request);
    fmt::print("proof,{},{},{},{}\n", cluster.name, objective_name(goal),
               proof_labels(costs, quick_chain(costs)), proof_labels(costs, {}));
  }
}

}  // namespace
}  // namespace lingua

int main(int argc, char** argv) {
  lingua::Options options;
  CLI::App app("what each part of the search earns");
  app.add_option("cluster", options.cluster)->required();
  app.add_option("--model", options.model);
  lingua::add_workload_options(app, options.workload);
  app.add_option("--effort", options.effort);
  app.add_option("--seeds", options.seeds);
  return lingua::run_program(app, argc, argv, [&] { lingua::run(options); });
}
