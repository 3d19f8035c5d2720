#include "runtime/engine/deployment.h"

#include <algorithm>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

// An answer that comes sooner says that the link takes more, one that comes later that it is full.
constexpr Seconds kSoon{1};
constexpr Seconds kLate{2};

// The segments that a device stores, in model order: those it runs and the overlap.
std::vector<SegmentId> stored_by(const Plan& plan, const DeviceName& device) {
  std::set<SegmentId> ids;
  for (const Stage& stage : plan.stages) {
    if (stage.device != device) continue;
    ids.insert(stage.stored_segments.begin(), stage.stored_segments.end());
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id) ids.insert(id);
  }
  return {ids.begin(), ids.end()};
}

}  // namespace

Prepare Deployment::prepare_for(const DeviceName& device) const {
  Prepare prepare;
  prepare.epoch = epoch;
  for (const Stage& stage : plan.stages) {
    if (stage.device == device) prepare.runs.push_back({stage.first_segment, stage.last_segment});
  }
  prepare.model_inputs = segmentation->model_inputs;
  prepare.model_outputs = segmentation->model_outputs;
  prepare.header = plan.header();
  prepare.tailer = plan.tailer();
  prepare.threads = threads;
  prepare.segmentation = plan.segmentation.digest;
  for (SegmentId id : stored_by(plan, device)) {
    const Segment& segment = segmentation->segments[static_cast<std::size_t>(id)];
    prepare.segments.push_back(segment);
    if (source->has_data()) prepare.programs.push_back(source->program(segment));
  }
  for (const Transfer& transfer : plan.transfers) {
    if (transfer.from != device) continue;
    const auto route = std::find_if(prepare.routes.begin(), prepare.routes.end(),
                                    [&](const Route& r) { return r.value == transfer.value; });
    if (route == prepare.routes.end()) {
      prepare.routes.push_back({transfer.value, {transfer.to}});
    } else {
      route->to.push_back(transfer.to);
    }
  }
  return prepare;
}

WeightSender::WeightSender(const Deployment& deployment, const DeviceName& device)
    : deployment_(deployment),
      device_(device),
      window_bytes_(static_cast<double>(deployment.chunk_bytes)) {
  std::set<std::string> names;
  for (SegmentId id : stored_by(deployment.plan, device)) {
    for (const WeightSpec& weight :
         deployment.segmentation->segments[static_cast<std::size_t>(id)].weights) {
      if (!names.insert(weight.name).second) continue;
      weights_.push_back(weight);
      bytes_total_ += static_cast<double>(weight.bytes());
    }
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

void WeightSender::fill_window(Device& device) {
  while (next_weight_ < weights_.size() &&
         (under_way_.empty() || bytes_under_way_ < window_bytes_)) {
    WeightChunk chunk = next_chunk();
    under_way_.push_back({chunk.weight, chunk.offset, chunk.bytes.bytes(), device.now()});
    bytes_under_way_ += static_cast<double>(chunk.bytes.bytes());
    device.send(device_, std::move(chunk));
  }
}

void WeightSender::acknowledge(const WeightAck& ack, Device& device) {
  if (under_way_.empty() || ack.epoch != deployment_.epoch ||
      ack.weight != under_way_.front().weight || ack.offset != under_way_.front().offset) {
    throw WorldError(fmt::format(
        "{} answers nonsense: it acknowledges weight '{}' at byte {}, which is not under way",
        device_, one_line(ack.weight), ack.offset));
  }
  const auto bytes = static_cast<double>(under_way_.front().bytes);
  const Seconds trip = device.now() - under_way_.front().sent;
  const auto most =
      static_cast<double>(deployment_.chunk_bytes) * static_cast<double>(deployment_.window);
  if (trip < kSoon) window_bytes_ = std::min(window_bytes_ + bytes, most);
  if (trip > kLate) window_bytes_ /= 2;
  bytes_acknowledged_ += bytes;
  bytes_under_way_ -= bytes;
  under_way_.pop_front();
  fill_window(device);
}

}  // namespace lingua
