#include "runtime/supply/supply.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using Points = std::vector<SupplyPoint>;

const Points& points_of(const SupplyTrace& supply, const DeviceName& device) {
  static const Points kNone;
  const auto found = supply.devices().find(device);
  return found == supply.devices().end() ? kNone : found->second;
}

// The first of a device's points that is later.
Points::const_iterator after(const Points& points, Seconds time) {
  return std::upper_bound(points.begin(), points.end(), time,
                          [](Seconds at, const SupplyPoint& point) { return at < point.from; });
}

DeviceState changed(DeviceState state, const SupplyChange& change) {
  state.speed = change.speed.value_or(state.speed);
  state.bandwidth = change.bandwidth.value_or(state.bandwidth);
  state.present = change.present.value_or(state.present);
  if (change.battery) state.battery = change.battery;
  if (change.temperature_c) state.temperature_c = change.temperature_c;
  return state;
}

// Each pair's link, where it is not as the cluster has it.
void supply_links(const SupplyTrace& supply, Seconds time, ClusterSpec& cluster) {
  std::vector<DeviceName> names = {kCoordinator};
  for (const DeviceSpec& device : cluster.devices) names.push_back(device.name);
  std::vector<double> factors;
  for (const DeviceName& name : names) factors.push_back(supply.state_at(name, time).bandwidth);
  if (std::all_of(factors.begin(), factors.end(), [](double factor) { return factor == 1; }))
    return;
  std::map<std::pair<DeviceName, DeviceName>, LinkSpec> links;
  for (std::size_t from = 0; from < names.size(); ++from) {
    for (std::size_t to = 0; to < names.size(); ++to) {
      if (from == to) continue;
      LinkSpec link = cluster.link(names[from], names[to]);
      link.bytes_per_s *= std::min(factors[from], factors[to]);
      links[{names[from], names[to]}] = link;
    }
  }
  cluster.links = std::move(links);
  cluster.default_link = {};
}

}  // namespace

void SupplyTrace::add(const DeviceName& device, Seconds at, const SupplyChange& change) {
  LINGUA_CHECK(change.speed.value_or(1) > 0 && change.bandwidth.value_or(1) > 0);
  const DeviceState state = changed(state_at(device, at), change);
  Points& points = devices_[device];
  LINGUA_CHECK(points.empty() || points.back().from <= at);
  if (!points.empty() && points.back().from == at) points.pop_back();
  static const DeviceState kNominal;
  const DeviceState& before = points.empty() ? kNominal : points.back().state;
  if (state != before) points.push_back({at, state});
  if (points.empty()) devices_.erase(device);
}

DeviceState SupplyTrace::state_at(const DeviceName& device, Seconds time) const {
  const Points& points = points_of(*this, device);
  const auto next = after(points, time);
  return next == points.begin() ? DeviceState() : std::prev(next)->state;
}

std::vector<Seconds> change_times(const SupplyTrace& supply) {
  std::set<Seconds> times;
  for (const auto& [device, points] : supply.devices()) {
    for (const SupplyPoint& point : points) times.insert(point.from);
  }
  return {times.begin(), times.end()};
}

ClusterSpec cluster_at(const ClusterSpec& cluster, const SupplyTrace& supply, Seconds time) {
  for (const auto& [device, points] : supply.devices())
    LINGUA_CHECK(cluster.index_of(device) >= 0, "{} has no device {}", cluster.name, device);
  ClusterSpec now = cluster;
  const auto is_gone = [&](const DeviceName& device) {
    return !supply.state_at(device, time).present;
  };
  std::erase_if(now.devices, [&](const DeviceSpec& device) { return is_gone(device.name); });
  std::erase_if(now.links, [&](const auto& link) {
    return is_gone(link.first.first) || is_gone(link.first.second);
  });
  if (is_gone(now.header)) now.header.clear();
  for (DeviceSpec& device : now.devices) {
    const DeviceState state = supply.state_at(device.name, time);
    if (state.speed != 1) device.slow_down(1 / state.speed);
    device.charge = state.battery.value_or(device.charge);
  }
  supply_links(supply, time, now);
  return now;
}

Seconds end_of_work(const SupplyTrace& supply, const DeviceName& device, Seconds start,
                    Seconds time) {
  const Points& points = points_of(supply, device);
  auto next = after(points, start);
  double speed = next == points.begin() ? 1 : std::prev(next)->state.speed;
  Seconds at = start;
  for (; next != points.end() && at + time / speed > next->from; ++next) {
    time -= (next->from - at) * speed;
    at = next->from;
    speed = next->state.speed;
  }
  return at + std::max(time, Seconds(0)) / speed;
}

Attendance attendance_of(const SupplyTrace& supply) {
  Attendance attendance;
  for (const auto& [device, points] : supply.devices()) {
    bool present = supply.state_at(device, Seconds(0)).present;
    if (!present) attendance.absent.insert(device);
    for (const SupplyPoint& point : points) {
      if (point.from <= Seconds(0) || point.state.present == present) continue;
      present = point.state.present;
      attendance.changes.push_back({point.from, device, present});
    }
  }
  std::stable_sort(attendance.changes.begin(), attendance.changes.end(),
                   [](const auto& a, const auto& b) { return a.when < b.when; });
  return attendance;
}

std::map<DeviceName, Seconds> departures_only(const SupplyTrace& supply) {
  const Attendance attendance = attendance_of(supply);
  std::map<DeviceName, Seconds> gone;
  for (const DeviceName& device : attendance.absent) gone[device] = Seconds(0);
  for (const Attendance::Change& change : attendance.changes) {
    if (change.comes) {
      throw InputError(fmt::format(
          "{}: {} comes{} at {} s, which simulate and emulate play and paced workers do not; let "
          "it "
          "stay away, or present",
          supply.source, change.device, attendance.absent.contains(change.device) ? "" : " back",
          change.when.count()));
    }
    gone.emplace(change.device, change.when);
  }
  return gone;
}

}  // namespace lingua
