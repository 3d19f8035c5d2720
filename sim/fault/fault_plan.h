#pragma once
// Fault plans: what goes wrong in a simulated run, where and when. Plain values.
//
// Units: seconds of virtual time; factors are of what a device's specification says.
// Determinism: a plan is drawn from a seed and nothing else; the same seed gives the same plan everywhere.
// What is drawn happens in reality too. The transport is in order and authenticated, so no message is lost,
// doubled or changed unless its link or its sender fails.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/device/spec.h"

namespace lingua {

enum class FaultKind {
  kKill,        // the process ends: its connections break at once
  kReturn,      // the same, and a new one begins in its place after `lasts`
  kHang,        // it takes and sends nothing any more; peers notice by the loss timeout
  kPause,       // it does nothing for `lasts`, and goes on
  kSlow,        // it computes at `factor` of its speed for `lasts`
  kCut,         // nothing passes from `device` to `peer` any more, or either way
  kDelay,       // what `device` sends to `peer` within `lasts` arrives after that
  kLessMemory,  // from the beginning it has `factor` of the memory that it is said to have
  kLoadFails,   // it has no memory for the `count`th segment that it loads
  kRunFails,    // a step fails in the `count`th run of a segment
  kLie,         // it says what no honest device says, once
};

// What a lying or broken device sends beside a message of its own. Nothing that could pass for an honest
// answer: wrong numbers of the right kind are beyond what any check sees.
enum class Lie {
  kTwice,       // the message again
  kOldEpoch,    // the same of an earlier epoch
  kOutOfRange,  // the same with a field that cannot be
  kNotANumber,  // the same with a NaN
  kNotItsTurn,  // a message that is for others to send
};

// When a fault strikes: at a time, or before a device hands over its nth message, between two effects of its
// role. The 1st is number 1.
struct Moment {
  Seconds time{0};
  DeviceName sender;  // empty: at the time
  int message = 0;
};

struct Fault {
  FaultKind kind = FaultKind::kKill;
  DeviceName device;
  DeviceName peer = {};  // of a link
  Moment when = {};      // not of kLessMemory, kLoadFails and kRunFails
  Seconds lasts{0};
  double factor = 1;
  int count = 0;
  bool both_ways = false;
  Lie lie = Lie::kTwice;
};

struct FaultPlan {
  std::uint64_t seed = 0;  // also of what is drawn while they strike
  std::vector<Fault> faults;

  bool has(FaultKind kind) const;
};

struct FaultDraw {
  int most = 4;        // faults, one at least
  Seconds horizon{2};  // those at a time strike before it
  int most_messages = 150;
  bool liars = true;
};

// Of the devices of a cluster and their coordinator, which itself never fails.
FaultPlan draw_faults(std::uint64_t seed, const ClusterSpec& cluster, const FaultDraw& options);

// "kill b at 0.3127 s", "cut a -> c before message 17 of coordinator".
std::string describe(const Fault& fault);
// One line for each.
std::string describe(const FaultPlan& plan);

}  // namespace lingua
