#include "tests/stress/scenario.h"

#include <fmt/ranges.h>

#include <cmath>

#include "runtime/balance/recover.h"
#include "runtime/base/errors.h"
#include "runtime/planner/planner.h"
#include "tests/support/toy_run.h"

namespace lingua::testing {
namespace {

constexpr std::int64_t kMostTokens = 8;

class Drawer {
 public:
  Drawer(std::uint64_t seed, const Subject& subject) : subject_(subject), rng_(Rng(seed).next()) {
    scenario_.seed = seed;
    scenario_.model = subject.model;
  }

  Scenario draw() {
    draw_workload();
    draw_cluster();
    draw_plan();
    draw_requests();
    FaultDraw options;
    options.horizon = Seconds(rng_.below(3) == 0 ? 0.2 : 2);
    options.liars = rng_.below(3) == 0;
    scenario_.faults = draw_faults(rng_.next(), scenario_.cluster, options);
    scenario_.has_stall_watch = rng_.below(2) == 0;
    return std::move(scenario_);
  }

 private:
  bool one_in(std::uint64_t n) { return rng_.below(n) == 0; }

  void draw_workload() {
    Workload& workload = scenario_.workload;
    workload.prompt_tokens = 8;
    workload.max_tokens = kMostTokens;
    workload.kv_cache = !one_in(4);
    workload.in_flight = 1 + static_cast<int>(rng_.below(4));
    workload.requests = 3 + static_cast<int>(rng_.below(8));
    workload.scheduling = {static_cast<Policy>(rng_.below(3)), static_cast<int>(rng_.below(4)),
                           one_in(2)   ? kWholePrompts
                           : one_in(4) ? kAutoChunk
                                       : 1 + static_cast<std::int64_t>(rng_.below(4))};
    workload.communication.residuals = static_cast<ResidualPath>(rng_.below(2));
    workload.communication.share_frames = one_in(2);
  }

  void draw_cluster() {
    ClusterSpec& cluster = scenario_.cluster;
    cluster.name = "stressed";
    cluster.default_link = {std::pow(10, rng_.uniform(5, 7)), Seconds(rng_.uniform(0.0001, 0.02))};
    const int devices = 3 + static_cast<int>(rng_.below(3));
    double needed = 0;
    for (const Segment& segment : scenario_.model.segments)
      needed += segment.weights_bytes() +
                scenario_.workload.in_flight * segment.state_bytes(scenario_.workload.capacity());
    // So that one device alone, several or all of them are needed.
    const double share = needed * rng_.uniform(0.3, 1.3);
    for (int d = 0; d < devices; ++d) {
      DeviceSpec device;
      device.name = std::string(1, static_cast<char>('a' + d));
      device.flops_per_s = 1e9 * rng_.uniform(0.3, 3);
      device.memory_bytes_per_s = 1e9;
      device.memory_bytes = share * rng_.uniform(0.7, 1.3) + 3000;
      cluster.devices.push_back(device);
    }
    if (one_in(4)) cluster.header = cluster.devices[rng_.below(cluster.devices.size())].name;
    if (one_in(5)) {
      const DeviceName& late = cluster.devices[rng_.below(cluster.devices.size())].name;
      scenario_.late[late] = Seconds(rng_.uniform(0.01, 2));
    }
    if (one_in(2)) scenario_.wait_for_devices = Seconds(rng_.uniform(0.5, 3));
    constexpr Crossing kCrossings[] = {Crossing::kEnd, Crossing::kRebuild, Crossing::kMove,
                                       Crossing::kKeepTwice};
    if (one_in(2)) scenario_.moves = kCrossings[rng_.below(std::size(kCrossings))];
    if (one_in(4)) cluster.shared_bytes_per_s = std::pow(10, rng_.uniform(5, 7));
  }

  void draw_plan() {
    static const std::vector<std::string> kPlanners = {"even", "even",    "memory", "memory",
                                                       "dp",   "compute", "random"};
    scenario_.planner = kPlanners[rng_.below(kPlanners.size())];
    if (one_in(5)) scenario_.rules.header_keeps_last = 1;
    while (true) {
      try {
        scenario_.plan = scenario_.late.empty()
                             ? make_plan(scenario_.planner, scenario_.plan_request())
                             : plan_for_remaining(scenario_.planner, scenario_.plan_request(),
                                                  scenario_.at_first());
        return;
      } catch (const InfeasibleError&) {
        for (DeviceSpec& device : scenario_.cluster.devices) device.memory_bytes *= 1.3;
      }
    }
  }

