// What a sweep costs besides the work of its points: a point from its number to its row, and the parts of that.

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>

#include "runtime/base/temporary.h"
#include "runtime/sweep/pool.h"
#include "runtime/sweep/sweep.h"

namespace lingua {
namespace {

constexpr const char* kSpec =
    "name: bench\n"
    "base: {model: bloom-560m, cluster: platforms/three-phones.yaml, max-tokens: 20, requests: 8}\n"
    "axes:\n  planner: [even, dp, cbc, greedy]\n  seed: 1..2500000\n";
constexpr const char* kExcluding = "exclude: ['planner == \"even\" and seed > 2000000']\n";

SweepTools empty_tools() {
  SweepTools tools;
  tools.evaluate = [](const std::string&, const nlohmann::json&) {
    return nlohmann::json::object();
  };
  tools.version = "1";
  return tools;
}

// Memory that the parent has written to, as one that has loaded a model: fork copies its page tables.
std::string loaded(std::int64_t megabytes) {
  return std::string(static_cast<std::size_t>(megabytes) << 20, 'x');
}

// Of this process and of the children that it has waited for: what does not depend on who else is at work.
double processor_ms() {
  double seconds = 0;
  for (const int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(whose, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime})
      seconds += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }
  return seconds * 1e3;
}

// A sweep with nothing to evaluate, by workers and MB that the parent holds.
void PointFromNumberToRow(benchmark::State& state) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("sweep.yaml")) << kSpec << kExcluding;
  const std::string held = loaded(state.range(1));
  std::uint64_t points = 0;
  const double before_ms = processor_ms();
  const auto began = std::chrono::steady_clock::now();
  for (auto _ : state) {
    SweepRunRequest request;
    request.spec = folder.file("sweep.yaml");
    request.database = folder.file("sweep-" + std::to_string(points) + ".db");
    request.workers = static_cast<int>(state.range(0));
    request.shard = {0, 20'000};
    points += run_sweep(request, empty_tools()).done;
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  benchmark::DoNotOptimize(held.data());
  const auto count = static_cast<double>(points);
  state.counters["ms_per_point"] = took.count() / count;
  state.counters["cpu_ms_per_point"] = (processor_ms() - before_ms) / count;
}
BENCHMARK(PointFromNumberToRow)
    ->ArgNames({"workers", "MB"})
    ->ArgsProduct({{1, 2}, {0, 20}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void ForkAndAnswer(benchmark::State& state) {
  const std::string held = loaded(state.range(0));
  ForkPool pool({});
  for (auto _ : state) {
    pool.start(0, [] { return std::string("{}"); });
    while (!pool.is_idle()) pool.wait(std::chrono::milliseconds(100));
  }
  benchmark::DoNotOptimize(held.data());
}
BENCHMARK(ForkAndAnswer)
    ->ArgName("MB")
    ->Arg(0)
    ->Arg(20)
    ->Arg(200)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

void RowAdded(benchmark::State& state) {
  const TemporaryFolder folder;
  SweepStore store = SweepStore::create(folder.file("sweep.db"), {"bench", kSpec, "0", "1"});
  SweepRow row;
  row.settings = std::string(400, 's');
  row.axes = std::string(40, 'a');
  row.results = std::string(600, 'r');
  row.done = true;
  for (auto _ : state) {
    ++row.number;
    row.id = configuration_of("simulate", {{"seed", row.number}}, nullptr).id;
    row.finished = utc_now();
    store.add(row);
  }
}
BENCHMARK(RowAdded)->Unit(benchmark::kMicrosecond)->UseRealTime();

void PointWithItsId(benchmark::State& state) {
  const SweepPoints points(
      parse_sweep(std::string(kSpec) + (state.range(0) != 0 ? kExcluding : ""), "bench"));
  std::uint64_t number = 0;
  for (auto _ : state) {
    const auto point = points.next(number);
    number = point->number + 1;
    benchmark::DoNotOptimize(configuration_of("simulate", point->settings, nullptr).id);
  }
}
BENCHMARK(PointWithItsId)->ArgName("exclude")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace lingua

BENCHMARK_MAIN();
