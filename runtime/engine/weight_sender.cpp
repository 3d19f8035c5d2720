#include "runtime/engine/weight_sender.h"

#include <algorithm>

namespace lingua {

WeightSender::WeightSender(const SendWeights& order, ReadWeight read)
    : order_{order.epoch, order.to, {}, order.chunk_bytes, order.window, order.bytes_per_s},
      read_(std::move(read)),
      window_(order.chunk_bytes, order.window, order.bytes_per_s) {}

void WeightSender::add(const WeightSpec& weight) {
  weights_.push_back(weight);
  bytes_left_ += static_cast<double>(weight.bytes());
}

void WeightSender::leave_out(const std::string& weight) {
  const auto place = std::find_if(weights_.begin(), weights_.end(),
                                  [&](const WeightSpec& spec) { return spec.name == weight; });
  if (place == weights_.end()) return;
  const bool is_begun = place == weights_.begin();
  bytes_left_ -= static_cast<double>(place->bytes() - (is_begun ? offset_ : 0));
  if (is_begun) offset_ = 0;
  weights_.erase(place);
}

WeightChunk WeightSender::next_chunk() {
  const WeightSpec& weight = weights_.front();
  // Whole elements only: a source converts dtypes element by element.
  const std::int64_t most =
      std::max(window_.piece_bytes() / dtype_bytes(weight.dtype), std::int64_t{1}) *
      dtype_bytes(weight.dtype);
  const std::int64_t bytes = std::min(most, weight.bytes() - offset_);
  WeightChunk chunk{order_.epoch,
                    weight.name,
                    offset_,
                    {DType::kUInt8, {bytes}, read_(weight, offset_, bytes)},
                    0};
  if (chunk.bytes.has_data()) {
    if (offset_ == 0) checksum_ = std::make_unique<Checksum>();
    checksum_->update(chunk.bytes.data.get(), static_cast<std::size_t>(bytes));
  }
  offset_ += bytes;
  bytes_left_ -= static_cast<double>(bytes);
  const bool is_last = offset_ == weight.bytes();
  under_way_.push_back({weight.name, chunk.offset, {bytes, is_last}});
  if (is_last) {
    if (chunk.bytes.has_data()) chunk.checksum = checksum_->value();
    offset_ = 0;
    weights_.pop_front();
  }
  return chunk;
}

void WeightSender::go_on(Seconds now, Effects& effects) {
  while (!weights_.empty() && window_.may_send(now)) {
    WeightChunk chunk = next_chunk();
    window_.sent(static_cast<double>(chunk.bytes.bytes()), now);
    effects.send(order_.to, std::move(chunk));
  }
}

std::optional<WeightSender::Answered> WeightSender::acknowledge(const WeightAck& ack, Seconds now,
                                                                Effects& effects) {
  if (under_way_.empty() || ack.epoch != order_.epoch || ack.weight != under_way_.front().weight ||
      ack.offset != under_way_.front().offset)
    return std::nullopt;
  const Answered answered = under_way_.front().answer;
  under_way_.pop_front();
  window_.acknowledged(now);
  go_on(now, effects);
  return answered;
}

}  // namespace lingua
