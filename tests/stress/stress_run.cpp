#include "tests/stress/stress_run.h"

#include <algorithm>
#include <utility>

#include "runtime/balance/recover.h"
#include "runtime/base/errors.h"
#include "runtime/engine/client.h"
#include "runtime/engine/coordinator.h"
#include "runtime/engine/run.h"
#include "runtime/engine/worker.h"
#include "runtime/net/wire.h"
#include "sim/fault/fault_injector.h"
#include "tests/stress/checks.h"
#include "tests/stress/decorated.h"
#include "tests/support/toy_run.h"

namespace lingua::testing {
namespace {

constexpr Seconds kGoodbye{5};  // from then on the coordinator's process is gone

MessageBody over_the_wire(const MessageBody& body) {
  Message message;
  message.body = body;
  return decode(encode(message)).body;
}

double share_of_memory(const FaultPlan& plan, const DeviceName& device) {
  double share = 1;
  for (const Fault& fault : plan.faults) {
    if (fault.kind == FaultKind::kLessMemory && fault.device == device) share *= fault.factor;
  }
  return share;
}

// A coordinator's device on which no run goes on for ever.
class Limited final : public Decorated {
 public:
  Limited(Device& inner, Seconds limit) : Decorated(inner), limit_(limit) {}
  std::optional<Message> receive(Seconds deadline) override {
    if (now() > limit_) throw WorldError(fmt::format("{}: {:.3g} s", kGoesOn, limit_.count()));
    return inner_.receive(deadline);
  }

 private:
  Seconds limit_;
};

class StressRun {
 public:
  StressRun(const Scenario& scenario, const StressParts& parts)
      : scenario_(scenario), parts_(parts), blame_(scenario, result_.violations) {}

  StressResult run() {
    prepare_coordinator();
    prepare_client();
    SimCluster sim(scenario_.cluster, options());
    FaultInjector injector(sim, scenario_.faults, {scenario_.loss_timeout, over_the_wire});
    for (const auto& [device, when] : scenario_.late) {
      sim.be_absent(device);
      injector.join_at(when, device);
    }
    for (const DeviceSpec& spec : scenario_.cluster.devices)
      sim.start(spec.name, injector.faulty([&](Device& device) { work(device, injector); }));
    sim.start(kCoordinator, injector.faulty([&](Device& device) { coordinate(device, sim); }));
    sim.start_client(kOnlyClient, [&](Mailbox& mailbox) { ask(mailbox); });
    try {
      sim.run();
    } catch (const std::exception& error) {
      result_.violations.push_back(fmt::format("the run broke: {}", error.what()));
    }
    result_.struck = injector.struck();
    check();
    return std::move(result_);
  }

 private:
  SimOptions options() {
    SimOptions options;
    options.wire_bytes = wire_bytes;
    options.make_executor = [this](const DeviceSpec& spec) -> std::unique_ptr<Executor> {
      auto inner = parts_.executor ? parts_.executor() : std::make_unique<ToyExecutor>();
      return std::make_unique<MeteredExecutor>(
          std::move(inner), spec.name,
          spec.memory_bytes * share_of_memory(scenario_.faults, spec.name), result_.violations);
    };
    return options;
  }

  void prepare_coordinator() {
    Deployment& deployment = job_.deployment;
    deployment.plan = scenario_.plan;
    deployment.segmentation = &scenario_.model;
    deployment.source = parts_.source != nullptr ? parts_.source : &toy_;
    deployment.scheduling = scenario_.workload.scheduling;
    deployment.communication = scenario_.workload.communication;
    deployment.chunk_bytes = 16;
    deployment.cluster = std::make_shared<const ClusterSpec>(scenario_.cluster);
    if (scenario_.seed % 3 == 0) deployment.move_bytes_per_s = 2000;
    job_.in_flight = scenario_.workload.in_flight;
    job_.settle = scenario_.loss_timeout / 2;
    if (scenario_.has_stall_watch) job_.stall_timeout = Seconds(30);
    job_.keep = Keep::kMeasures;
    job_.recover = [this](const Membership& left) {
      Deployment next = job_.deployment;
      next.plan = plan_for_remaining(scenario_.planner, scenario_.plan_request(), left);
      return next;
    };
    job_.absent = scenario_.at_first().lost;
    job_.wait_for_devices = scenario_.wait_for_devices;
    if (scenario_.moves) job_.rebalance = [this](const RunState& state) { return move(state); };
    job_.on_change = [this](const std::string& what) { blame_.loss(what); };
  }

