// LinguaLinked's model assignment as its published code has it, solved exactly.
//
// Source: arXiv 2312.00388 and github.com/zjc664656505/LinguaLinked-Inference. With F_j FLOP of module
// j, V_i FLOP/s, S_j bytes of weights, m_kl bytes from k to l, B bandwidth, A_i = 0.7 of the memory:
//   min  sum_ij (F_j / V_i) x_ij + sum_{i != i'} [ ping_ii' + (sum_kl x_ik m_kl x_i'l) / B_ii' ]
//   s.t. x_00 = 1, each module once, the modules of a device in one run, sum_j S_j x_ij <= A_i.
// As there: F_j is of a pass of 11 tokens and m_kl of one of 50, whatever the workload; ping is a
// constant and decides nothing; the objective asked for and the caches do not matter. Unlike there, the
// activations of that pass count against A_i beside the weights.
// `lingualinked-published` also divides megabytes by kB/s as the published code does: transfers weigh
// a thousandth. Left out: tensors that skip a device (below 1% of a hop).
// A plan that the devices' memory cannot hold with its caches is refused.

#include "runtime/base/errors.h"
#include "runtime/planner/named/fill.h"
#include "runtime/planner/named/planners.h"
#include "runtime/planner/search/beam.h"
#include "runtime/planner/search/chain_solver.h"
#include "runtime/planner/search/label_setting.h"
#include "runtime/planner/search/optimise_chain.h"

namespace lingua {
namespace {

constexpr Step kComputeStep{11, 0};
constexpr Step kTransferStep{50, 0};
constexpr double kMemoryShare = 0.7;
constexpr std::size_t kWidth = 4000;

Segmentation published_modules(const Segmentation& segmentation) {
  Segmentation modules = segmentation;
  const auto set_bytes = [](std::vector<TensorSpec>& tensors) {
    for (TensorSpec& tensor : tensors) tensor.bytes = tensor.bytes.at(kTransferStep);
  };
  set_bytes(modules.model_inputs);
  for (Segment& segment : modules.segments) {
    set_bytes(segment.inputs);
    set_bytes(segment.outputs);
    segment.flops = segment.flops.at(kComputeStep);
    segment.bytes_moved = 0;
    segment.state.clear();
  }
  return modules;
}

ClusterSpec published_cluster(const PlanRequest& request, double unit_factor) {
  ClusterSpec cluster = *request.cluster;
  cluster.header = cluster.devices[pipeline_order(request).front()].name;
  cluster.shared_bytes_per_s = 0;
  for (DeviceSpec& device : cluster.devices) {
    device.memory_bytes *= kMemoryShare;
    device.overhead = Seconds(0);
  }
  const auto set_link = [&](LinkSpec& link) {
    link = {link.bytes_per_s * unit_factor, Seconds(0)};
  };
  set_link(cluster.default_link);
  for (auto& [ends, link] : cluster.links) set_link(link);
  return cluster;
}

PlannerResult plan_published(const PlanRequest& request, const char* name, double unit_factor) {
  const Segmentation modules = published_modules(*request.segmentation);
  const ClusterSpec cluster = published_cluster(request, unit_factor);
  PlanRequest published = request;
  published.segmentation = &modules;
  published.cluster = &cluster;
  published.workload = {.prompt_tokens = kComputeStep.new_tokens,
                        .max_tokens = 1,
                        .messages = request.workload.messages};
  published.objective = Objective::kLatency;
  published.rules.battery_floor = 0;
  const PlanCosts costs(published);
  check_chain_devices(costs.devices(), name);
  const auto search = [&](const ChainLimits& limits) {
    return search_chain(costs, limits, kWidth);
  };
  const std::vector<Run> runs = optimise_chain(costs, search, quick_chain(costs)).runs;
  if (runs.empty()) {
    throw InfeasibleError(
        fmt::format("planner '{}' keeps 30% of each device's memory free and starts with device "
                    "'{}': so no run of whole segments for each device holds the {} of weights. "
                    "Another planner may find a plan that fits",
                    name, cluster.header,
                    format_quantity(costs.memory(0, costs.segments() - 1), Unit::kBytes)));
  }
  const PlanCosts real(request);
  for (const Run& run : runs) {
    if (!real.fits(run)) refuse_run(real, name, run);
  }
  return {costs.stages(runs), Optimality::kHeuristic, 0};
}

}  // namespace

PlannerResult plan_lingualinked(const PlanRequest& request) {
  return plan_published(request, "lingualinked", 1);
}

PlannerResult plan_lingualinked_published(const PlanRequest& request) {
  return plan_published(request, "lingualinked-published", 1000);
}

}  // namespace lingua
