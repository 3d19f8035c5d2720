#pragma once
// The real world for the contract suite: devices are threads of this process, those that a test kills
// are processes.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/net/net_device.h"
#include "tests/contract/device_world.h"
#include "tests/net/null_executor.h"

namespace lingua::testing {

// The slow network of a device; none where the world has none.
using SlowNetworkOf = std::function<std::shared_ptr<SlowNetwork>(const DeviceName&)>;

inline std::unique_ptr<Device> join(const DeviceSpec& spec, const std::string& address,
                                    const SlowNetworkOf& slow_network) {
  NetWorkerOptions options{spec, address, {}, {}};
  if (slow_network) options.net.slow_network = slow_network(spec.name);
  return join_as_worker(options, std::make_unique<NullExecutor>());
}

// A device in a process of its own, which waits for the coordinator's address in a pipe.
class Victim {
 public:
  Victim(const DeviceSpec& spec, const SlowNetworkOf& slow_network,
         const std::function<void(Device&)>& body) {
    std::array<int, 2> ends{};
    LINGUA_CHECK(pipe(ends.data()) == 0);
    pid_ = fork();
    LINGUA_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      close(ends[1]);
      std::string address(200, '\0');
      const ssize_t size = read(ends[0], address.data(), address.size());
      if (size <= 0) _exit(1);
      address.resize(static_cast<std::size_t>(size));
      body(*join(spec, address, slow_network));
      _exit(0);
    }
    close(ends[0]);
    write_end_ = ends[1];
  }

  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim() {
    kill_now();
    close(write_end_);
    waitpid(pid_, nullptr, 0);
  }

  void tell(const std::string& address) const {
    LINGUA_CHECK(write(write_end_, address.data(), address.size()) > 0);
  }
  void kill_now() const { kill(pid_, SIGKILL); }

 private:
  pid_t pid_ = -1;
  int write_end_ = -1;
};

// The suite calls every mailbox a device.
class CoordinatorDevice : public Device {
 public:
  explicit CoordinatorDevice(Mailbox& mailbox) : mailbox_(mailbox) { spec_.name = mailbox.name(); }
  Seconds now() override { return mailbox_.now(); }
  void send(const DeviceName& to, MessageBody body) override { mailbox_.send(to, std::move(body)); }
  std::optional<Message> receive(Seconds deadline) override { return mailbox_.receive(deadline); }
  Executor& executor() override {
    LINGUA_CHECK(false, "the coordinator runs no segments");
    std::abort();
  }
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override { return {}; }

 private:
  Mailbox& mailbox_;
  DeviceSpec spec_;
};

class NetWorld : public ContractWorld {
 public:
  void run(const ClusterSpec& cluster, const Bodies& bodies,
           const std::vector<ContractKill>& kills) override {
    run_on(cluster, bodies, kills, {});
  }

  Seconds clock_error() const override { return Seconds(0.01); }

 protected:
  static void run_on(const ClusterSpec& cluster, const Bodies& bodies,
                     const std::vector<ContractKill>& kills, const SlowNetworkOf& slow_network) {
    std::map<DeviceName, std::unique_ptr<Victim>> victims;
    for (const ContractKill& kill : kills) {
      victims[kill.device] = std::make_unique<Victim>(cluster.device(kill.device), slow_network,
                                                      bodies.at(kill.device));
    }
    NetOptions options;
    if (slow_network) options.slow_network = slow_network(kCoordinator);
    NetCoordinator coordinator(options);
    for (const auto& [name, victim] : victims) victim->tell(coordinator.address());

    std::vector<DeviceName> names;
    std::map<DeviceName, std::unique_ptr<Device>> devices;  // live until all bodies have returned
    std::vector<std::thread> threads;
    for (const auto& [name, body] : bodies) {
      if (name == kCoordinator) continue;
      names.push_back(name);
      if (victims.count(name) == 1) continue;
      std::unique_ptr<Device>& device = devices[name];
      threads.emplace_back([&, name = name, body = body] {
        device = join(cluster.device(name), coordinator.address(), slow_network);
        body(*device);
      });
    }
    coordinator.wait_for(names, nullptr);
    for (const ContractKill& kill : kills) {
      threads.emplace_back([&, kill] {
        std::this_thread::sleep_for(kill.when);
        victims.at(kill.device)->kill_now();
      });
    }
    CoordinatorDevice device(coordinator.mailbox());
    bodies.at(kCoordinator)(device);
    for (std::thread& thread : threads) thread.join();
  }
};

}  // namespace lingua::testing
