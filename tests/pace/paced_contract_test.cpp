// The contract of Device and Executor where they are paced.

#include <fstream>

#include "runtime/base/files.h"
#include "runtime/pace/paced_executor.h"
#include "runtime/pace/paced_network.h"
#include "sim/cluster/sim_cluster.h"
#include "tests/contract/device_contract.h"
#include "tests/contract/executor_contract.h"
#include "tests/net/net_world.h"

namespace lingua::testing {
namespace {

class PacedWorld final : public NetWorld {
 public:
  void run(const ClusterSpec& cluster, const Bodies& bodies,
           const std::vector<ContractKill>& kills) override {
    const TemporaryFolder folder;
    const std::string file = folder.file("messages");
    std::ofstream(file) << "";
    run_on(cluster, bodies, kills, [&](const DeviceName& name) {
      return std::make_shared<PacedNetwork>(cluster, name, file);
    });
  }
};

class PacedShapes final : public ExecutorWorld {
 public:
  void run(const std::function<void(Executor&)>& use) override {
    DelayCounter counter;
    PacedExecutor executor({"a", 1e9, 1e9, 1e9}, make_shape_executor(), counter);
    use(executor);
  }
};

PacedWorld paced_world;
PacedShapes paced_shapes;

INSTANTIATE_TEST_SUITE_P(Paced, DeviceContract, ::testing::Values(&paced_world));
INSTANTIATE_TEST_SUITE_P(Paced, ExecutorContract, ::testing::Values(&paced_shapes));

}  // namespace
}  // namespace lingua::testing
