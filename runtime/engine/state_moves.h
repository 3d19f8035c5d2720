#pragma once
// Which states go from whom to whom when requests cross to another deployment, and which have come.
//
// A role without I/O, of the coordinator's; one for each move. Where a segment stays on its device, so do its
// states. Tokens of a request are counted from its prompt's first.

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "runtime/engine/deployment.h"
#include "runtime/engine/effects.h"

namespace lingua {

class StateMoves {
 public:
  // REQUIRES: it outlives this.
  explicit StateMoves(const Deployment& next) : next_(next) {}

  struct Request {
    RequestId id = 0;
    std::int64_t capacity = 0;
    std::int64_t tokens = 0;  // the first of it, whose states all devices have
  };
  // Asks the devices of the deployment that the request runs in for what was not asked for yet. `beside`: it goes
  // beside work, which is not to wait for it.
  void send(const Deployment& before, const Request& request, bool beside, Effects& effects);
  // Something that it has not asked for changes nothing.
  void take(const StatesHeld& held, const DeviceName& from);
  // States that were to go between the two never come.
  void lose_link(const DeviceName& a, const DeviceName& b);
  // It has ended.
  void forget(RequestId request);

  // All that was asked for of a request has come, or never will.
  bool complete(RequestId request) const;
  // The first of its tokens, whose states are where the new deployment needs them when it is complete; 0 when some
  // could not be moved.
  std::int64_t tokens(RequestId request) const;
  double bytes() const { return bytes_; }  // that were asked for

 private:
  using Way = std::pair<DeviceName, DeviceName>;  // from, to
  std::map<Way, std::vector<SegmentId>> ways_from(const Deployment& before) const;

  const Deployment& next_;
  std::map<RequestId, std::int64_t> tokens_;
  std::set<RequestId> failed_;
  std::set<std::pair<Way, RequestId>> under_way_;
  double bytes_ = 0;
};

}  // namespace lingua
