#include "runtime/device/network_layout.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {

void lay_relayed_links(ClusterSpec* cluster) {
  const double medium = cluster->shared_bytes_per_s;
  const auto hop = [&](const DeviceName& from, const DeviceName& to) {
    LinkSpec link = cluster->link(from, to);
    if (medium > 0) link.bytes_per_s = std::min(link.bytes_per_s, medium);
    return link;
  };
  for (const DeviceSpec& to : cluster->devices) {
    if (!to.relayed) continue;
    const LinkSpec second = hop(kCoordinator, to.name);
    for (const DeviceSpec& from : cluster->devices) {
      if (from.name == to.name || cluster->links.contains({from.name, to.name})) continue;
      const LinkSpec first = hop(from.name, kCoordinator);
      cluster->links[{from.name, to.name}] = {1 / (1 / first.bytes_per_s + 1 / second.bytes_per_s),
                                              first.latency + second.latency};
    }
  }
}

NetworkLayout::NetworkLayout(const ClusterSpec& cluster) : cluster_(cluster) {
  for (const auto& [ends, link] : cluster.links) {
    double& up = fastest_up_[ends.first];
    double& down = fastest_down_[ends.second];
    up = std::max(up, link.bytes_per_s);
    down = std::max(down, link.bytes_per_s);
  }
  for (const DeviceSpec& device : cluster.devices) {
    if (device.relayed) relayed_.insert(device.name);
  }
}

double NetworkLayout::factor(const DeviceName& name) const {
  const auto set = factors_.find(name);
  return set == factors_.end() ? 1 : set->second;
}

NetworkPart NetworkLayout::radio(const DeviceName& name, bool up) const {
  const auto& fastest = up ? fastest_up_ : fastest_down_;
  const auto own = fastest.find(name);
  const double usual = cluster_.default_link.bytes_per_s;
  return {(up ? "up " : "down ") + name,
          (own == fastest.end() ? usual : std::max(usual, own->second)) * factor(name)};
}

void NetworkLayout::add_default(const DeviceName& name, bool up,
                                std::vector<NetworkPart>* parts) const {
  const double usual = cluster_.default_link.bytes_per_s * factor(name);
  if (usual == 0 || radio(name, up).bytes_per_s == usual) return;
  parts->push_back({(up ? "up by default " : "down by default ") + name, usual});
}

void NetworkLayout::add_medium(std::vector<NetworkPart>* parts) const {
  if (cluster_.shared_bytes_per_s > 0) parts->push_back({"medium", cluster_.shared_bytes_per_s});
}

std::vector<NetworkPart> NetworkLayout::leaving(const DeviceName& from) const {
  std::vector<NetworkPart> parts = {radio(from, true)};
  add_default(from, true, &parts);
  add_medium(&parts);
  return parts;
}

std::vector<NetworkPart> NetworkLayout::arriving(const DeviceName& to) const {
  std::vector<NetworkPart> parts = {radio(to, false)};
  add_default(to, false, &parts);
  return parts;
}

std::vector<NetworkPart> NetworkLayout::path(const DeviceName& from, const DeviceName& to) const {
  std::vector<NetworkPart> parts = {radio(from, true), radio(to, false)};
  const auto own = cluster_.links.find({from, to});
  if (own != cluster_.links.end()) {
    parts.push_back(
        {from + " to " + to, own->second.bytes_per_s * std::min(factor(from), factor(to))});
  } else {
    LINGUA_CHECK(cluster_.default_link.bytes_per_s > 0, "no link from {} to {}", from, to);
    add_default(from, true, &parts);
    add_default(to, false, &parts);
  }
  if (relayed_.contains(to) && from != kCoordinator) {
    parts.push_back(radio(kCoordinator, false));
    parts.push_back(radio(kCoordinator, true));
  }
  add_medium(&parts);
  for (const NetworkPart& part : parts) {
    LINGUA_CHECK(part.bytes_per_s > 0, "no link from {} to {}", from, to);
  }
  return parts;
}

}  // namespace lingua
