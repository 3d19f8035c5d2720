// The contract of Device and Executor in the simulated world.

#include "runtime/events/message_trace.h"
#include "sim/cluster/sim_cluster.h"
#include "sim/fault/fault_injector.h"
#include "tests/contract/device_contract.h"
#include "tests/contract/executor_contract.h"
#include "tests/contract/message_bytes.h"

namespace lingua::testing {
namespace {

SimOptions options() {
  return {message_bytes, [](const DeviceSpec&) { return make_shape_executor(); }};
}

class SimulatedWorld final : public ContractWorld {
 public:
  void run(const ClusterSpec& cluster, const Bodies& bodies,
           const std::vector<ContractKill>& kills) override {
    SimCluster simulation(cluster, options());
    for (const auto& [name, body] : bodies) simulation.start(name, body);
    for (const ContractKill& kill : kills) simulation.kill_at(kill.when, kill.device);
    simulation.run();
  }
};

SimulatedWorld simulated_world;

// The same through decorators that note every message.
class TracedWorld final : public ContractWorld {
 public:
  void run(const ClusterSpec& cluster, const Bodies& bodies,
           const std::vector<ContractKill>& kills) override {
    MessageTrace trace(message_bytes);
    Bodies traced;
    for (const auto& [name, body] : bodies) {
      traced[name] = [&trace, body = body](Device& device) {
        TracedDevice outer(device, trace);
        body(outer);
      };
    }
    simulated_world.run(cluster, traced, kills);
  }
};

// The same on devices that faults could hit.
class FaultyWorld final : public ContractWorld {
 public:
  void run(const ClusterSpec& cluster, const Bodies& bodies,
           const std::vector<ContractKill>& kills) override {
    SimCluster simulation(cluster, options());
    FaultPlan plan;
    for (const ContractKill& kill : kills)
      plan.faults.push_back({FaultKind::kKill, kill.device, {}, {kill.when, {}, 0}});
    FaultInjector injector(simulation, plan, {});
    for (const auto& [name, body] : bodies) simulation.start(name, injector.faulty(body));
    simulation.run();
  }
};

class SimulatedExecutor final : public ExecutorWorld {
 public:
  void run(const std::function<void(Executor&)>& use) override {
    ClusterSpec cluster;
    cluster.default_link = {1e6, Seconds(0)};
    cluster.devices = {{"a", 1e9, 1e9, 1e6, 1, Seconds(0)}};
    SimCluster simulation(cluster, options());
    simulation.start("a", [&](Device& device) { use(device.executor()); });
    simulation.run();
  }
};

class ShapeExecutorAlone final : public ExecutorWorld {
 public:
  void run(const std::function<void(Executor&)>& use) override { use(*make_shape_executor()); }
};

TracedWorld traced_world;
FaultyWorld faulty_world;
SimulatedExecutor simulated_executor;
ShapeExecutorAlone shape_executor;

INSTANTIATE_TEST_SUITE_P(Simulated, DeviceContract, ::testing::Values(&simulated_world));
INSTANTIATE_TEST_SUITE_P(Traced, DeviceContract, ::testing::Values(&traced_world));
INSTANTIATE_TEST_SUITE_P(Faulty, DeviceContract, ::testing::Values(&faulty_world));
INSTANTIATE_TEST_SUITE_P(Simulated, ExecutorContract, ::testing::Values(&simulated_executor));
INSTANTIATE_TEST_SUITE_P(Shapes, ExecutorContract, ::testing::Values(&shape_executor));

}  // namespace
}  // namespace lingua::testing
