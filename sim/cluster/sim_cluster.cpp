#include "sim/cluster/sim_cluster.h"

#include <array>
#include <deque>
#include <utility>

#include "runtime/base/errors.h"
#include "sim/cluster/compat.h"
#include "sim/cluster/world.h"

namespace lingua {
namespace {

namespace s4u = simgrid::s4u;

// The network model: bytes over a path at their max-min fair share of its links, and nothing else.
constexpr std::array kArguments = {
    "lingua",
    "--log=root.thresh:error",
    "--cfg=network/model:CM02",
    "--cfg=network/bandwidth-factor:1",
    "--cfg=network/latency-factor:1",
    "--cfg=network/weight-S:0",
    "--cfg=network/crosstraffic:no",
#if defined(LINGUA_SANITIZED)
    "--cfg=contexts/factory:thread",
#endif
};

// SimGrid's clock cannot be reset, so the engine is made once and stays.
s4u::Engine& make_engine() {
  LINGUA_CHECK(!s4u::Engine::has_instance(), "a process can simulate one cluster only");
  static std::deque<std::string> arguments(kArguments.begin(), kArguments.end());
  static std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  auto argc = static_cast<int>(arguments.size());
  static auto* engine = new s4u::Engine(&argc, argv.data());
  return *engine;
}

// A run that waits for one to come is not stuck.
class Call final : public Scheduled {
 public:
  Call(World& world, std::function<void()> call) : world_(world), call_(std::move(call)) {}
  void due() override {
    call_();
    --world_.population().under_way;
    world_.look_for_deadlock();
  }

 private:
  World& world_;
  std::function<void()> call_;
};

class Throttle final : public Scheduled {
 public:
  Throttle(SimDevice& device, double factor) : device_(device), factor_(factor) {}
  void due() override { device_.throttle(factor_); }

 private:
  SimDevice& device_;
  double factor_;
};

class Speed final : public Scheduled {
 public:
  Speed(SimDevice& device, double speed) : device_(device), speed_(speed) {}
  void due() override { device_.supply(speed_); }

 private:
  SimDevice& device_;
  double speed_;
};

class Bandwidth final : public Scheduled {
 public:
  Bandwidth(World& world, SimDevice& device, double factor)
      : world_(world), device_(device), factor_(factor) {}
  void due() override { world_.set_bandwidth(device_, factor_); }

 private:
  World& world_;
  SimDevice& device_;
  double factor_;
};

}  // namespace

class SimCluster::Impl {
 public:
  Impl(const ClusterSpec& cluster, SimOptions options)
      : engine(make_engine()), world(cluster, std::move(options)) {}

  s4u::Engine& engine;
  World world;
  std::deque<Call> calls;
  std::deque<Throttle> throttles;
  std::deque<Speed> speeds;
  std::deque<Bandwidth> bandwidths;
};

SimCluster::SimCluster(const ClusterSpec& cluster, SimOptions options)
    : impl_(std::make_unique<Impl>(cluster, std::move(options))) {}

SimCluster::~SimCluster() = default;

void SimCluster::start(const DeviceName& device, std::function<void(Device&)> body) {
  impl_->world.device(device).start(std::move(body));
}

void SimCluster::be_absent(const DeviceName& device) { impl_->world.device(device).be_absent(); }

void SimCluster::start_client(const DeviceName& name, std::function<void(Mailbox&)> body) {
  impl_->world.add_client(name).start(std::move(body));
}

void SimCluster::run() {
  impl_->engine.run();
  if (impl_->world.error()) std::rethrow_exception(impl_->world.error());
}

std::string SimCluster::configuration() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  sg_version_get(&major, &minor, &patch);
  return fmt::format(
      "SimGrid {}.{}.{}; network CM02 without factors, max-min fair, latency paid before the bytes "
      "flow, one stream for each ordered pair of devices; compute Cas01",
      major, minor, patch);
}

void SimCluster::call_at(Seconds when, std::function<void()> call) {
  World& world = impl_->world;
  ++world.population().under_way;
  world.agenda().add(when.count(), impl_->calls.emplace_back(world, std::move(call)));
}

void SimCluster::kill_at(Seconds when, const DeviceName& device) {
  World& world = impl_->world;
  call_at(when, [&world, &victim = world.device(device)] { world.kill(victim); });
}

void SimCluster::join_at(Seconds when, const DeviceName& device) {
  LINGUA_CHECK(device != kCoordinator && !is_client(device), "{} cannot join", device);
  World& world = impl_->world;
  call_at(when, [&world, &joining = world.device(device)] { world.join(joining); });
}

void SimCluster::hang_at(Seconds when, const DeviceName& device) {
  World& world = impl_->world;
  call_at(when, [&world, &victim = world.device(device)] { world.hang(victim); });
}

void SimCluster::cut_at(Seconds when, const DeviceName& from, const DeviceName& to) {
  SimDevice& sender = impl_->world.device(from);
  LINGUA_CHECK(from != to, "{} has no link to itself", from);
  impl_->world.device(to);  // it exists
  call_at(when, [&sender, to] { sender.channel_to(to).close(); });
}

void SimCluster::delay_at(Seconds when, const DeviceName& from, const DeviceName& to,
                          Seconds time) {
  SimDevice& sender = impl_->world.device(from);
  impl_->world.device(to);
  call_at(when,
          [&sender, to, until = (when + time).count()] { sender.channel_to(to).delay(until); });
}

void SimCluster::lose_at(Seconds when, const DeviceName& at, const DeviceName& peer,
                         const std::string& reason) {
  SimDevice& device = impl_->world.device(at);
  SimDevice& other = impl_->world.device(peer);
  call_at(when, [&device, &other, reason, mine = device.joins(), its = other.joins()] {
    if (device.joins() == mine && other.joins() == its) device.lose(other.name(), reason);
  });
}

void SimCluster::throttle_at(Seconds when, const DeviceName& device, double factor) {
  LINGUA_CHECK(factor > 0, "a device cannot be throttled to {} of its speed", factor);
  World& world = impl_->world;
  world.agenda().add(when.count(), impl_->throttles.emplace_back(world.device(device), factor));
}

void SimCluster::set_speed_at(Seconds when, const DeviceName& device, double speed) {
  LINGUA_CHECK(speed > 0, "a device cannot have {} of its speed", speed);
  World& world = impl_->world;
  world.agenda().add(when.count(), impl_->speeds.emplace_back(world.device(device), speed));
}

void SimCluster::set_bandwidth_at(Seconds when, const DeviceName& device, double factor) {
  LINGUA_CHECK(factor > 0, "links cannot have {} of their bandwidth", factor);
  World& world = impl_->world;
  world.agenda().add(when.count(),
                     impl_->bandwidths.emplace_back(world, world.device(device), factor));
}

void SimCluster::follow(const SupplyTrace& supply) {
  const Attendance attendance = attendance_of(supply);
  for (const DeviceName& device : attendance.absent) be_absent(device);
  for (const Attendance::Change& change : attendance.changes) {
    if (change.comes) {
      join_at(change.when, change.device);
    } else {
      kill_at(change.when, change.device);
    }
  }
  for (const auto& [device, points] : supply.devices()) {
    DeviceState before;
    for (const SupplyPoint& point : points) {
      const DeviceState& state = point.state;
      if (state.speed != before.speed) set_speed_at(point.from, device, state.speed);
      if (state.bandwidth != before.bandwidth)
        set_bandwidth_at(point.from, device, state.bandwidth);
      before = state;
    }
  }
}

}  // namespace lingua
