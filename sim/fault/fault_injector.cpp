#include "sim/fault/fault_injector.h"

#include <fmt/format.h>

#include <utility>

#include "sim/fault/faulty_device.h"

namespace lingua {

FaultInjector::FaultInjector(SimCluster& cluster, FaultPlan plan, FaultOptions options)
    : cluster_(cluster),
      plan_(std::move(plan)),
      options_(std::move(options)),
      rng_(plan_.seed ^ 0xfa17ULL) {
  for (const Fault& fault : plan_.faults) {
    const bool is_timed = fault.when.sender.empty() && fault.kind != FaultKind::kLessMemory &&
                          fault.kind != FaultKind::kLoadFails &&
                          fault.kind != FaultKind::kRunFails && fault.kind != FaultKind::kLie &&
                          fault.kind != FaultKind::kPause;
    if (!is_timed) continue;
    const Seconds when = fault.when.time;
    cluster_.call_at(when, [this, &fault, when] { strike(fault, when); });
  }
}

FaultInjector::~FaultInjector() = default;

std::function<void(Device&)> FaultInjector::faulty(std::function<void(Device&)> body) {
  return [this, body = std::move(body)](Device& inner) {
    const bool is_first = names_.insert(inner.name()).second;
    FaultyDevice device(inner, *this, is_first);
    body(device);
  };
}

void FaultInjector::die(Device& device) {
  cluster_.kill_at(device.now(), device.name());
  while (true) device.receive(kNever);
}

void FaultInjector::note(const Fault& fault, Seconds now) {
  struck_.push_back(fmt::format("{:.6f} s: {}", now.count(), describe(fault)));
}

void FaultInjector::strike(const Fault& fault, Seconds now) {
  note(fault, now);
  switch (fault.kind) {
    case FaultKind::kKill: cluster_.kill_at(now, fault.device); break;
    case FaultKind::kReturn:
      cluster_.kill_at(now, fault.device);
      join_at(now + fault.lasts, fault.device);
      break;
    case FaultKind::kHang: hang(fault.device, now); break;
    case FaultKind::kSlow:
      cluster_.throttle_at(now, fault.device, fault.factor);
      cluster_.throttle_at(now + fault.lasts, fault.device, 1 / fault.factor);
      break;
    case FaultKind::kCut:
      cut(fault.device, fault.peer, now);
      if (fault.both_ways) cut(fault.peer, fault.device, now);
      break;
    case FaultKind::kDelay: cluster_.delay_at(now, fault.device, fault.peer, fault.lasts); break;
    default: break;  // those that a device brings on itself
  }
}

bool FaultInjector::has_connection(const DeviceName& from, const DeviceName& to) const {
  return from == kCoordinator || to == kCoordinator || connections_.contains({from, to});
}

void FaultInjector::join_at(Seconds when, const DeviceName& device) {
  cluster_.call_at(when, [this, device, when] { come(device, when); });
}

void FaultInjector::come(const DeviceName& device, Seconds now) {
  if (cut_.contains({device, kCoordinator})) return;
  const auto has = [&](const Way& way) { return way.first == device || way.second == device; };
  std::erase_if(connections_, has);
  std::erase_if(broken_, has);
  for (const Way& way : cut_) {
    if (!has(way)) continue;
    broken_.insert(way);
    cluster_.cut_at(now, way.first, way.second);
  }
  cluster_.join_at(now, device);
}

void FaultInjector::hang(const DeviceName& device, Seconds now) {
  cluster_.hang_at(now, device);
  for (const DeviceName& name : names_) {
    if (name != device) break_connection(name, device, now);
  }
}

// No acknowledgement comes back over a connection the other way either.
void FaultInjector::cut(const DeviceName& from, const DeviceName& to, Seconds now) {
  cut_.insert({{from, to}, {to, from}});
  cluster_.cut_at(now, from, to);
  if (!has_connection(to, from)) cluster_.cut_at(now, to, from);
  break_connection(from, to, now);
  break_connection(to, from, now);
}

void FaultInjector::break_connection(const DeviceName& from, const DeviceName& to, Seconds now) {
  if (!broken_.insert({from, to}).second) return;
  if (has_connection(from, to)) tell(from, to, now);
}

void FaultInjector::tell(const DeviceName& at, const DeviceName& peer, Seconds now) {
  const Seconds timeout = options_.loss_timeout;
  cluster_.lose_at(now + timeout * (1 + rng_.uniform() / 8), at, peer,
                   fmt::format("nothing has come from it for {:.3g} s", timeout.count()));
}

void FaultInjector::note_sent(const DeviceName& from, const DeviceName& to, Seconds now) {
  if (from == to || !connections_.insert({from, to}).second) return;
  const bool was_told = from == kCoordinator || to == kCoordinator;
  if (broken_.contains({from, to}) && !was_told) tell(from, to, now);
}

}  // namespace lingua
