#include "runtime/engine/state_sender.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua {
StateSender::StateSender(SendStates job, std::vector<double> token_bytes)
    : job_(std::move(job)),
      token_bytes_(std::move(token_bytes)),
      window_(job_.chunk_bytes, job_.window, job_.bytes_per_s) {
  LINGUA_CHECK(token_bytes_.size() == job_.segments.size() && !job_.segments.empty());
}

void StateSender::next_range() {
  ++range_;
  segment_ = 0;
  offset_ = 0;
}

void StateSender::next_segment() {
  offset_ = 0;
  if (++segment_ == job_.segments.size()) next_range();
}

void StateSender::go_on(Seconds now, const Read& read, std::int64_t most_pieces, Effects& effects) {
  while (range_ < job_.ranges.size() && most_pieces > 0 && window_.may_send(now)) {
    const SendStates::Range& range = job_.ranges[range_];
    const SegmentId segment = job_.segments[segment_];
    const double token_bytes = std::max(1.0, token_bytes_[segment_]);
    const auto most =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(job_.chunk_bytes / token_bytes));
    const std::int64_t first = range.first + offset_;
    const std::int64_t tokens = std::min(most, range.end - first);
    std::optional<std::vector<Tensor>> states = read(segment, range.request, first, first + tokens);
    if (!states) {
      effects.send(kCoordinator, StatesHeld{job_.epoch, job_.to, range.request,
                                            "its states are not here any more"});
      next_range();
      continue;
    }
    --most_pieces;
    offset_ += tokens;
    const bool is_whole = range.first + offset_ == range.end;
    const bool last = is_whole && segment_ + 1 == job_.segments.size();
    under_way_.push_back({job_.epoch, range.request, segment, first});
    window_.sent(token_bytes * static_cast<double>(tokens), now);
    effects.send(job_.to, StateChunk{job_.epoch, range.request, segment, range.capacity, first,
                                     tokens, *std::move(states), last});
    if (is_whole) next_segment();
  }
}

bool StateSender::is_answer(const StateAck& ack) const {
  if (under_way_.empty()) return false;
  const StateAck& next = under_way_.front();
  return ack.request == next.request && ack.segment == next.segment && ack.first == next.first;
}

void StateSender::give_up(const std::string& why, Effects& effects) {
  std::set<RequestId> requests;
  for (const StateAck& piece : under_way_) requests.insert(piece.request);
  for (; range_ < job_.ranges.size(); ++range_) requests.insert(job_.ranges[range_].request);
  for (const RequestId request : requests)
    effects.send(kCoordinator, StatesHeld{job_.epoch, job_.to, request, why});
  under_way_.clear();
}

void StateSender::acknowledge(Seconds now) {
  under_way_.pop_front();
  window_.acknowledged(now);
}

Seconds StateSender::next() const { return range_ == job_.ranges.size() ? kNever : window_.next(); }

}  // namespace lingua
