#pragma once
// What happens at a virtual time without an actor that sleeps until then: a message whose latency
// has passed, a deadline, a fault.
//
// Order: entries of one time come due in the order in which they were added.
// Threads: SimGrid's one; add() may be called from an actor and from due() itself.
// Determinism: SimGrid's timers do not promise an order for equal times, so the agenda keeps its
// own and never has more than one of them set.

#include <cstdint>
#include <queue>
#include <vector>

#include "sim/cluster/compat.h"

namespace lingua {

class Scheduled {
 public:
  virtual void due() = 0;

 protected:
  ~Scheduled() = default;
};

class Agenda {
 public:
  static double now() { return simgrid::s4u::Engine::get_clock(); }

  // REQUIRES: `what` lives until it is due or the agenda is cleared. A time in the past means now.
  void add(double when, Scheduled& what);
  void clear();

 private:
  struct Entry {
    double when;
    std::uint64_t number;
    Scheduled* what;
    bool operator<(const Entry& other) const {  // the greatest is the next
      return when != other.when ? when > other.when : number > other.number;
    }
  };

  void arm();
  void fire();

  std::priority_queue<Entry> entries_;
  std::uint64_t added_ = 0;
  simgrid::kernel::timer::Timer* timer_ = nullptr;
  bool firing_ = false;
};

}  // namespace lingua
