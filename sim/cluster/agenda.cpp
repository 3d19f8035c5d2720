#include "sim/cluster/agenda.h"

#include <algorithm>

namespace lingua {

void Agenda::add(double when, Scheduled& what) {
  entries_.push({std::max(when, now()), added_++, &what});
  if (!firing_) arm();
}

void Agenda::clear() {
  entries_ = {};
  arm();
}

void Agenda::arm() {
  if (timer_ != nullptr) {
    if (!entries_.empty() && timer_->get_date() == entries_.top().when) return;
    timer_->remove();
    timer_ = nullptr;
  }
  if (entries_.empty()) return;
  timer_ = simgrid::kernel::timer::Timer::set(entries_.top().when, [this] { fire(); });
}

void Agenda::fire() {
  timer_ = nullptr;
  firing_ = true;
  while (!entries_.empty() && entries_.top().when <= now()) {
    Scheduled* what = entries_.top().what;
    entries_.pop();
    what->due();
  }
  firing_ = false;
  arm();
}

}  // namespace lingua
