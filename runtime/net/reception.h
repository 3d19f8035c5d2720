#pragma once
// Who asks to join a coordinator, until it is one of the run or is refused.
//
// Each is a candidate until its own inbox has answered with the key of its Join: only then the name is its. One that
// takes no connections, as it says or because its inbox does not answer, is asked over the connection that it made, and
// taken in by that, which is said. Who cannot be taken in is refused, which is said too, and nothing else happens.
// Threads: the one that owns the sockets.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/plain_text.h"
#include "runtime/net/membership.h"

namespace lingua::internal {

class Reception {
 public:
  // `names`: of those that the run has a place for.
  // `say`: as NetOptions'.
  Reception(std::vector<DeviceName> names, std::function<void(const std::string& line)> say)
      : names_(std::move(names)), say_(say), refusals_("refusals", std::move(say)) {}

  const std::vector<DeviceName>& names() const { return names_; }

  void consider(const Membership& membership, const Incoming& incoming, const wire::Join& join);

  // What one answers that was asked over its own connection.
  void hear(const std::string& identity, const wire::Envelope& answer);

  struct Guest {
    std::string identity;
    DeviceSpec spec;
  };
  // Those that have shown who they are: they are in the membership from now on. A name that is there is in use.
  std::vector<Guest> take_in(Membership& membership);

  // Who has a name may be lost from now on, which has not been seen yet: another that asks for it is not refused
  // before it would have been.
  void begin() { has_begun_ = true; }

  void poll_for(std::vector<zmq::pollitem_t>& items);
  // When take_in() has to be called at the latest.
  Clock::time_point next_update() const;

 private:
  struct Candidate {
    DeviceSpec spec;
    PeerAddress peer;
    std::unique_ptr<Connection> connection;
    Clock::time_point patience = {};  // until then it waits for its name
    std::string why_relayed = {};
  };
  enum class Until { kLater, kEver };

  // From now on what is sent to it goes back over the connection of its Join.
  static void turn_back(const Membership& membership, const std::string& identity,
                        Candidate& candidate);
  void tell_relayed(const Candidate& candidate) const;

  void add_candidate(const Membership& membership, const Incoming& incoming,
                     const wire::Join& join);
  void refuse(const Membership& membership, const std::string& identity, const std::string& reason,
              Until until = Until::kEver);
  const std::vector<DeviceName> names_;
  std::map<std::string, Candidate> candidates_;  // by identity
  bool has_begun_ = false;
  const std::function<void(const std::string& line)> say_;
  FewLines refusals_;
};

// Tells somebody over the connection of its Join that it is not taken in, or no longer.
void send_refusal(const Membership& membership, const std::string& identity,
                  const std::string& reason, bool for_now);

}  // namespace lingua::internal
