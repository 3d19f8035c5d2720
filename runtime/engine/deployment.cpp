#include "runtime/engine/deployment.h"

#include <algorithm>
#include <set>

#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

constexpr double kPiecesAtOnce = 4;
constexpr double kSmallestPiece = 1024;

// What a device sends on that it neither makes nor uses.
std::vector<TensorSpec> passing_values(const Prepare& prepare, const Segmentation& segmentation,
                                       bool is_header) {
  std::set<ValueId> known;
  for (const SegmentRun& run : prepare.runs) {
    for (SegmentId id = run.first; id <= run.last; ++id) {
      const Segment& segment = segmentation.segments[static_cast<std::size_t>(id)];
      for (const TensorSpec& spec : segment.inputs) known.insert(spec.value);
      for (const TensorSpec& spec : segment.outputs) known.insert(spec.value);
    }
  }
  std::vector<TensorSpec> passing;
  const auto add = [&](const TensorSpec& spec) {
    const bool is_sent = std::any_of(prepare.routes.begin(), prepare.routes.end(),
                                     [&](const Route& r) { return r.value == spec.value; });
    if (is_sent && !known.contains(spec.value)) passing.push_back(spec);
  };
  if (!is_header) {
    for (const TensorSpec& spec : segmentation.model_inputs) add(spec);
  }
  for (const Segment& segment : segmentation.segments) {
    for (const TensorSpec& spec : segment.outputs) add(spec);
  }
  return passing;
}

}  // namespace

std::vector<SegmentId> Deployment::stored_by(const DeviceName& device) const {
  const std::set<SegmentId> ids = plan.held_by(device);
  return {ids.begin(), ids.end()};
}

Deployment::Pieces Deployment::pieces_between(const DeviceName& from, const DeviceName& to) const {
  if (!cluster || most_under_way == Seconds(0)) return {chunk_bytes, window};
  const double most = cluster->link(from, to).bytes_per_s * most_under_way.count();
  // Several are under way at once, so that the link does not rest while an answer comes.
  const auto bytes = static_cast<std::int64_t>(
      std::clamp(most / kPiecesAtOnce, std::min(kSmallestPiece, static_cast<double>(chunk_bytes)),
                 static_cast<double>(chunk_bytes)));
  const double pieces =
      std::clamp(most / static_cast<double>(bytes), 1.0, static_cast<double>(window));
  return {bytes, static_cast<std::int64_t>(pieces)};
}

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
  const auto own = computing_of.find(device);
  prepare.computing = own == computing_of.end() ? computing : own->second;
  prepare.scheduling = allowed_by(segmentation->freedom, scheduling);
  prepare.stages = static_cast<int>(plan.stages.size());
  prepare.replaces_all = replaces_all;
  prepare.segmentation = plan.segmentation.digest;
  prepare.has_data = source->has_data();
  for (SegmentId id : stored_by(device)) {
    prepare.segments.push_back(segment(id));
    for (const WeightSpec& weight : segment(id).weights) {
      if (const auto digest = source->digest(weight)) prepare.digests.emplace(weight.name, *digest);
    }
  }
  std::set<DeviceName> senders;
  for (const Transfer& transfer : plan.transfers) {
    if (transfer.to == device) senders.insert(transfer.from);
    if (transfer.from != device) continue;
    const auto route = std::find_if(prepare.routes.begin(), prepare.routes.end(),
                                    [&](const Route& r) { return r.value == transfer.value; });
    if (route == prepare.routes.end()) {
      prepare.routes.push_back({transfer.value, {transfer.to}});
    } else {
      route->to.push_back(transfer.to);
    }
  }
  if (measured_against != nullptr) {
    const DeviceSpec& spec = measured_against->device(device);
    prepare.measuring = {report_every, spec.flops_per_s, spec.memory_bytes_per_s, spec.overhead};
  }
  prepare.communication = communication;
  prepare.passing = passing_values(prepare, *segmentation, device == prepare.header);
  prepare.senders.assign(senders.begin(), senders.end());
  return prepare;
}

}  // namespace lingua
