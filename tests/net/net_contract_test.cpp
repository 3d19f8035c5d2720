// The contract of Device over ZeroMQ.

#include "tests/contract/device_contract.h"
#include "tests/net/net_world.h"

namespace lingua::testing {
namespace {

NetWorld net_world;

INSTANTIATE_TEST_SUITE_P(Net, DeviceContract, ::testing::Values(&net_world));

}  // namespace
}  // namespace lingua::testing
