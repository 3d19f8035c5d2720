#include "runtime/engine/state_carrier.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

// Empty where the states are those of the segment for so many tokens.
std::string wrong_states(const StateChunk& chunk, const Segment& segment, bool with_data) {
  if (chunk.first < 0 || chunk.tokens < 1 || chunk.tokens > chunk.capacity - chunk.first)
    return fmt::format("{} tokens from {} of {}", chunk.tokens, chunk.first, chunk.capacity);
  if (chunk.states.size() != segment.state.size())
    return fmt::format("{} states; the segment has {}", chunk.states.size(), segment.state.size());
  for (std::size_t i = 0; i < chunk.states.size(); ++i) {
    const Tensor& state = chunk.states[i];
    const StateSpec& spec = segment.state[i];
    const std::vector<std::int64_t> shape = spec.shape_for(chunk.tokens);
    if (state.dtype != spec.dtype || state.shape != shape)
      return fmt::format("'{}' as {} [{}]; it is {} [{}]", spec.name, dtype_name(state.dtype),
                         fmt::join(state.shape, ", "), dtype_name(spec.dtype),
                         fmt::join(shape, ", "));
    if (with_data && !state.has_data()) return fmt::format("no contents of '{}'", spec.name);
  }
  return "";
}

}  // namespace

void StateCarrier::give(const SendStates& job, const Lookup& segment, Seconds now,
                        Effects& effects) {
  std::vector<double> token_bytes;
  for (const SegmentId id : job.segments) {
    if (segment(id) == nullptr)
      throw WorldError(fmt::format("states of segment {} are asked for, which is not here", id));
    token_bytes.push_back(segment(id)->state_bytes(1));
  }
  senders_.emplace_back(job, std::move(token_bytes));
  go_on(now, effects);
}

void StateCarrier::go_on(Seconds now, Effects& effects) {
  const auto read = [&](SegmentId segment, RequestId request, std::int64_t first,
                        std::int64_t end) -> std::optional<std::vector<Tensor>> {
    if (!ledger_.has_states(request, segment)) return std::nullopt;
    return executor_.read_states(segment, request, first, end);
  };
  for (StateSender& sender : senders_) {
    sender.go_on(now, read, room_for(sender), effects);
  }
  std::erase_if(senders_, [](const StateSender& sender) { return sender.done(); });
}

// Pieces that may go: what is given beside work to the same device shares a window.
std::int64_t StateCarrier::room_for(const StateSender& sender) const {
  const SendStates& job = sender.job();
  if (!job.beside) return job.window;
  std::int64_t under_way = 0;
  for (const StateSender& other : senders_) {
    if (other.job().beside && other.is_for(job.epoch, job.to)) under_way += other.under_way();
  }
  return job.window - under_way;
}

Seconds StateCarrier::next() const {
  Seconds next = kNever;
  for (const StateSender& sender : senders_) {
    if (room_for(sender) > 0) next = std::min(next, sender.next());
  }
  return next;
}

// One to a job that is over is late. What answers no piece under way is the word of a device that has lost count:
// it gets no more.
void StateCarrier::take(const StateAck& ack, const DeviceName& from, Seconds now,
                        Effects& effects) {
  bool is_asked_for = false;
  for (StateSender& sender : senders_) {
    if (!sender.is_for(ack.epoch, from)) continue;
    is_asked_for = true;
    if (!sender.is_answer(ack)) continue;
    sender.acknowledge(now);
    go_on(now, effects);
    return;
  }
  if (!is_asked_for) return;
  for (StateSender& sender : senders_) {
    if (sender.is_for(ack.epoch, from))
      sender.give_up(fmt::format("{} answers nonsense: {} is not under way", from, describe(ack)),
                     effects);
  }
  std::erase_if(senders_, [](const StateSender& sender) { return sender.done(); });
}

void StateCarrier::take(const StateChunk& chunk, const DeviceName& from, const Segment& segment,
                        bool with_data, bool is_over, Effects& effects) {
  const std::string wrong = wrong_states(chunk, segment, with_data);
  if (!wrong.empty()) {
    throw WorldError(fmt::format("{} answers nonsense: {} has {}", from, describe(chunk), wrong));
  }
  const std::string trouble = is_over ? "" : hold(chunk);
  effects.send(from, StateAck{chunk.epoch, chunk.request, chunk.segment, chunk.first});
  if (chunk.last || !trouble.empty())
    effects.send(kCoordinator, StatesHeld{chunk.epoch, from, chunk.request, trouble});
}

// Empty, or why not.
std::string StateCarrier::hold(const StateChunk& chunk) {
  try {
    ledger_.hold_states(chunk.epoch, chunk.request, chunk.segment, chunk.capacity);
    executor_.write_states(chunk.segment, chunk.request, chunk.capacity, chunk.first, chunk.states);
    return "";
  } catch (const WorldError& error) {
    return error.what();
  }
}

void StateCarrier::retire(Epoch epoch) {
  std::erase_if(senders_, [&](const StateSender& one) { return one.job().epoch == epoch; });
}

void StateCarrier::lose(const DeviceName& device) {
  std::erase_if(senders_, [&](const StateSender& one) { return one.job().to == device; });
}

}  // namespace lingua
