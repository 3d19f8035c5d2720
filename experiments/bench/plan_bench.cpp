// How long planning takes, and how good the plans are.
//
// Models: the shape of BLOOM (h, layers, V = 250,880; embedding tied to the LM head; fp16 weights) cut
// into attention halves and MLP halves, with the masks on residual paths. Clusters: phones as measured
// by PFC-star/stardust (FLOP/s and memory; see platforms/README.md), repeated with a seeded spread of
// 30%; links of 0.31 to 4.91 MB/s and 9 to 50 ms one way, the range of the same measurements.
// memory: that of all devices is scaled to so many percent of what the model needs, and the header is
// free; 0: as measured, with the first phone as the header.
// PLANNER/OBJECTIVE plans from nothing: latency_s and tokens_per_s as estimated, gap (0: proven optimal).
// again/... plans from the plan that runs after all speeds have changed, with a time limit of 20 ms, of
// which more is needed: the median and the ninth of ten, and how much worse the plan is than that
// without a limit. proof/... is the interval formulation alone, with CBC, to its proof; obvious/... the
// formulation that one would write first (obvious_formulation.h), with the ratio of their times in the
// same run.
// The committed result was made by
//   plan_bench --benchmark_min_time=0.1 --benchmark_out_format=json
//     --benchmark_out=experiments/bench/results/plan_bench.json
// (host name and repetition fields left out), the lines of within/ on 1,000 phones for throughput by a second run.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/net/wire.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"
#ifdef LINGUA_HAS_CBC
#include "experiments/bench/obvious_formulation.h"
#include "runtime/plan/run_memory.h"
#include "runtime/planner/search/beam.h"
#include "runtime/planner/search/chain_solver.h"
#include "runtime/planner/search/interval_program.h"
#include "runtime/planner/search/optimise_chain.h"
#endif

