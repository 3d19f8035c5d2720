#include "sim/cluster/world.h"

#include <string>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua {

World::World(const ClusterSpec& cluster, SimOptions options)
    : cluster_(cluster),
      platform_(*simgrid::s4u::Engine::get_instance(), cluster_),
      options_(std::move(options)) {
  LINGUA_CHECK(options_.wire_bytes && options_.make_executor, "SimOptions are not complete");
  const auto& hosts = platform_.hosts();
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    DeviceSpec spec = i < cluster_.devices.size() ? cluster_.devices[i] : coordinator_spec();
    devices_.push_back(std::make_unique<SimDevice>(*this, std::move(spec), hosts[i]));
    by_name_[devices_.back()->spec().name] = devices_.back().get();
  }
  simgrid_compat::on_comm_completion([](const simgrid::s4u::Comm& comm) {
    if (auto* channel = comm.get_data<Channel>()) channel->completed(comm);
  });
}

SimDevice& World::device(const DeviceName& name) {
  const auto found = by_name_.find(name);
  LINGUA_CHECK(found != by_name_.end(), "the cluster has no device {}", name);
  return *found->second;
}

SimDevice& World::add_client(const DeviceName& name) {
  LINGUA_CHECK(is_client(name), "{}", name);
  DeviceSpec spec;
  spec.name = name;
  devices_.push_back(
      std::make_unique<SimDevice>(*this, std::move(spec), device(kCoordinator).host()));
  by_name_[name] = devices_.back().get();
  return *devices_.back();
}

Channel& World::channel(SimDevice& from, const DeviceName& to) {
  const bool is_local = is_client(from.name()) || is_client(to);
  const Seconds latency = is_local ? Seconds(0) : cluster_.link(from.name(), to).latency;
  return channels_.emplace_back(*this, from, device(to), latency);
}

void World::look_for_deadlock() {
  if (error_ || !population_.stuck()) return;
  constexpr int kNamed = 8;
  std::string names;
  int count = 0;
  for (const auto& device : devices_) {
    if (!device->running()) continue;
    if (++count <= kNamed) names += (count > 1 ? ", " : "") + device->spec().name;
  }
  if (count > kNamed) names += fmt::format(" and {} more", count - kNamed);
  stop(std::make_exception_ptr(WorldError(
      fmt::format("the simulated run can go no further after {:.6g} s: no message is under way and "
                  "all who still run wait for one: {}",
                  Agenda::now(), names))));
}

void World::ended(std::exception_ptr error) {
  if (error && !error_) stop(std::move(error));
  if (population_.running == 0) {
    agenda_.clear();
  } else {
    look_for_deadlock();
  }
}

void World::set_bandwidth(SimDevice& device, double factor) {
  platform_.set_bandwidth(device.name(), factor);
  for (Channel& channel : channels_) {
    if (&channel.from() == &device || &channel.to() == &device) channel.bandwidth_changed();
  }
}

void World::kill(SimDevice& victim) {
  if (!victim.running()) return;
  for (Channel& channel : channels_) {
    if (&channel.from() == &victim || &channel.to() == &victim) channel.cut();
  }
  victim.kill();
  for (const auto& device : devices_) device->lose(victim.spec().name, "killed");
  if (population_.running == 0) agenda_.clear();
}

void World::join(SimDevice& device) {
  if (error_ || device.running() || by_name_.at(kCoordinator)->gone()) return;
  for (Channel& channel : channels_) {
    if (&channel.from() == &device || &channel.to() == &device) channel.cut();
  }
  for (const auto& other : devices_) other->meet(device.name());
  device.join();
}

void World::hang(SimDevice& victim) {
  if (!victim.running()) return;
  victim.kill();
  if (population_.running == 0) agenda_.clear();
}

void World::stop(std::exception_ptr error) {
  error_ = std::move(error);
  agenda_.add(Agenda::now(), *this);
}

void World::due() {
  for (const auto& device : devices_) {
    if (device->running()) device->kill();
  }
  agenda_.clear();
}

}  // namespace lingua
