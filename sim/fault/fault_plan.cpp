#include "sim/fault/fault_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lingua {
namespace {

const char* name_of(Lie lie) {
  switch (lie) {
    case Lie::kTwice: return "twice";
    case Lie::kOldEpoch: return "of an old epoch";
    case Lie::kOutOfRange: return "out of range";
    case Lie::kNotANumber: return "with a NaN";
    case Lie::kNotItsTurn: return "for others to send";
  }
  return "";
}

// How often each kind is drawn.
struct Weight {
  FaultKind kind;
  std::uint64_t weight;
};
constexpr std::array<Weight, 11> kWeights = {{{FaultKind::kKill, 20},
                                              {FaultKind::kReturn, 16},
                                              {FaultKind::kHang, 12},
                                              {FaultKind::kPause, 10},
                                              {FaultKind::kSlow, 8},
                                              {FaultKind::kCut, 16},
                                              {FaultKind::kDelay, 8},
                                              {FaultKind::kLessMemory, 4},
                                              {FaultKind::kLoadFails, 6},
                                              {FaultKind::kRunFails, 6},
                                              {FaultKind::kLie, 10}}};

class Drawer {
 public:
  Drawer(std::uint64_t seed, const ClusterSpec& cluster, const FaultDraw& options)
      : rng_(seed), options_(options) {
    for (const DeviceSpec& device : cluster.devices) names_.push_back(device.name);
  }

  std::vector<Fault> draw() {
    std::vector<Fault> faults(1 + rng_.below(static_cast<std::uint64_t>(options_.most)));
    for (Fault& fault : faults) fault = next();
    return faults;
  }

 private:
  FaultKind kind() {
    std::uint64_t sum = 0;
    for (const Weight& weight : kWeights) sum += weight.weight;
    std::uint64_t at = rng_.below(sum);
    for (const Weight& weight : kWeights) {
      if (at < weight.weight) return weight.kind;
      at -= weight.weight;
    }
    return FaultKind::kKill;
  }

  const DeviceName& device() { return names_[rng_.below(names_.size())]; }

  // A device, or the coordinator at times.
  DeviceName other_than(const DeviceName& name) {
    if (rng_.below(6) == 0 || names_.size() == 1) return kCoordinator;
    DeviceName other = device();
    while (other == name) other = device();
    return other;
  }

  Moment moment(const DeviceName& hit) {
    Moment moment;
    if (rng_.below(2) == 0) {
      moment.time = Seconds(rng_.uniform(0, options_.horizon.count()));
      return moment;
    }
    const std::uint64_t whose = rng_.below(4);  // the device's own, most often
    moment.sender = whose == 0 ? kCoordinator : whose == 1 ? device() : hit;
    // Few at the beginning, where a deployment comes about, are as many as the many later on.
    const auto most = static_cast<std::uint64_t>(options_.most_messages);
    moment.message = 1 + static_cast<int>(rng_.below(rng_.below(2) == 0 ? 20 : most));
    return moment;
  }

  Fault next() {
    Fault fault;
    fault.kind = kind();
    if (!options_.liars && fault.kind == FaultKind::kLie) fault.kind = FaultKind::kKill;
    fault.device = device();
    fault.when = moment(fault.device);
    switch (fault.kind) {
      case FaultKind::kKill:
      case FaultKind::kHang: break;
      case FaultKind::kReturn: fault.lasts = Seconds(rng_.uniform(0.001, 1.5)); break;
      case FaultKind::kPause:
        fault.lasts = Seconds(rng_.uniform(0.001, 0.8));
        if (!fault.when.sender.empty()) fault.when.sender = fault.device;
        break;
      case FaultKind::kSlow:
        fault.factor = rng_.uniform(0.02, 0.5);
        fault.lasts = Seconds(rng_.uniform(0.1, 3));
        break;
      case FaultKind::kDelay: fault.lasts = Seconds(rng_.uniform(0.001, 0.8)); [[fallthrough]];
      case FaultKind::kCut:
        fault.peer = other_than(fault.device);
        fault.both_ways = fault.kind == FaultKind::kCut && rng_.below(2) == 0;
        if (rng_.below(2) == 0) std::swap(fault.device, fault.peer);
        break;
      case FaultKind::kLessMemory:
        fault.when = {};
        fault.factor = rng_.uniform(0.05, 0.95);
        break;
      case FaultKind::kLoadFails:
        fault.when = {};
        fault.count = 1 + static_cast<int>(rng_.below(6));
        break;
      case FaultKind::kRunFails:
        fault.when = {};
        fault.count = 1 + static_cast<int>(rng_.below(60));
        break;
      case FaultKind::kLie:
        fault.lie = static_cast<Lie>(rng_.below(5));
        if (!fault.when.sender.empty()) fault.when.sender = fault.device;
        break;
    }
    return fault;
  }

  Rng rng_;
  const FaultDraw& options_;
  std::vector<DeviceName> names_;
};

std::string text_of(const Moment& moment) {
  return moment.sender.empty()
             ? fmt::format("at {:.6g} s", moment.time.count())
             : fmt::format("before message {} of {}", moment.message, moment.sender);
}

}  // namespace

bool FaultPlan::has(FaultKind kind) const {
  return std::any_of(faults.begin(), faults.end(),
                     [kind](const Fault& fault) { return fault.kind == kind; });
}

FaultPlan draw_faults(std::uint64_t seed, const ClusterSpec& cluster, const FaultDraw& options) {
  return {seed, Drawer(seed, cluster, options).draw()};
}

std::string describe(const Fault& fault) {
  const std::string when = text_of(fault.when);
  const double lasts = fault.lasts.count();
  switch (fault.kind) {
    case FaultKind::kKill: return fmt::format("kill {} {}", fault.device, when);
    case FaultKind::kReturn:
      return fmt::format("kill {} {}, which comes back after {:.4g} s", fault.device, when, lasts);
    case FaultKind::kHang: return fmt::format("hang {} {}", fault.device, when);
    case FaultKind::kPause:
      return fmt::format("pause {} {} for {:.4g} s", fault.device, when, lasts);
    case FaultKind::kSlow:
      return fmt::format("slow {} to {:.3g} of its speed {} for {:.4g} s", fault.device,
                         fault.factor, when, lasts);
    case FaultKind::kCut:
      return fmt::format("cut {} {} {} {}", fault.device, fault.both_ways ? "<->" : "->",
                         fault.peer, when);
    case FaultKind::kDelay:
      return fmt::format("delay {} -> {} {} for {:.4g} s", fault.device, fault.peer, when, lasts);
    case FaultKind::kLessMemory:
      return fmt::format("{} has {:.3g} of its memory", fault.device, fault.factor);
    case FaultKind::kLoadFails:
      return fmt::format("{} has no memory for load {}", fault.device, fault.count);
    case FaultKind::kRunFails: return fmt::format("{} fails in run {}", fault.device, fault.count);
    case FaultKind::kLie:
      return fmt::format("{} lies {}: a message {}", fault.device, when, name_of(fault.lie));
  }
  return "";
}

std::string describe(const FaultPlan& plan) {
  std::string text;
  for (const Fault& fault : plan.faults) text += describe(fault) + "\n";
  return text;
}

}  // namespace lingua
