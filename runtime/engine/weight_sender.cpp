#include "runtime/engine/weight_sender.h"

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

// An answer that comes sooner says that the link takes more, one that comes later that it is full.
constexpr Seconds kSoon{1};
constexpr Seconds kLate{2};

}  // namespace

WeightSender::WeightSender(const Deployment& deployment, const DeviceName& device,
                           const Lacks& lacks)
    : deployment_(deployment),
      device_(device),
      window_bytes_(static_cast<double>(deployment.chunk_bytes)) {
  std::map<std::string, const WeightSpec*> own;
  std::set<SegmentId> segments;
  for (SegmentId id : deployment.stored_by(device)) {
    if (deployment.source->has_data()) segments.insert(id);
    for (const WeightSpec& weight : deployment.segment(id).weights)
      own.emplace(weight.name, &weight);
  }
  const auto refuse = [&](const std::string& what) {
    throw WorldError(fmt::format("{} answers nonsense: it asks for {}", device, what));
  };
  for (SegmentId id : lacks.programs) {
    if (segments.erase(id) != 1) refuse(fmt::format("the program of segment {}", id));
    programs_.push_back(id);
  }
  for (const std::string& name : lacks.weights) {
    const auto weight = own.find(name);
    if (weight == own.end()) refuse(fmt::format("weight '{}'", one_line(name)));
    weights_.push_back(*weight->second);
    bytes_total_ += static_cast<double>(weight->second->bytes());
    own.erase(weight);
  }
}

WeightChunk WeightSender::next_chunk() {
  const WeightSpec& weight = weights_[next_weight_];
  // Whole elements only: a source converts dtypes element by element.
  const std::int64_t most =
      std::max(deployment_.chunk_bytes / dtype_bytes(weight.dtype), std::int64_t{1}) *
      dtype_bytes(weight.dtype);
  const std::int64_t bytes = std::min(most, weight.bytes() - offset_);
  WeightChunk chunk{deployment_.epoch, weight.name, offset_, {DType::kUInt8, {bytes}, nullptr}, 0};
  if (deployment_.source->has_data()) {
    if (offset_ == 0) checksum_ = std::make_unique<Checksum>();
    auto memory = allocate_bytes(bytes);
    deployment_.source->read(weight, offset_, bytes, memory.get());
    checksum_->update(memory.get(), static_cast<std::size_t>(bytes));
    chunk.bytes.data = memory;
  }
  offset_ += bytes;
  if (offset_ == weight.bytes()) {
    if (checksum_) chunk.checksum = checksum_->value();
    offset_ = 0;
    ++next_weight_;
  }
  return chunk;
}

void WeightSender::begin(Seconds now, Effects& effects) {
  for (SegmentId id : programs_) {
    effects.send(device_, SegmentProgram{deployment_.epoch, id,
                                         deployment_.source->program(deployment_.segment(id))});
  }
  programs_.clear();
  fill_window(now, effects);
}

void WeightSender::fill_window(Seconds now, Effects& effects) {
  while (next_weight_ < weights_.size() &&
         (under_way_.empty() || bytes_under_way_ < window_bytes_)) {
    WeightChunk chunk = next_chunk();
    under_way_.push_back({chunk.weight, chunk.offset, chunk.bytes.bytes(), now});
    bytes_under_way_ += static_cast<double>(chunk.bytes.bytes());
    effects.send(device_, std::move(chunk));
  }
}

void WeightSender::acknowledge(const WeightAck& ack, Seconds now, Effects& effects) {
  if (under_way_.empty() || ack.epoch != deployment_.epoch ||
      ack.weight != under_way_.front().weight || ack.offset != under_way_.front().offset) {
    throw WorldError(fmt::format(
        "{} answers nonsense: it acknowledges weight '{}' at byte {}, which is not under way",
        device_, one_line(ack.weight), ack.offset));
  }
  const auto bytes = static_cast<double>(under_way_.front().bytes);
  const Seconds trip = now - under_way_.front().sent;
  const auto most =
      static_cast<double>(deployment_.chunk_bytes) * static_cast<double>(deployment_.window);
  if (trip < kSoon) window_bytes_ = std::min(window_bytes_ + bytes, most);
  if (trip > kLate) window_bytes_ /= 2;
  bytes_acknowledged_ += bytes;
  bytes_under_way_ -= bytes;
  under_way_.pop_front();
  fill_window(now, effects);
}

}  // namespace lingua
