#include "runtime/planner/search/moves.h"

#include <algorithm>
#include <utility>

#include "runtime/planner/search/chains_on_chains.h"

namespace lingua {
namespace {

using Chain = std::vector<Run>;

// A chain as an order of devices and how many segments each runs.
struct Shares {
  std::vector<int> devices;
  std::vector<int> lengths;

  explicit Shares(const Chain& chain) {
    for (const Run& run : chain) {
      devices.push_back(run.device);
      lengths.push_back(run.last - run.first + 1);
    }
  }

  std::size_t size() const { return devices.size(); }

  Chain chain() const {
    Chain chain;
    int next = 0;
    for (std::size_t s = 0; s < size(); ++s) {
      if (lengths[s] < 1) return {};
      chain.push_back({devices[s], next, next + lengths[s] - 1});
      next += lengths[s];
    }
    return chain;
  }
};

class Mover {
 public:
  Mover(const PlanCosts& costs, const Chain& chain, Rng& rng, const MoveParts& parts)
      : costs_(costs), rng_(rng), parts_(parts), shares_(chain) {}

  Chain move() {
    const auto kind = rng_.below(100);
    if (kind < 45) return move_segments() ? shares_.chain() : Chain{};
    if (!(kind < 55   ? swap_devices()
          : kind < 63 ? parts_.swap_places && swap_places()
          : kind < 72 ? parts_.move_place && move_place()
          : kind < 77 ? parts_.turn_round && turn_round()
          : kind < 87 ? replace()
          : kind < 93 ? leave_out()
                      : take_in()))
      return {};
    const bool anew = rng_.below(3) == 0 && parts_.deal_anew;
    return anew ? least_busy_cuts(costs_, shares_.devices) : shares_.chain();
  }

 private:
  std::size_t any() { return rng_.below(shares_.size()); }

  // From one device to another, those between slide; most often to a neighbour, and few.
  bool move_segments() {
    if (shares_.size() < 2) return false;
    const std::size_t from = any();
    std::size_t to = any();
    if (rng_.below(3) != 0) to = rng_.below(2) == 0 ? from + 1 : from - 1;
    if (to >= shares_.size() || to == from) return false;
    int count = 1;
    while (count < 16 && rng_.below(2) == 0) ++count;
    shares_.lengths[from] -= count;
    shares_.lengths[to] += count;
    return shares_.lengths[from] >= 1;
  }

  bool swap_devices() {
    const std::size_t a = any();
    const std::size_t b = any();
    std::swap(shares_.devices[a], shares_.devices[b]);
    return a != b;
  }

  bool swap_places() {
    const std::size_t a = any();
    const std::size_t b = any();
    std::swap(shares_.devices[a], shares_.devices[b]);
    std::swap(shares_.lengths[a], shares_.lengths[b]);
    return a != b;
  }

  bool move_place() {
    const std::size_t from = any();
    const std::size_t to = any();
    const int device = shares_.devices[from];
    const int length = shares_.lengths[from];
    erase(from);
    insert(to, device, length);
    return from != to;
  }

  bool turn_round() {
    const auto [first, last] = std::minmax({any(), any()});  // a list: the two by value
    const auto turn = [first = first, last = last](std::vector<int>& values) {
      std::reverse(values.begin() + static_cast<std::ptrdiff_t>(first),
                   values.begin() + static_cast<std::ptrdiff_t>(last) + 1);
    };
    turn(shares_.devices);
    turn(shares_.lengths);
    return first != last;
  }

  bool replace() {
    const int device = unused();
    if (device >= 0) shares_.devices[any()] = device;
    return device >= 0;
  }

  // What it ran goes to its neighbours, in two parts.
  bool leave_out() {
    if (shares_.size() < 2) return false;
    const std::size_t at = any();
    const int length = shares_.lengths[at];
    int left = static_cast<int>(rng_.below(static_cast<std::uint64_t>(length) + 1));
    if (at == 0) left = 0;
    if (at + 1 == shares_.size()) left = length;
    if (left > 0) shares_.lengths[at - 1] += left;
    if (left < length) shares_.lengths[at + 1] += length - left;
    erase(at);
    return true;
  }

  bool take_in() {
    const int device = unused();
    if (device < 0) return false;
    const std::size_t at = rng_.below(shares_.size() + 1);
    int got = 0;
    const auto take_from = [&](std::size_t s) {
      const int part = static_cast<int>(rng_.below(static_cast<std::uint64_t>(shares_.lengths[s])));
      const int taken = std::min(part, 1 + shares_.lengths[s] / 2);
      shares_.lengths[s] -= taken;
      got += taken;
    };
    if (at > 0) take_from(at - 1);
    if (at < shares_.size()) take_from(at);
    insert(at, device, got);
    return got > 0;
  }

  // -1: every device has something.
  int unused() {
    const std::size_t count = static_cast<std::size_t>(costs_.devices()) - shares_.size();
    if (count == 0) return -1;
    std::vector<bool> used(costs_.devices(), false);
    for (int device : shares_.devices) used[device] = true;
    auto nth = rng_.below(count);
    for (int device = 0; device < costs_.devices(); ++device) {
      if (!used[device] && nth-- == 0) return device;
    }
    return -1;
  }

  void erase(std::size_t at) {
    shares_.devices.erase(shares_.devices.begin() + static_cast<std::ptrdiff_t>(at));
    shares_.lengths.erase(shares_.lengths.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void insert(std::size_t at, int device, int length) {
    shares_.devices.insert(shares_.devices.begin() + static_cast<std::ptrdiff_t>(at), device);
    shares_.lengths.insert(shares_.lengths.begin() + static_cast<std::ptrdiff_t>(at), length);
  }

  const PlanCosts& costs_;
  Rng& rng_;
  const MoveParts& parts_;
  Shares shares_;
};

}  // namespace

std::vector<Run> random_move(const PlanCosts& costs, const std::vector<Run>& chain, Rng& rng,
                             const MoveParts& parts) {
  return Mover(costs, chain, rng, parts).move();
}

}  // namespace lingua