namespace lingua {
namespace {

constexpr double kFp16 = 2;
constexpr double kFp32 = 4;

StepFunction per_token(double factor) { return StepFunction({0, factor, 0, 0, 0, 0}); }

TensorSpec tensor(ValueId id, const StepFunction& width_by_tokens) {
  return {id, fmt::format("v{}", id), DType::kFloat32, true, {}, width_by_tokens * kFp32};
}

// One half of a block: the projections, and for attention the products with the cached keys and values.
void add_costs(Segment& segment, std::int64_t h, bool attention) {
  const auto width = static_cast<double>(h);
  const double parameters = (attention ? 4 : 8) * width * width;
  segment.weights = {{segment.name, DType::kFloat16, {attention ? 4 : 8, h, h}}};
  segment.flops = per_token(2 * parameters);
  segment.bytes_moved = kFp16 * parameters;
  if (!attention) return;
  segment.flops += StepFunction({0, 0, 0, 4 * width, 4 * width, 0});
  segment.bytes_moved += StepFunction({0, 2 * kFp32 * width, 2 * kFp32 * width, 0, 0, 0});
  segment.state = {{-1, "kv", DType::kFloat32, {2, kCapacity, h}}};
}

// 2 layers + 2 segments: the embedding, the halves, the head.
Segmentation bloom(int layers, std::int64_t h, double heads) {
  constexpr std::int64_t kVocabulary = 250'880;
  const WeightSpec table{"word_embeddings", DType::kFloat16, {kVocabulary, h}};
  const auto width = static_cast<double>(h);
  Segmentation model;
  model.model = fmt::format("bloom-{}x{}", layers, h);
  model.model_inputs = {tensor(0, per_token(2))};
  const int count = 2 * layers + 2;
  const TensorSpec mask = tensor(count + 1, StepFunction({0, heads, heads, 0.25, 0.25, 0}));
  for (int i = 0; i < count; ++i) {
    Segment segment;
    segment.id = i;
    segment.name = fmt::format("half {}", i);
    segment.inputs =
        i == 0 ? model.model_inputs : std::vector<TensorSpec>{model.segments[i - 1].outputs[0]};
    segment.outputs = {tensor(i + 1, per_token(2 * width))};
    if (i > 0 && i + 1 < count) add_costs(segment, h, i % 2 == 1);
    if (i % 2 == 1 && i + 1 < count) segment.inputs.push_back(mask);
    if (i == 0) {
      segment.outputs.push_back(mask);
      segment.weights = {table};
      segment.bytes_moved = per_token(2 * kFp32 * width);
    }
    if (i + 1 == count) {
      segment.outputs = {tensor(i + 1, StepFunction(kVocabulary))};
      segment.weights = {table};
      segment.flops = 2 * width * kVocabulary;
      segment.bytes_moved = kFp16 * width * kVocabulary;
    }
    model.segments.push_back(std::move(segment));
  }
  model.model_outputs = {count};
  return model;
}

ClusterSpec phones(int count) {
  struct Phone {
    const char* name;
    double flops_per_s;
    double memory_bytes;
  };
  constexpr std::array kPhones = {
      Phone{"iqoo-z5", 17.1e9, 2.15e9}, Phone{"xiaomi-14", 52.0e9, 7.87e9},
      Phone{"iqoo-z6x", 23.0e9, 1.96e9}, Phone{"oneplus-9", 34.4e9, 2.52e9},
      Phone{"oneplus-6", 18.9e9, 3.70e9}};
  Rng rng(1);
  ClusterSpec cluster;
  cluster.name = fmt::format("{} phones", count);
  for (int d = 0; d < count; ++d) {
    const Phone& phone = kPhones[static_cast<std::size_t>(d) % kPhones.size()];
    DeviceSpec device;
    device.name = fmt::format("{}-{}", phone.name, d);
    device.flops_per_s = phone.flops_per_s * rng.uniform(0.85, 1.15);
    device.memory_bytes_per_s = device.flops_per_s / 4;
    device.memory_bytes = phone.memory_bytes * rng.uniform(0.85, 1.15);
    device.overhead = Seconds(2e-4);
    cluster.devices.push_back(std::move(device));
  }
  // Of very many, all links are the default.
  for (const DeviceSpec& from : count > 100 ? std::vector<DeviceSpec>{} : cluster.devices) {
    for (const DeviceSpec& to : cluster.devices) {
      if (from.name == to.name) continue;
      cluster.links[{from.name, to.name}] = {rng.uniform(0.31e6, 4.91e6),
                                             Seconds(rng.uniform(9e-3, 50e-3))};
    }
  }
  cluster.default_link = {1.21e6,
                          Seconds(17.4e-3)};  // the coordinator's: the median of the measured
  cluster.header = cluster.devices[0].name;
  return cluster;
}

void tighten(const Segmentation& segmentation, const Workload& workload, double share,
             ClusterSpec* cluster) {
  const auto last = static_cast<SegmentId>(segmentation.segments.size()) - 1;
  double total = 0;
  for (const DeviceSpec& device : cluster->devices) total += device.memory_bytes;
  const double factor = share * run_memory_bytes(segmentation, 0, last, workload) / total;
  for (DeviceSpec& device : cluster->devices) device.memory_bytes *= factor;
  cluster->header.clear();
}

// A problem of the benchmarks, by its size and how scarce memory is.
struct Problem {
  Problem(int segments, int devices, int memory_percent, const Objective& objective)
      : segmentation(bloom((segments - 2) / 2, 2560, 32)), cluster(phones(devices)) {
    request.segmentation = &segmentation;
    request.cluster = &cluster;
    request.workload = {.prompt_tokens = 16,
                        .max_tokens = 32,
                        .kv_cache = true,
                        .in_flight = 4,
                        .requests = 16,
                        .messages = message_sizes(wire_bytes)};
    request.objective = objective;
    if (memory_percent != 0)
      tighten(segmentation, request.workload, memory_percent / 100.0, &cluster);
  }
  Problem(const benchmark::State& state, const Objective& objective)
      : Problem(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)),
                static_cast<int>(state.range(2)), objective) {}
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  Segmentation segmentation;
  ClusterSpec cluster;
  PlanRequest request;
};

