#pragma once
// How much may be under way to one receiver that answers each piece, in order, and how fast pieces may follow
// each other.
//
// Pure values. What may be under way begins at one piece and grows while answers come within a second, to at most
// `window` pieces, and halves when they take more than two: what else is sent to the receiver waits behind it for a
// few seconds, however slow its link is. Pieces grow with it, so that a fast link carries few of them. With a rate,
// what is sent in any time of T seconds is at most what the rate gives in T + 1 s, and one piece: a sender that was
// busy catches up on a second.
// Units: bytes, seconds.

#include <cstdint>
#include <deque>
#include <optional>

#include "runtime/device/mailbox.h"

namespace lingua {

class SendWindow {
 public:
  // `bytes_per_s` 0: as fast as answers come. REQUIRES: the others are positive.
  SendWindow(std::int64_t chunk_bytes, std::int64_t window, double bytes_per_s);

  // From now on. REQUIRES: not negative.
  void set_rate(double bytes_per_s) { bytes_per_s_ = bytes_per_s; }

  // What the next piece has at most: `chunk_bytes`, and where answers come soon a sixteenth of what may be under way.
  std::int64_t piece_bytes() const;

  bool may_send(Seconds now) const { return has_room() && now >= next(); }
  // REQUIRES: may_send(now).
  void sent(double bytes, Seconds now);
  // The answer to the oldest piece under way. REQUIRES: there is one.
  void acknowledged(Seconds now);

  // When the rate lets the next piece go, which may be past; kNever while only an answer does.
  Seconds next() const;
  bool all_acknowledged() const { return under_way_.empty(); }

 private:
  bool has_room() const { return under_way_.empty() || bytes_under_way_ < window_bytes_; }

  std::int64_t chunk_bytes_;
  double most_bytes_;
  double bytes_per_s_;
  struct Piece {
    double bytes = 0;
    Seconds sent{0};
  };
  std::deque<Piece> under_way_;
  double bytes_under_way_ = 0;
  double window_bytes_;              // that may be
  std::optional<Seconds> paid_for_;  // until then the rate has been used; none: nothing was sent
};

}  // namespace lingua
