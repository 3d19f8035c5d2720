// How fast the simulator is: stage-steps per second of CPU, against a bare SimGrid loop.
//
// A ring of devices; each takes a message, computes and sends on, with one message in the ring or
// as many as devices, at most 64. The bare loop does the same with SimGrid alone: permanent
// receivers, execute, detached sends. "engine" is the whole of what `lingua simulate` runs:
// coordinator, worker loops, event log, the real encoding's sizes; one segment a device. Its header
// tells the coordinator of each token, and so does the bare loop that it is compared with ("telling").
// Each measurement is a process of its own (SimGrid's clock cannot be reset); the sides take turns,
// and the table shows medians. CPU time is counted, so other work on the machine disturbs little.
// Usage: sim_bench [repeats] [steps]

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/engine/run.h"
#include "runtime/engine/worker.h"
#include "runtime/model/model_source.h"
#include "runtime/net/wire.h"
#include "sim/cluster/compat.h"
#include "sim/cluster/sim_cluster.h"

namespace lingua {
namespace {

namespace s4u = simgrid::s4u;

struct Case {
  int devices = 0;
  int in_flight = 0;
  int steps = 0;  // of all devices together

  int rounds() const { return std::max(1, steps / devices); }
  bool injects(int device) const { return device < in_flight; }
};

constexpr LinkSpec kLink{10e6, Seconds(0.002)};
constexpr std::int64_t kWidth = 2048;  // of an activation, fp32

// Different on neighbours, so that the devices do not march in step.
double stage_flops(int device) { return 1e6 * (1 + 0.1 * (device % 7)); }
constexpr double kFlopsPerSecond = 1e9;

std::string device_name(int device) { return fmt::format("d{}", device); }

// ---- our side ----

Segment stage_segment(int device) {
  const StepFunction rows({0, 1, 0, 0, 0, 0});
  const StepFunction width(static_cast<double>(kWidth));
  Segment segment;
  segment.inputs = {{0, "x", DType::kFloat32, true, {1.0, rows, width}, rows * (4.0 * kWidth)}};
  segment.outputs = segment.inputs;
  segment.flops = stage_flops(device);
  return segment;
}

struct RingStage {
  int device = 0;
  int rounds = 0;
  bool injects = false;
  DeviceName next;
};

// What a device runs: a loop over the Device interface alone.
using Loop = void (*)(Device&, const RingStage&);

void plain_loop(Device& device, const RingStage& stage) {
  Executor& executor = device.executor();
  executor.load(stage_segment(stage.device), "", {});
  if (stage.injects) {
    Activations first;
    first.step = {1, 11};
    first.values = {0};
    first.tensors = {Tensor{DType::kFloat32, {1, 1, kWidth}, nullptr}};
    device.send(stage.next, std::move(first));
  }
  for (int round = 0; round < stage.rounds; ++round) {
    auto message = device.receive(kNever);
    auto& work = std::get<Activations>(message->body);
    work.tensors = executor.run(0, {work.request, work.step, work.capacity}, work.tensors);
    device.send(stage.next, std::move(work));
  }
}

double cheap_wire_bytes(const MessageBody& body) {
  double bytes = 100;
  if (const auto* work = std::get_if<Activations>(&body)) {
    for (const Tensor& tensor : work->tensors) bytes += static_cast<double>(tensor.bytes());
  }
  return bytes;
}

using WireBytes = double (*)(const MessageBody&);

// A measurement that is ready to run, and the stage-steps that it does.
struct Prepared {
  std::function<void()> run;
  double steps = 0;
};

double ring_steps(const Case& c) { return c.devices * static_cast<double>(c.rounds()); }

Prepared prepare_ours(const Case& c, Loop loop, WireBytes sizes) {
  ClusterSpec cluster;
  cluster.default_link = kLink;
  for (int i = 0; i < c.devices; ++i) {
    cluster.devices.push_back({device_name(i), kFlopsPerSecond, 1e12, 1e9, 1, Seconds(0)});
  }
  auto simulation = std::make_shared<SimCluster>(
      cluster, SimOptions{sizes, [](const DeviceSpec&) { return make_shape_executor(); }});
  for (int i = 0; i < c.devices; ++i) {
    const RingStage stage{i, c.rounds(), c.injects(i), device_name((i + 1) % c.devices)};
    simulation->start(device_name(i), [loop, stage](Device& device) { loop(device, stage); });
  }
  return {[simulation] { simulation->run(); }, ring_steps(c)};
}

// ---- the whole engine ----

class NoWeights : public ModelSource {
 public:
  bool has_data() const override { return false; }
  void read(const WeightSpec&, std::int64_t, std::int64_t, std::byte*) override {}
  std::string program(const Segment&) override { return {}; }
};

struct EngineRun {
  Segmentation segmentation;
  NoWeights source;
  RunJob job;
  std::unique_ptr<SimCluster> cluster;
};

Prepared prepare_engine(const Case& c) {
  auto run = std::make_shared<EngineRun>();
  ClusterSpec cluster;
  cluster.default_link = kLink;
  const StepFunction tokens({0, 1, 0, 0, 0, 0});
  run->segmentation.model_inputs = {{0, "tokens", DType::kInt64, true, {tokens}, tokens * 8}};
  for (int i = 0; i < c.devices; ++i) {
    cluster.devices.push_back({device_name(i), kFlopsPerSecond, 1e12, 1e9, 1, Seconds(0)});
    Segment segment = stage_segment(i);
    segment.id = i;
    segment.inputs[0].value = i;
    segment.outputs[0].value = i + 1;
    if (i == 0) segment.inputs = run->segmentation.model_inputs;
    run->segmentation.segments.push_back(segment);
    run->job.coordinator.deployment.plan.stages.push_back({device_name(i), i, i, {}});
  }
  run->segmentation.model_outputs = {c.devices};
  run->job.coordinator.deployment.segmentation = &run->segmentation;
  run->job.coordinator.deployment.source = &run->source;
  run->job.coordinator.deployment.plan.transfers =
      transfers_of(run->segmentation, run->job.coordinator.deployment.plan.stages);
  run->job.coordinator.in_flight = c.in_flight;
  // Not too few tokens: deploying and releasing are messages to all devices, once per request.
  const std::int64_t answer = std::max<std::int64_t>(16, c.steps / c.devices / c.in_flight);
  for (int r = 0; r < c.in_flight; ++r) {
    Submit request;
    request.request = r;
    request.inputs = {make_int64_tensor({1})};
    request.max_tokens = answer;
    request.capacity = answer + 1;
    run->job.client.requests.push_back(std::move(request));
  }
  run->cluster = std::make_unique<SimCluster>(
      cluster, SimOptions{wire_bytes, [](const DeviceSpec&) { return make_shape_executor(); }});
  for (int i = 0; i < c.devices; ++i) {
    run->cluster->start(device_name(i),
                        [](Device& device) { run_worker(device, WorkerOptions{}); });
  }
  run->cluster->start(kCoordinator,
                      [run](Device& device) { run_coordinator(device, run->job.coordinator); });
  run->cluster->start_client(kOnlyClient,
                             [run](Mailbox& mailbox) { run_client(mailbox, run->job.client); });
  return {[run] { run->cluster->run(); },
          static_cast<double>(c.devices) * c.in_flight * static_cast<double>(answer)};
}

// ---- the bare loop ----

// With `tells`, the first device also tells the coordinator of each round, as the engine's header
// tells of each token.
void bare_loop(const RingStage& stage, bool tells) {
  auto* own = s4u::Mailbox::by_name(device_name(stage.device));
  auto* next = s4u::Mailbox::by_name(stage.next);
  own->set_receiver(s4u::Actor::self());
  constexpr std::uint64_t kBytes = 100 + 4 * kWidth;
  const auto send = [next](int* payload) {
    const s4u::CommPtr comm = next->put_init(payload, kBytes);
    comm->detach();
  };
  if (stage.injects) send(new int(0));
  for (int round = 0; round < stage.rounds; ++round) {
    int* payload = own->get<int>();
    s4u::this_actor::execute(stage_flops(stage.device));
    send(payload);
    if (!tells || stage.device != 0) continue;
    const s4u::CommPtr told = s4u::Mailbox::by_name(kCoordinator)->put_init(payload, 50);
    told->detach();
  }
}

void bare_coordinator(int rounds) {
  auto* own = s4u::Mailbox::by_name(kCoordinator);
  own->set_receiver(s4u::Actor::self());
  for (int round = 0; round < rounds; ++round) own->get<int>();
}

Prepared prepare_bare(const Case& c, bool tells) {
  static std::vector<std::string> arguments = {"bare", "--log=root.thresh:error",
                                               "--cfg=network/model:CM02",
                                               "--cfg=network/crosstraffic:no"};
  static std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  auto argc = static_cast<int>(arguments.size());
  auto* engine = new s4u::Engine(&argc, argv.data());
  auto* zone = simgrid_compat::add_star_zone(*engine, "cluster");
  std::vector<s4u::Host*> hosts;
  for (int i = 0; i <= c.devices; ++i) {  // the last is the coordinator's
    hosts.push_back(simgrid_compat::add_host(*zone, device_name(i), kFlopsPerSecond));
    for (const bool up : {true, false}) {
      auto* link = simgrid_compat::add_link(*zone, device_name(i) + (up ? " up" : " down"),
                                            kLink.bytes_per_s);
      link->set_latency(kLink.latency.count() / 2);
      simgrid_compat::add_route(*zone, up ? hosts[i] : nullptr, up ? nullptr : hosts[i],
                                {s4u::LinkInRoute(link)});
    }
  }
  zone->seal();
  for (int i = 0; i < c.devices; ++i) {
    const RingStage stage{i, c.rounds(), c.injects(i), device_name((i + 1) % c.devices)};
    simgrid_compat::add_actor(*engine, device_name(i), hosts[i],
                              [stage, tells] { bare_loop(stage, tells); });
  }
  if (tells) {
    simgrid_compat::add_actor(*engine, kCoordinator, hosts.back(),
                              [rounds = c.rounds()] { bare_coordinator(rounds); });
  }
  return {[engine] { engine->run(); }, ring_steps(c)};
}

// ---- measurement ----

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Result {
  double steps_per_s = 0;
};

// In a process of its own.
Result measure(const std::function<Prepared()>& prepare) {
  int ends[2];
  if (pipe(ends) != 0) throw WorldError("no pipe to be had");
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const Prepared prepared = prepare();
    const double begin = cpu_seconds();
    prepared.run();
    const double took = cpu_seconds() - begin;
    const Result result{prepared.steps / took};
    _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
  }
  close(ends[1]);
  Result result;
  const bool complete = read(ends[0], &result, sizeof result) == sizeof result;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!complete || status != 0) throw WorldError("a measurement did not come to its end");
  return result;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Side {
  std::string name;
  std::function<Prepared(const Case&)> prepare;
};

int bench(int repeats, int steps) {
  const std::vector<Side> sides = {
      {"bare", [](const Case& c) { return prepare_bare(c, false); }},
      {"ours", [](const Case& c) { return prepare_ours(c, plain_loop, cheap_wire_bytes); }},
      {"ours, real sizes", [](const Case& c) { return prepare_ours(c, plain_loop, wire_bytes); }},
      {"bare, telling", [](const Case& c) { return prepare_bare(c, true); }},
      {"engine", prepare_engine},
  };
  fmt::print("{}; medians of {} runs of {} steps, steps per second of CPU\n",
             SimCluster::configuration(), repeats, steps);
  fmt::print("{:>8} {:>10}", "devices", "in flight");
  for (const Side& side : sides) fmt::print(" {:>18}", side.name);
  fmt::print(" {:>12} {:>12} {:>14}\n", "ours/bare", "real/bare", "engine/telling");
  for (const int devices : {4, 16, 64, 256, 1000}) {
    for (const int in_flight : {1, std::min(devices, 64)}) {
      const Case c{devices, in_flight, steps};
      std::vector<std::vector<double>> rates(sides.size());
      for (int repeat = 0; repeat < repeats; ++repeat) {
        for (std::size_t i = 0; i < sides.size(); ++i) {
          rates[i].push_back(measure([&] { return sides[i].prepare(c); }).steps_per_s);
        }
      }
      fmt::print("{:>8} {:>10}", devices, in_flight);
      for (const auto& rate : rates) fmt::print(" {:>18.0f}", median(rate));
      fmt::print(" {:>12.2f} {:>12.2f} {:>14.2f}", median(rates[1]) / median(rates[0]),
                 median(rates[2]) / median(rates[0]), median(rates[4]) / median(rates[3]));
      fmt::print("\n");
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace lingua

int main(int argc, char** argv) {
  try {
    const int repeats = argc > 1 ? std::stoi(argv[1]) : 5;
    const int steps = argc > 2 ? std::stoi(argv[2]) : 200'000;
    return lingua::bench(std::max(1, repeats), std::max(1000, steps));
  } catch (const std::exception& error) {
    fmt::print(stderr, "sim_bench: {}\n", error.what());
    return 1;
  }
}
