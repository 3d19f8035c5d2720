#pragma once
// What SimGrid 3.32 and 4.0 call differently. Included by sim/cluster/ alone.

#include <functional>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <string>
#include <utility>
#include <vector>

// clang-format off: this header needs those before it
#include <simgrid/version.h>
// clang-format on

namespace lingua::simgrid_compat {

namespace s4u = simgrid::s4u;

#if SIMGRID_VERSION >= 40000

inline s4u::NetZone* add_star_zone(s4u::Engine& engine, const std::string& name) {
  return engine.get_netzone_root()->add_netzone_star(name);
}
inline s4u::Host* add_host(s4u::NetZone& zone, const std::string& name, double flops_per_s) {
  return zone.add_host(name, flops_per_s);
}
inline s4u::Link* add_link(s4u::NetZone& zone, const std::string& name, double bytes_per_s) {
  return zone.add_link(name, bytes_per_s);
}
// A star's route from `from` to its centre (to == nullptr), or from the centre to `to`.
inline void add_route(s4u::NetZone& zone, const s4u::Host* from, const s4u::Host* to,
                      const std::vector<s4u::LinkInRoute>& links) {
  zone.add_route(from, to, links, false);
}
inline s4u::ActorPtr add_actor(s4u::Engine& engine, const std::string& name, s4u::Host* host,
                               std::function<void()> body) {
  return engine.add_actor(name, host, std::move(body));
}
inline void on_comm_completion(std::function<void(const s4u::Comm&)> callback) {
  s4u::Comm::on_completion_cb(std::move(callback));
}

#else

inline s4u::NetZone* add_star_zone(s4u::Engine&, const std::string& name) {
  return s4u::create_star_zone(name);
}
inline s4u::Host* add_host(s4u::NetZone& zone, const std::string& name, double flops_per_s) {
  return zone.create_host(name, flops_per_s);
}
inline s4u::Link* add_link(s4u::NetZone& zone, const std::string& name, double bytes_per_s) {
  return zone.create_link(name, bytes_per_s);
}
inline void add_route(s4u::NetZone& zone, const s4u::Host* from, const s4u::Host* to,
                      const std::vector<s4u::LinkInRoute>& links) {
  zone.add_route(from == nullptr ? nullptr : from->get_netpoint(),
                 to == nullptr ? nullptr : to->get_netpoint(), nullptr, nullptr, links, false);
}
inline s4u::ActorPtr add_actor(s4u::Engine&, const std::string& name, s4u::Host* host,
                               const std::function<void()>& body) {
  return s4u::Actor::create(name, host, body);
}
// Reports the transfers that SimGrid's own context (a timer, not an actor) has started.
inline void on_comm_completion(const std::function<void(const s4u::Comm&)>& callback) {
  s4u::Activity::on_completion_cb([callback](const s4u::Activity& activity) {
    if (const auto* comm = dynamic_cast<const s4u::Comm*>(&activity)) callback(*comm);
  });
}

#endif

}  // namespace lingua::simgrid_compat
