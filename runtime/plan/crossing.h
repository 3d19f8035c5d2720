#pragma once
// What becomes of a request that runs when another plan takes over. Plain values.

#include <cstdint>
#include <map>

namespace lingua {

enum class Crossing {
  kEnd,      // it ends where it runs
  kRebuild,  // it goes on there: prompt and tokens so far are computed as one prompt
  // It goes on there with its states. Those of segments that change their device move when it has stopped, or
  // are kept twice from when the other plan is ready: copied while it runs, and the rest when it has stopped.
  // One that has none, or whose model cannot do with a part of a prompt's, is rebuilt.
  kMove,
  kKeepTwice,
};

struct Crossings {
  Crossing others = Crossing::kEnd;
  std::map<std::int64_t, Crossing> requests = {};  // by the coordinator's number
  Crossing of(std::int64_t request) const {
    const auto own = requests.find(request);
    return own == requests.end() ? others : own->second;
  }
};

}  // namespace lingua
