#include "runtime/planner/planner.h"

#include <algorithm>
#include <chrono>

#include "runtime/base/errors.h"
#include "runtime/planner/named/planners.h"
#include "runtime/planner/planner_module.h"
#include "runtime/predict/estimate.h"
#include "runtime/predict/estimated_value.h"
#include "runtime/predict/plan_costs.h"

namespace lingua {
namespace {

constexpr std::int64_t kMostTokens = 1'000'000;

void check_request(const PlanRequest& request) {
  LINGUA_CHECK(request.segmentation != nullptr && request.cluster != nullptr);
  LINGUA_CHECK(!request.segmentation->segments.empty(), "no segments to plan");
  const Workload& workload = request.workload;
  const auto within = [](const char* what, std::int64_t value, std::int64_t low,
                         std::int64_t high) {
    if (value < low || value > high) {
      throw UsageError(
          fmt::format("{} = {} is out of range; write {} to {}", what, value, low, high));
    }
  };
  within("prompt tokens", workload.prompt_tokens, 1, kMostTokens);
  within("max tokens", workload.max_tokens, 0, kMostTokens);
  if (request.objective.tpot > 0 && steps_of(workload).size() < 2) {
    throw UsageError(
        fmt::format("objective '{}': no further token follows the first when {} are generated; "
                    "generate 2 at least",
                    objective_name(request.objective), workload.max_tokens));
  }
  within("requests in flight", workload.in_flight, 1, 1'000'000);
  if (request.cluster->devices.empty()) {
    throw InputError(fmt::format("cluster '{}' has no devices", request.cluster->name));
  }
  const DeviceName& header = request.cluster->header;
  if (!header.empty() && request.cluster->index_of(header) < 0) {
    throw InputError(fmt::format("cluster '{}': header: '{}' is not one of its devices",
                                 request.cluster->name, header));
  }
}

// What the objective and the battery floor must know of the cluster.
void check_power(const PlanRequest& request) {
  const ClusterSpec& cluster = *request.cluster;
  const PlanRules& rules = request.rules;
  const auto left_out = [&](const DeviceSpec& device) {
    return std::count(rules.excluded.begin(), rules.excluded.end(), device.name) > 0;
  };
  for (const DeviceSpec& device : cluster.devices) {
    if (request.objective.energy == 0 || device.power_w > 0 || left_out(device)) continue;
    throw InputError(fmt::format(
        "cluster '{}': device '{}' has no power, which the energy objective needs; write what "
        "computing draws, such as power: 3 W",
        cluster.name, device.name));
  }
  const double floor = rules.battery_floor;
  if (!(floor >= 0 && floor < 1))
    throw UsageError(fmt::format("battery floor {} is out of range; write 0 to 0.99", floor));
  if (floor > 0 && std::none_of(cluster.devices.begin(), cluster.devices.end(),
                                [](const auto& d) { return d.battery_j > 0 && d.power_w > 0; })) {
    throw InputError(
        fmt::format("cluster '{}': no device says its battery and its power, which a battery floor "
                    "needs; write such as battery: 17 Wh and power: 3 W",
                    cluster.name));
  }
}

// What rules must know of the segments.
void check_kept(const PlanRules& rules, int segments) {
  if (rules.header_keeps < 1 || rules.header_keeps > segments) {
    throw UsageError(
        fmt::format("the header is to keep {} segments; the model has {}; write 1 to {}",
                    rules.header_keeps, segments, segments));
  }
  if (rules.header_keeps_last < 0 || rules.header_keeps_last >= segments) {
    throw UsageError(
        fmt::format("the header is to keep the last {} segments; the model has {}; write 0 to {}",
                    rules.header_keeps_last, segments, segments - 1));
  }
}

// The cluster with the devices that the rules leave, and the header that they want. Links of the others
// stay: they say how fast a radio is.
ClusterSpec ruled_cluster(const PlanRequest& request) {
  ClusterSpec cluster = *request.cluster;
  const PlanRules& rules = request.rules;
  std::erase_if(cluster.devices, [&](const DeviceSpec& device) {
    return std::count(rules.excluded.begin(), rules.excluded.end(), device.name) > 0;
  });
  if (!rules.header.empty()) cluster.header = rules.header;
  return cluster;
}

std::vector<PlannerEntry>& registry() {
  static std::vector<PlannerEntry> entries = {
#ifdef LINGUA_HAS_CBC
      {"cbc",
       "integer program over contiguous runs, as LinguaLinked's assignment but exact and without a "
       "licensed solver (CBC)",
       plan_cbc, true},
#endif
      {"dp", "exact dynamic program over device subsets", plan_dp, true},
      {"even", "as many segments on each device: LinguaLinked's baseline without optimisation",
       plan_even},
      {"memory", "equal shares of each device's free memory (as llama.cpp RPC, exo)", plan_memory},
      {"compute", "shares in proportion to FLOP/s, within memory", plan_compute},
      {"greedy", "fills the fastest device, then the next fastest", plan_greedy},
      {"lingualinked",
       "LinguaLinked's published objective, solved exactly, its units repaired (arXiv 2312.00388)",
       plan_lingualinked},
      {"lingualinked-published",
       "the same with its published units, in which transfers weigh a thousandth",
       plan_lingualinked_published},
      {"edgeshard", "EdgeShard's dynamic programs (arXiv 2405.14371)", plan_edgeshard},
      {"random", "random devices and cuts that fit, from the seed", plan_random},
      {"bruteforce",
       "every order of devices and every cut, by the estimate itself; small cases only",
       plan_bruteforce, true},
  };
  return entries;
}

const PlannerEntry& find_planner(const std::string& name) {
  if (is_planner_file(name)) return planner_of_file(name);
  std::string names;
  for (const PlannerEntry& entry : planners()) {
    if (name == entry.name) return entry;
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw UsageError(fmt::format(
      "planner '{}' is not known; write one of {}, or the path of a shared library that has one",
      name, names));
}

}  // namespace

const std::vector<PlannerEntry>& planners() { return registry(); }

void register_planner(const PlannerEntry& entry) {
  for (const PlannerEntry& other : planners()) {
    if (other.name == std::string(entry.name)) {
      throw UsageError(
          fmt::format("planner '{}' is registered already; write another name", entry.name));
    }
  }
  registry().push_back(entry);
}

std::vector<int> pipeline_order(const PlanRequest& request) {
  std::vector<int> order(request.cluster->devices.size());
  for (std::size_t d = 0; d < order.size(); ++d) order[d] = static_cast<int>(d);
  const int header = request.cluster->index_of(request.cluster->header);
  if (header > 0) std::rotate(order.begin(), order.begin() + header, order.begin() + header + 1);
  return order;
}

std::string broken_rule(const std::vector<Stage>& stages, const PlanRequest& request) {
  const PlanRules rules = resolved_rules(request);
  std::string broken = broken_rule(stages, rules);
  if ((rules.battery_floor == 0 && !request.may_run) || !broken.empty()) return broken;
  const PlanCosts costs(request);
  for (const Stage& stage : stages) {
    if (stage.first_segment == costs.segments()) break;  // what the header keeps: counted with it
    const int last = std::min(stage.last_segment, costs.segments() - 1);
    const Run run{request.cluster->index_of(stage.device), stage.first_segment, last};
    if (!costs.fits(run))
      return fmt::format("'{}' runs segments {} to {}, {}", stage.device, run.first, run.last,
                         costs.misfit(run));
  }
  return "";
}

namespace {

// Where the judge is a mean over variants, the search has less effort for each chain: the plan for the
// cluster as it stands is asked too.
PlannerResult best_result(const PlannerEntry& entry, const PlanRequest& request) {
  if (request.variants == nullptr) return entry.run(request);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  PlanRequest plain = request;
  plain.variants = nullptr;
  plain.time_limit_s = request.time_limit_s / 2;
  PlannerResult first = entry.run(plain);
  const PlanCosts costs(request);
  PlanRequest rest = request;
  rest.time_limit_s = std::max(0.0, request.time_limit_s - Seconds(Clock::now() - begin).count());
  PlannerResult second = first;
  try {
    second = entry.run(rest);
  } catch (const InfeasibleError&) {  // out of time: the first is a plan
  }
  const std::vector<Run> first_runs = costs.runs(first.stages);
  const std::vector<Run> second_runs = costs.runs(second.stages);
  if (first_runs.empty() || second_runs.empty()) return second;
  const bool plain_is_better =
      estimated_value(costs, first_runs) < estimated_value(costs, second_runs);
  return plain_is_better ? first : second;
}

}  // namespace

Plan make_plan(const std::string& planner, const PlanRequest& asked) {
  const PlannerEntry& entry = find_planner(planner);
  check_request(asked);
  check_rules(asked.rules, *asked.cluster);
  check_kept(asked.rules, static_cast<int>(asked.segmentation->segments.size()));
  check_power(asked);
  PlanRequest request = asked;
  request.rules = resolved_rules(asked);
  const ClusterSpec cluster = ruled_cluster(request);
  request.cluster = &cluster;
  const auto begin = std::chrono::steady_clock::now();
  PlannerResult result = best_result(entry, request);
  if (const std::string broken = broken_rule(result.stages, request); !broken.empty()) {
    throw InfeasibleError(fmt::format(
        "planner '{}' does not keep to the rules: {}. Another planner may", entry.name, broken));
  }
  Plan plan;
  plan.model = request.segmentation->model;
  plan.segmentation = mark_of(*request.segmentation);
  plan.cluster = request.cluster->name;
  plan.planner = entry.name;
  plan.objective = request.objective;
  plan.stages = std::move(result.stages);
  // What is proven is proven of the cluster as it stands, of steps that run alone and prompts that stay whole.
  const Scheduling& scheduling = request.workload.scheduling;
  const bool proven =
      request.variants == nullptr && scheduling.max_batch == 1 && scheduling.chunk == kWholePrompts;
  plan.optimality = proven ? result.optimality : Optimality::kHeuristic;
  plan.gap = proven ? result.gap : 0;
  plan.transfers = transfers_of(*request.segmentation, plan.stages, request.workload.communication);
  plan.estimate =
      estimate_with_error(plan, *request.segmentation, *request.cluster, request.workload);
  plan.planning_s = Seconds(std::chrono::steady_clock::now() - begin).count();
  check_plan(plan, *request.segmentation, *request.cluster, request.workload);
  return plan;
}

}  // namespace lingua
