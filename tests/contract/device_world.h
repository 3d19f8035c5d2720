#pragma once
// What a world gives to be tested by device_contract.h, and what the tests of that suite share.
//
// Claims are made in the bodies with EXPECT, so bodies run in this process (threads or actors).
// Only the body of a device that is killed may run elsewhere: it makes no claims. A body that
// returns may look like a loss to the others: PeerLost is skipped where no kill is tested.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "runtime/device/device.h"

namespace lingua::testing {

struct ContractKill {
  DeviceName device;
  Seconds when;  // after the start of the run
};

using Bodies = std::map<DeviceName, std::function<void(Device&)>>;

class ContractWorld {
 public:
  virtual ~ContractWorld() = default;

  // Runs one body on each of the named devices (kCoordinator among them) and returns when all have
  // returned or were killed.
  virtual void run(const ClusterSpec& cluster, const Bodies& bodies,
                   const std::vector<ContractKill>& kills) = 0;

  // How far the clocks of two devices may be apart.
  virtual Seconds clock_error() const { return Seconds(0); }
};

inline void PrintTo(ContractWorld*, std::ostream* out) { *out << "world"; }

class DeviceContract : public ::testing::TestWithParam<ContractWorld*> {
 protected:
  static ClusterSpec cluster() {
    ClusterSpec cluster;
    cluster.name = "contract";
    cluster.default_link = {50e6, Seconds(0.001)};
    for (const char* name : {"a", "b", "c", "d"}) {
      DeviceSpec device;
      device.name = name;
      device.flops_per_s = 1e9;
      device.memory_bytes_per_s = 1e9;
      device.memory_bytes = 1e9;
      cluster.devices.push_back(device);
    }
    return cluster;
  }

  static void run(const Bodies& bodies, const std::vector<ContractKill>& kills = {}) {
    GetParam()->run(cluster(), bodies, kills);
  }

  static Seconds clock_error() { return GetParam()->clock_error(); }

  // A message with a number and as many bytes as asked for.
  static MessageBody numbered(std::int64_t number, std::int64_t bytes) {
    if (bytes == 0) return TokenMade{0, number, 7};
    const std::vector<std::uint8_t> content(static_cast<std::size_t>(bytes),
                                            static_cast<std::uint8_t>(number));
    Activations message;
    message.step_index = number;
    message.values = {0};
    message.tensors = {make_bytes_tensor(content.data(), bytes)};
    return message;
  }

  static std::int64_t number_of(const Message& message) {
    if (const auto* token = std::get_if<TokenMade>(&message.body)) return token->index;
    if (const auto* values = std::get_if<Activations>(&message.body)) return values->step_index;
    return -1;
  }

  // The next message that is no PeerLost; fails after a minute.
  static std::optional<Message> next(Device& device) {
    const Seconds deadline = device.now() + Seconds(60);
    while (true) {
      std::optional<Message> message = device.receive(deadline);
      if (!message) ADD_FAILURE() << device.spec().name << " waits for a message in vain";
      if (!message || !std::holds_alternative<PeerLost>(message->body)) return message;
    }
  }

  // Stays until the coordinator says Stop, so that nobody else sees a loss.
  static void wait_for_stop(Device& device) {
    while (true) {
      const auto message = next(device);
      if (!message || std::holds_alternative<Stop>(message->body)) return;
    }
  }

  static void stop_all(Device& coordinator, const std::vector<DeviceName>& names) {
    for (const DeviceName& name : names) coordinator.send(name, Stop{});
  }

  // The next PeerLost, or nothing by the deadline. Other messages are dropped.
  static std::optional<Message> next_loss(Device& device, Seconds deadline) {
    while (true) {
      std::optional<Message> message = device.receive(deadline);
      if (!message || std::holds_alternative<PeerLost>(message->body)) return message;
    }
  }
};

}  // namespace lingua::testing
