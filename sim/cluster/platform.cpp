#include "sim/cluster/platform.h"

#include "runtime/base/errors.h"

namespace lingua {

namespace s4u = simgrid::s4u;
namespace compat = simgrid_compat;

DeviceSpec coordinator_spec() {
  DeviceSpec spec;
  spec.name = kCoordinator;
  spec.flops_per_s = 1e9;
  spec.memory_bytes_per_s = 1e9;
  return spec;
}

Platform::Platform(s4u::Engine& engine, const ClusterSpec& cluster)
    : cluster_(cluster), layout_(cluster), zone_(*compat::add_star_zone(engine, "cluster")) {
  for (const DeviceSpec& device : cluster_.devices) add_host(device);
  add_host(coordinator_spec());
  check_links();
  for (s4u::Host* host : hosts_) {
    compat::add_route(zone_, host, nullptr, route(layout_.leaving(host->get_cname())));
    compat::add_route(zone_, nullptr, host, route(layout_.arriving(host->get_cname())));
  }
  for (const auto& [ends, link] : cluster_.links) {
    const auto& [from, to] = ends;
    zone_.add_bypass_route(host_of_.at(from)->get_netpoint(), host_of_.at(to)->get_netpoint(),
                           nullptr, nullptr, route(layout_.path(from, to)));
  }
  zone_.seal();
}

void Platform::add_host(const DeviceSpec& device) {
  LINGUA_CHECK(device.flops_per_s > 0, "device {} has no speed", device.name);
  s4u::Host* host = compat::add_host(zone_, device.name, device.flops_per_s);
  hosts_.push_back(host);
  host_of_[device.name] = host;
}

// Links are those of devices; without a default every pair has one.
void Platform::check_links() const {
  for (const auto& [ends, link] : cluster_.links) {
    for (const DeviceName& name : {ends.first, ends.second}) {
      LINGUA_CHECK(host_of_.contains(name), "a link of {}, which the cluster does not have", name);
    }
  }
  const std::size_t pairs = hosts_.size() * (hosts_.size() - 1);
  LINGUA_CHECK(cluster_.default_link.bytes_per_s > 0 || cluster_.links.size() == pairs,
               "{} of {} pairs have a link, and there is no default", cluster_.links.size(), pairs);
}

std::vector<s4u::LinkInRoute> Platform::route(const std::vector<NetworkPart>& parts) {
  std::vector<s4u::LinkInRoute> links;
  for (const NetworkPart& part : parts) {
    s4u::Link*& link = links_[part.name];
    if (link == nullptr) link = compat::add_link(zone_, part.name, part.bytes_per_s);
    links.emplace_back(link);
  }
  return links;
}

void Platform::set_bandwidth(const DeviceName& device, double factor) {
  layout_.set_bandwidth(device, factor);
  change(layout_.leaving(device));
  change(layout_.arriving(device));
  for (const auto& [ends, link] : cluster_.links) {
    if (ends.first == device || ends.second == device)
      change(layout_.path(ends.first, ends.second));
  }
}

void Platform::change(const std::vector<NetworkPart>& parts) {
  for (const NetworkPart& part : parts) {
    s4u::Link* link = links_.at(part.name);
    if (link->get_bandwidth() != part.bytes_per_s) link->set_bandwidth(part.bytes_per_s);
  }
}

}  // namespace lingua
