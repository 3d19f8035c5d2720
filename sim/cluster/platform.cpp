#include "sim/cluster/platform.h"

#include <algorithm>
#include <map>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

namespace s4u = simgrid::s4u;
namespace compat = simgrid_compat;

// One direction of one device's radio.
struct Radio {
  double bytes_per_s = 0;
  std::size_t own_links = 0;  // pairs with a link of their own that use it
  s4u::Link* link = nullptr;
};

class PlatformBuilder {
 public:
  PlatformBuilder(s4u::Engine& engine, const ClusterSpec& cluster)
      : cluster_(cluster), zone_(*compat::add_star_zone(engine, "cluster")) {}

  std::vector<s4u::Host*> build() {
    for (const DeviceSpec& device : cluster_.devices) add_host(device);
    add_host(coordinator_spec());
    for (const auto& [pair, link] : cluster_.links) {
      count(radios_up_, pair.first, link);
      count(radios_down_, pair.second, link);
    }
    if (cluster_.shared_bytes_per_s > 0) {
      medium_ = compat::add_link(zone_, "medium", cluster_.shared_bytes_per_s);
    }
    for (s4u::Host* host : hosts_) {
      compat::add_route(zone_, host, nullptr, default_path(host->get_cname(), true));
      compat::add_route(zone_, nullptr, host, default_path(host->get_cname(), false));
    }
    for (const auto& [pair, link] : cluster_.links) add_own_link(pair.first, pair.second, link);
    zone_.seal();
    return hosts_;
  }

 private:
  void add_host(const DeviceSpec& device) {
    LINGUA_CHECK(device.flops_per_s > 0, "device {} has no speed", device.name);
    s4u::Host* host = compat::add_host(zone_, device.name, device.flops_per_s);
    hosts_.push_back(host);
    host_of_[device.name] = host;
    radios_up_[device.name];
    radios_down_[device.name];
  }

  static void count(std::map<DeviceName, Radio>& radios, const DeviceName& name,
                    const LinkSpec& link) {
    const auto radio = radios.find(name);
    LINGUA_CHECK(radio != radios.end(), "a link of {}, which the cluster does not have", name);
    LINGUA_CHECK(link.bytes_per_s > 0, "a link of {} has no bandwidth", name);
    radio->second.bytes_per_s = std::max(radio->second.bytes_per_s, link.bytes_per_s);
    ++radio->second.own_links;
  }

  // The links of one device that a flow without an own link takes.
  std::vector<s4u::LinkInRoute> default_path(const DeviceName& name, bool up) {
    Radio& radio = (up ? radios_up_ : radios_down_).at(name);
    const char* direction = up ? "up" : "down";
    const double usual = cluster_.default_link.bytes_per_s;
    const bool needs_default = radio.own_links + 1 < hosts_.size();
    LINGUA_CHECK(!needs_default || usual > 0, "{} has no link {} to some device", name, direction);
    const bool radio_is_faster = radio.bytes_per_s > usual;
    if (!radio_is_faster) radio.bytes_per_s = usual;
    radio.link = compat::add_link(zone_, fmt::format("{} {}", direction, name), radio.bytes_per_s);
    std::vector<s4u::LinkInRoute> path{s4u::LinkInRoute(radio.link)};
    if (radio_is_faster && needs_default) {
      path.emplace_back(
          compat::add_link(zone_, fmt::format("{} {} by default", direction, name), usual));
    }
    if (up && medium_ != nullptr) path.emplace_back(medium_);
    return path;
  }

  void add_own_link(const DeviceName& from, const DeviceName& to, const LinkSpec& spec) {
    s4u::Link* own = compat::add_link(zone_, fmt::format("{} to {}", from, to), spec.bytes_per_s);
    std::vector<s4u::LinkInRoute> path{s4u::LinkInRoute(radios_up_.at(from).link),
                                       s4u::LinkInRoute(own)};
    if (medium_ != nullptr) path.emplace_back(medium_);
    path.emplace_back(radios_down_.at(to).link);
    zone_.add_bypass_route(host_of_.at(from)->get_netpoint(), host_of_.at(to)->get_netpoint(),
                           nullptr, nullptr, path);
  }

  const ClusterSpec& cluster_;
  s4u::NetZone& zone_;
  std::vector<s4u::Host*> hosts_;
  std::map<DeviceName, s4u::Host*> host_of_;
  std::map<DeviceName, Radio> radios_up_;
  std::map<DeviceName, Radio> radios_down_;
  s4u::Link* medium_ = nullptr;
};

}  // namespace

DeviceSpec coordinator_spec() {
  DeviceSpec spec;
  spec.name = kCoordinator;
  spec.flops_per_s = 1e9;
  spec.memory_bytes_per_s = 1e9;
  return spec;
}

std::vector<s4u::Host*> build_platform(s4u::Engine& engine, const ClusterSpec& cluster) {
  return PlatformBuilder(engine, cluster).build();
}

}  // namespace lingua