void plan(benchmark::State& state, const std::string& planner, const Objective& objective) {
  const Problem problem(state, objective);
  Plan result;
  try {
    for (auto _ : state) result = make_plan(planner, problem.request);
  } catch (const InfeasibleError& error) {
    state.SkipWithError(error.what());
    return;
  }
  state.counters["latency_s"] = result.estimate.latency_s;
  state.counters["tokens_per_s"] = result.estimate.tokens_per_s;
  state.counters["gap"] = result.gap;
  state.counters["stages"] = static_cast<double>(result.stages.size());
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return Seconds(Clock::now() - begin).count(); }

// Plans again from the plan that runs, each time after every device's speed has changed by a factor
// from 0.4 to 1.2; the limit is what a running system would allow.
void replan(benchmark::State& state, const std::string& planner, const Objective& objective) {
  constexpr double kLimit = 0.02;
  Problem problem(state, objective);
  const Plan running = make_plan(planner, problem.request);
  const ClusterSpec before = problem.cluster;
  Rng rng(2);
  std::vector<double> times;
  std::vector<double> losses;  // against planning without a limit
  for (auto _ : state) {
    problem.cluster = before;
    for (DeviceSpec& device : problem.cluster.devices) {
      const double factor = rng.uniform(0.4, 1.2);
      device.flops_per_s *= factor;
      device.memory_bytes_per_s *= factor;
    }
    problem.request.running = &running.stages;
    problem.request.time_limit_s = kLimit;
    const Clock::time_point begin = Clock::now();
    const Plan next = make_plan(planner, problem.request);
    times.push_back(seconds_since(begin));
    state.SetIterationTime(times.back());
    problem.request.running = nullptr;
    problem.request.time_limit_s = 60;
    const Plan full = make_plan(planner, problem.request);
    losses.push_back(
        objective_value(next.estimate, objective) / objective_value(full.estimate, objective) - 1);
  }
  std::sort(times.begin(), times.end());
  std::sort(losses.begin(), losses.end());
  const std::size_t ninth_of_ten = (9 * times.size() + 9) / 10 - 1;
  state.counters["median_ms"] = 1000 * times[times.size() / 2];
  state.counters["p90_ms"] = 1000 * times[ninth_of_ten];
  state.counters["median_loss"] = losses[losses.size() / 2];
  state.counters["p90_loss"] = losses[ninth_of_ten];
}

// From nothing within a time limit, on clusters of every size.
void plan_within(benchmark::State& state, const std::string& planner, const Objective& objective) {
  Problem problem(state, objective);
  problem.request.time_limit_s = static_cast<double>(state.range(3));
  Plan result;
  for (auto _ : state) {
    const Clock::time_point begin = Clock::now();
    result = make_plan(planner, problem.request);
    state.SetIterationTime(seconds_since(begin));
    state.counters["of_limit"] = seconds_since(begin) / problem.request.time_limit_s;
  }
  state.counters["latency_s"] = result.estimate.latency_s;
  state.counters["tokens_per_s"] = result.estimate.tokens_per_s;
}

#ifdef LINGUA_HAS_CBC
// The interval formulation alone, to its proof: what a request costs by its latency, its busiest
// resource and its overlap with others, without playing the requests in flight.
ChainOptimum solve_intervals(const PlanCosts& costs) {
  return optimise_chain(
      costs,
      [&](const ChainLimits& limits) { return solve_chain_with_cbc(costs, limits, Seconds(120)); },
      quick_chain(costs));
}

void prove(benchmark::State& state, const Objective& objective) {
  const Problem problem(state, objective);
  ChainOptimum optimum;
  for (auto _ : state) optimum = solve_intervals(PlanCosts(problem.request));
  state.counters["proven"] = optimum.exact ? 1 : 0;
  state.counters["value"] = PlanCosts(problem.request).objective(optimum.runs);
}