  void draw_requests() {
    const bool all_at_once = one_in(2);
    Seconds when{0};
    std::vector<std::vector<std::int64_t>> prompts;
    for (int r = 0; r < scenario_.workload.requests; ++r) {
      prompts.emplace_back(1 + rng_.below(8));
      for (std::int64_t& token : prompts.back()) token = static_cast<std::int64_t>(rng_.below(90));
    }
    scenario_.free = subject_.plain_loop(prompts, kMostTokens);
    for (int r = 0; r < scenario_.workload.requests; ++r) {
      const auto& prompt = prompts[static_cast<std::size_t>(r)];
      Submit submit;
      submit.request = r;
      submit.inputs = {make_int64_tensor(prompt)};
      submit.max_tokens = subject_.takes_single_passes && one_in(8)
                              ? 0
                              : 1 + static_cast<std::int64_t>(rng_.below(kMostTokens));
      submit.capacity =
          submit.max_tokens > 0 ? static_cast<std::int64_t>(prompt.size()) + submit.max_tokens : 0;
      submit.kv_cache = scenario_.workload.kv_cache;
      const auto& tokens = scenario_.free[static_cast<std::size_t>(r)];
      if (one_in(4)) submit.stop_tokens = {tokens[rng_.below(tokens.size())]};
      if (one_in(8)) scenario_.cancelled[r] = 1 + static_cast<int>(rng_.below(kMostTokens));
      scenario_.requests.push_back(submit);
      when += Seconds(rng_.uniform(0, 0.3));
      if (!all_at_once) scenario_.arrivals.push_back(when);
    }
  }

  const Subject& subject_;
  Rng rng_;
  Scenario scenario_;
};

}  // namespace

PlanRequest Scenario::plan_request() const {
  PlanRequest request;
  request.segmentation = &model;
  request.cluster = &cluster;
  request.workload = workload;
  request.rules = rules;
  request.seed = seed;
  return request;
}

Membership Scenario::at_first() const {
  Membership membership;
  for (const auto& [device, when] : late) membership.lost.insert(device);
  return membership;
}

Scenario draw_scenario(std::uint64_t seed, const Subject& subject) {
  return Drawer(seed, subject).draw();
}

Scenario draw_scenario(std::uint64_t seed) {
  Rng rng(seed);
  Subject toy;
  toy.takes_single_passes = true;
  toy.model = toy_segmentation(4 + static_cast<int>(rng.below(5)), true);
  const auto ballast = 1 + static_cast<std::int64_t>(rng.below(600));
  for (Segment& segment : toy.model.segments)
    segment.weights.push_back({fmt::format("ballast {}", segment.id), DType::kInt64, {ballast}});
  toy.plain_loop = [&](const auto& prompts, std::int64_t tokens) {
    const auto prompt = [&](std::int64_t r) { return prompts[static_cast<std::size_t>(r)]; };
    return tokens_of_a_plain_loop(static_cast<std::int64_t>(prompts.size()), prompt,
                                  static_cast<std::size_t>(tokens), toy.model);
  };
  return draw_scenario(seed, toy);
}

std::string describe(const Scenario& scenario) {
  const Workload& workload = scenario.workload;
  std::string text = fmt::format(
      "seed {}: {} requests, {} in flight, policy {}, max batch {}, chunk {}, {}, {}, "
      "frames {}, planner {}, link {:.3g} B/s {:.3g} s{}\n",
      scenario.seed, workload.requests, workload.in_flight,
      static_cast<int>(workload.scheduling.policy), workload.scheduling.max_batch,
      workload.scheduling.chunk, workload.kv_cache ? "KV cache" : "no KV cache",
      workload.communication.residuals == ResidualPath::kRelay ? "relayed" : "direct",
      workload.communication.share_frames ? "shared" : "apart", scenario.planner,
      scenario.cluster.default_link.bytes_per_s, scenario.cluster.default_link.latency.count(),
      scenario.has_stall_watch ? ", stall watch" : "");
  for (const DeviceSpec& device : scenario.cluster.devices)
    text += fmt::format("  {}: {:.3g} FLOP/s, {:.0f} B\n", device.name, device.flops_per_s,
                        device.memory_bytes);
  for (const auto& [device, when] : scenario.late)
    text += fmt::format("  {} is not there before {:.4g} s\n", device, when.count());
  if (scenario.wait_for_devices > Seconds(0))
    text += fmt::format("  waits {:.4g} s for devices\n", scenario.wait_for_devices.count());
  if (scenario.moves) {
    constexpr const char* kNames[] = {"end", "are rebuilt", "move", "are kept twice"};
    text += fmt::format("  moves to who joins, requests {}\n",
                        kNames[static_cast<std::size_t>(*scenario.moves)]);
  }
  text += "plan:";
  for (const Stage& stage : scenario.plan.stages)
    text += fmt::format(" {} {}-{}", stage.device, stage.first_segment, stage.last_segment);
  return text + "\nfaults:\n" + describe(scenario.faults);
}

}  // namespace lingua::testing
