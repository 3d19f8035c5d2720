#include "runtime/engine/link_exercise.h"

#include <cstring>
#include <utility>

namespace lingua {
namespace {

// Of nothing: what memory held before is nobody else's to see.
Tensor block_of(std::int64_t bytes) {
  auto data = allocate_bytes(bytes);
  std::memset(data.get(), 0, static_cast<std::size_t>(bytes));
  return {DType::kUInt8, {bytes}, std::move(data)};
}

}  // namespace

void LinkExercise::take(const ExerciseLink& order, const Message&, Seconds now, Effects& effects) {
  if (order.blocks > 0) {
    const Tensor data = block_of(order.block_bytes);
    for (int i = 0; i < order.blocks; ++i)
      effects.send(order.to, Bulk{order.number, i, order.blocks, data});
  }
  if (order.echoes == 0) return;
  echoes_ = Echoes{order, now, {order.number, order.to, {}, {}, 0}};
  send_next(now, effects);
}

void LinkExercise::send_next(Seconds now, Effects& effects) {
  echoes_->sent = now;
  const auto index = static_cast<int>(echoes_->times.echoes_s.size());
  effects.send(echoes_->order.to, Echo{echoes_->order.number, index, false});
}

void LinkExercise::take(const Echo& echo, const Message& envelope, Seconds now, Effects& effects) {
  if (!echo.is_back) {
    effects.send(envelope.from, Echo{echo.number, echo.index, true});
    return;
  }
  if (!echoes_ || echo.number != echoes_->order.number || envelope.from != echoes_->order.to ||
      echo.index != static_cast<int>(echoes_->times.echoes_s.size())) {
    return;
  }
  echoes_->times.echoes_s.push_back((now - echoes_->sent).count());
  echoes_->times.message_bytes = envelope.wire_bytes;
  if (static_cast<int>(echoes_->times.echoes_s.size()) < echoes_->order.echoes) {
    send_next(now, effects);
    return;
  }
  effects.send(kCoordinator, std::move(echoes_->times));
  echoes_.reset();
}

void LinkExercise::take(const Bulk& block, const Message& envelope, Seconds, Effects& effects) {
  LinkTimes& times = arrivals_[envelope.from];
  if (block.index == 0) times = {block.number, envelope.from, {}, {}, envelope.wire_bytes};
  if (times.number != block.number || block.index != static_cast<int>(times.arrivals_s.size()))
    return;
  times.arrivals_s.push_back(envelope.arrived.count());
  if (block.index + 1 < block.blocks) return;
  effects.send(kCoordinator, std::move(times));
  arrivals_.erase(envelope.from);
}

}  // namespace lingua