// The obvious formulation on the same problem, and how much longer it takes than the intervals.
void prove_obvious(benchmark::State& state, const Objective& objective) {
  constexpr double kLimit = 50;
  const Problem problem(state, objective);
  const PlanCosts costs(problem.request);
  ObviousResult result;
  double obvious_s = 0;
  double intervals_s = 0;
  for (auto _ : state) {
    Clock::time_point begin = Clock::now();
    const ChainOptimum optimum = solve_intervals(PlanCosts(problem.request));
    intervals_s = seconds_since(begin);
    state.counters["intervals_value"] = costs.objective(optimum.runs);
    begin = Clock::now();
    result = solve_obvious(costs, Seconds(kLimit));
    obvious_s = seconds_since(begin);
    state.SetIterationTime(obvious_s);
  }
  state.counters["intervals_s"] = intervals_s;
  state.counters["ratio"] = obvious_s / intervals_s;
  state.counters["proven"] = result.proven ? 1 : 0;
  state.counters["value"] = result.value;
  state.counters["bound"] = result.bound;
}
#endif

void register_planners() {
  for (const PlannerEntry& entry : planners()) {
    const std::string name = entry.name;
    if (name == "bruteforce") continue;
    for (const Objective& objective : {Objective::kLatency, Objective::kThroughput}) {
      auto* bench = benchmark::RegisterBenchmark(
          (name + "/" + objective_name(objective)).c_str(),
          [name, objective](benchmark::State& state) { plan(state, name, objective); });
      bench->ArgNames({"segments", "devices", "memory"})
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
      bench->Args({24, 8, 0})->Args({62, 8, 0})->Args({62, 16, 0});
      bench->Args({24, 8, 200})->Args({62, 8, 150})->Args({62, 16, 250});
    }
  }
}

void register_again() {
  for (const char* name : {"cbc", "dp"}) {
    for (const Objective& objective : {Objective::kLatency, Objective::kThroughput}) {
      benchmark::RegisterBenchmark(
          fmt::format("again/{}/{}", name, objective_name(objective)).c_str(),
          [name, objective](benchmark::State& state) { replan(state, name, objective); })
          ->ArgNames({"segments", "devices", "memory"})
          ->Args({62, 8, 0})
          ->Args({62, 8, 150})
          ->Iterations(20)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

void register_limits() {
  for (const PlannerEntry& entry : planners()) {
    const std::string name = entry.name;
    if (name != "cbc" && name != "dp") continue;
    for (const Objective& objective : {Objective::kLatency, Objective::kThroughput}) {
      benchmark::RegisterBenchmark(
          fmt::format("within/{}/{}", name, objective_name(objective)).c_str(),
          [name, objective](benchmark::State& state) { plan_within(state, name, objective); })
          ->ArgNames({"segments", "devices", "memory", "limit_s"})
          ->Args({62, 8, 0, 2})
          ->Args({62, 12, 0, 5})
          ->Args({62, 16, 0, 10})
          ->Args({62, 32, 0, 20})
          ->Args({62, 100, 0, 20})
          ->Args({62, 1000, 0, 5})
          ->Args({62, 1000, 0, 20})
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

void register_proofs() {
#ifdef LINGUA_HAS_CBC
  for (const Objective& objective : {Objective::kLatency, Objective::kThroughput}) {
    const std::string name = objective_name(objective);
    benchmark::RegisterBenchmark(("proof/" + name).c_str(),
                                 [objective](benchmark::State& state) { prove(state, objective); })
        ->ArgNames({"segments", "devices", "memory"})
        ->Args({24, 8, 0})
        ->Args({62, 8, 0})
        ->Args({62, 8, 150})
        ->Args({62, 16, 0})
        ->Args({62, 16, 250})
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
    benchmark::RegisterBenchmark(
        ("obvious/" + name).c_str(),
        [objective](benchmark::State& state) { prove_obvious(state, objective); })
        ->ArgNames({"segments", "devices", "memory"})
        ->Args({24, 8, 0})
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
#endif
}

}  // namespace
}  // namespace lingua

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  lingua::register_planners();
  lingua::register_again();
  lingua::register_limits();
  lingua::register_proofs();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
