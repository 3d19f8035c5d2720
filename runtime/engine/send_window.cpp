#include "runtime/engine/send_window.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

// An answer that comes sooner says that the link takes more, one that comes later that it is full.
constexpr Seconds kSoon{1};
constexpr Seconds kLate{2};
constexpr Seconds kCatchesUp{1};

// Enough that the link does not rest while an answer comes.
constexpr double kPiecesAtOnce = 16;

}  // namespace

SendWindow::SendWindow(std::int64_t chunk_bytes, std::int64_t window, double bytes_per_s)
    : chunk_bytes_(chunk_bytes),
      most_bytes_(static_cast<double>(chunk_bytes) * static_cast<double>(window)),
      bytes_per_s_(bytes_per_s),
      window_bytes_(static_cast<double>(chunk_bytes)) {
  LINGUA_CHECK(chunk_bytes > 0 && window > 0 && bytes_per_s >= 0, "{} pieces of {} bytes, {} B/s",
               window, chunk_bytes, bytes_per_s);
}

std::int64_t SendWindow::piece_bytes() const {
  if (bytes_per_s_ > 0) return chunk_bytes_;  // what goes at a rate goes evenly
  return std::max(chunk_bytes_, static_cast<std::int64_t>(window_bytes_ / kPiecesAtOnce));
}

void SendWindow::sent(double bytes, Seconds now) {
  LINGUA_CHECK(may_send(now), "{} bytes", bytes);
  under_way_.push_back({bytes, now});
  bytes_under_way_ += bytes;
  if (bytes_per_s_ > 0)
    paid_for_ = std::max(paid_for_.value_or(now), now - kCatchesUp) + Seconds(bytes / bytes_per_s_);
}

void SendWindow::acknowledged(Seconds now) {
  LINGUA_CHECK(!under_way_.empty(), "nothing is under way");
  const Piece piece = under_way_.front();
  under_way_.pop_front();
  const Seconds trip = now - piece.sent;
  if (trip < kSoon) window_bytes_ = std::min(window_bytes_ + piece.bytes, most_bytes_);
  if (trip > kLate) window_bytes_ /= 2;
  bytes_under_way_ -= piece.bytes;
}

Seconds SendWindow::next() const {
  if (!has_room()) return kNever;
  return bytes_per_s_ > 0 ? paid_for_.value_or(-kNever) : -kNever;
}

}  // namespace lingua
