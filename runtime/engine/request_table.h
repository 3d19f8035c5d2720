#pragma once
// The requests of all clients, as the coordinator knows them: who asked, which wait, which run.
//
// A role without I/O. Each request gets a number that no other of the run has, in the order in which they
// came. Enough is kept of each to start it again elsewhere, until it ends.
// Order: first come, first admitted.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/effects.h"

namespace lingua {

class RequestTable {
 public:
  struct Entry {
    DeviceName client;
    RequestId own = 0;  // the client's number of it
    Submit submit;
    Seconds arrived{0};
    bool running = false;
    std::optional<Seconds> admitted = {};  // for the first time
    std::int64_t earlier = 0;              // tokens of its answer that a coordinator before had
    // When it was admitted last: tokens of its answer, and of it all the first whose states were there.
    std::int64_t before = 0;
    std::int64_t cached = 0;
  };

  // Takes a request that waits from now on. Nothing, and a Refused to its client, when that has another
  // of this number under way.
  void submit(const DeviceName& client, Submit submit, Seconds now, Effects& effects);

  int waiting() const { return static_cast<int>(queue_.size()); }
  int running() const { return running_; }
  int ended() const { return ended_; }
  // That came so far; their numbers are below.
  RequestId total() const { return next_; }
  bool runs_in(Epoch epoch) const;

  // One that waits has begun before, at another coordinator, which had so many tokens of its answer.
  void take_up(RequestId request, std::int64_t earlier, Seconds now);

  // The first that waits. REQUIRES: waiting() > 0.
  const Submit& front() const { return entries_.at(queue_.front()).submit; }
  // It runs from now on, in an epoch, with tokens made before. Returns what its header is told.
  Submit admit(Epoch epoch, std::vector<TokenId> made, Seconds now);
  // One that runs goes on in another epoch, with so many of its first tokens computed there.
  Submit go_on(RequestId request, Epoch epoch, std::vector<TokenId> made, std::int64_t cached);
  // All that run wait again, before those that have not run yet. Returns them.
  std::vector<RequestId> suspend_all();

  // Those that wait or run, by number.
  const std::map<RequestId, Entry>& entries() const { return entries_; }
  // Of a request that waits or runs; null for any other.
  const Entry* find(RequestId request) const;
  // By the client's own number.
  std::optional<RequestId> find(const DeviceName& client, RequestId own) const;
  void end(RequestId request);

 private:
  static Submit told(Entry& entry, Epoch epoch, std::vector<TokenId> made, std::int64_t cached);

  std::map<RequestId, Entry> entries_;
  std::map<std::pair<DeviceName, RequestId>, RequestId> by_client_;
  std::deque<RequestId> queue_;
  RequestId next_ = 0;
  int running_ = 0;
  int ended_ = 0;
};

}  // namespace lingua