  // To all who are there, when somebody has joined.
  std::optional<Move> move(const RunState& state) const {
    if (state.joined.empty()) return std::nullopt;
    Move move{*state.deployment, {*scenario_.moves}, {}, "somebody has joined"};
    try {
      move.deployment.plan =
          plan_for_remaining(scenario_.planner, scenario_.plan_request(), *state.membership);
    } catch (const InfeasibleError&) {
      return std::nullopt;
    }
    return move;
  }

  void prepare_client() {
    asked_.requests = scenario_.requests;
    asked_.arrivals = scenario_.arrivals;
    asked_.concurrency = scenario_.workload.in_flight;
    asked_.on_token = [this](const TokenMade& token) {
      const auto cancelled = scenario_.cancelled.find(token.request);
      return cancelled == scenario_.cancelled.end() || token.index + 1 != cancelled->second;
    };
  }

  // A worker that loses its coordinator ends, and its peers see it.
  void work(Device& device, FaultInjector& injector) {
    const std::unique_ptr<Device> outer = parts_.device ? parts_.device(device) : nullptr;
    bool orphaned = false;
    try {
      run_worker(outer ? *outer : device, {});
    } catch (const CoordinatorLost&) {
      orphaned = true;
    }
    if (orphaned) injector.die(device);
  }

  void coordinate(Device& device, SimCluster& sim) {
    Limited limited(device, longest_run(scenario_));
    const std::unique_ptr<Device> outer =
        parts_.coordinator ? parts_.coordinator(limited) : nullptr;
    bool is_bug = false;
    try {
      coordinated_ = run_coordinator(outer ? *outer : limited, job_);
    } catch (const Error& error) {
      result_.error = error.what();
      is_bug = error.exit_code() == ExitCode::kBug;
    }
    blame_.end(result_.error, is_bug);
    result_.ended_s = device.now().count();
    device.send(kOnlyClient, Stop{});
    for (const DeviceSpec& spec : scenario_.cluster.devices) {
      device.send(spec.name, Stop{});
      sim.lose_at(device.now() + kGoodbye, spec.name, kCoordinator, "it has left");
    }
  }

  void ask(Mailbox& mailbox) {
    WatchedClient client(mailbox, scenario_, result_.violations);
    const ClientResult result = run_client(client, asked_);
    result_.answered = client.answered();
    result_.refused = client.refused();
    result_.log = client.log();
    last_reason_ = client.last_reason();
    is_client_stopped_ = result.stopped;
  }

  void check() {
    result_.log += coordinated_.digest;
    result_.recoveries = static_cast<int>(coordinated_.recoveries.size());
    result_.joins = static_cast<int>(coordinated_.joins.size());
    for (const JoinRecord& join : coordinated_.joins) result_.joins_used += join.first_use ? 1 : 0;
    for (const MoveRecord& move : coordinated_.moves) result_.moves += move.failed.empty() ? 1 : 0;
    for (const Recovery& recovery : coordinated_.recoveries) {
      result_.longest_recovery_s =
          std::max(result_.longest_recovery_s, (recovery.ready - recovery.lost).count());
    }
    const auto note = [&](std::string text) { result_.violations.push_back(std::move(text)); };
    if (!result_.violations.empty()) return;  // what follows comes of them
    const auto ended = static_cast<std::size_t>(result_.answered + result_.refused);
    if (result_.error.empty() && (is_client_stopped_ || ended != scenario_.requests.size()))
      note(fmt::format("{} of {} requests ended", ended, scenario_.requests.size()));
    if (result_.refused > 0 && !may_refuse())
      note("a request was refused though nothing lacked: " + last_reason_);
    if (result_.longest_recovery_s > longest_recovery(scenario_).count())
      note(fmt::format("a recovery took {:.3g} s, the longest should take {:.3g} s",
                       result_.longest_recovery_s, longest_recovery(scenario_).count()));
  }

  // Plans do not reckon with a request that begins again, whose prompt has become longer by its tokens.
  bool may_refuse() const {
    const bool begins_again = scenario_.moves == Crossing::kRebuild && result_.moves > 0;
    return result_.recoveries > 0 || begins_again || !result_.error.empty() ||
           scenario_.faults.has(FaultKind::kLessMemory) ||
           scenario_.faults.has(FaultKind::kRunFails) || blame_.has_liar();
  }

  const Scenario& scenario_;
  const StressParts& parts_;
  StressResult result_;
  BlameCheck blame_;
  ToySource toy_;
  CoordinatorJob job_;
  ClientJob asked_;
  CoordinatorResult coordinated_;
  bool is_client_stopped_ = false;
  std::string last_reason_;  // of a refusal
};

}  // namespace

StressResult run_scenario(const Scenario& scenario, const StressParts& parts) {
  return StressRun(scenario, parts).run();
}

}  // namespace lingua::testing
