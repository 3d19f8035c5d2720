// The contract of Device over ZeroMQ.

#include "tests/contract/device_contract.h"
#include "tests/net/net_world.h"

namespace lingua::testing {
namespace {

// Workers that take no connections: all between them goes through the coordinator.
class RelayedWorld : public NetWorld {
 public:
  void run(const ClusterSpec& cluster, const Bodies& bodies,
           const std::vector<ContractKill>& kills) override {
    ClusterSpec relayed = cluster;
    for (DeviceSpec& device : relayed.devices) device.relayed = true;
    NetWorld::run(relayed, bodies, kills);
  }
};

NetWorld net_world;
RelayedWorld relayed_world;

INSTANTIATE_TEST_SUITE_P(Net, DeviceContract, ::testing::Values(&net_world));
INSTANTIATE_TEST_SUITE_P(Relayed, DeviceContract, ::testing::Values(&relayed_world));

}  // namespace
}  // namespace lingua::testing
