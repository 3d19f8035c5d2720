#include "runtime/engine/deployment.h"

#include <algorithm>
#include <set>

#include "runtime/schedule/schedule.h"

namespace lingua {
std::vector<SegmentId> Deployment::stored_by(const DeviceName& device) const {
  std::set<SegmentId> ids;
  for (const Stage& stage : plan.stages) {
    if (stage.device != device) continue;
    ids.insert(stage.stored_segments.begin(), stage.stored_segments.end());
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id) ids.insert(id);
  }
  return {ids.begin(), ids.end()};
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
  prepare.threads = threads;
  prepare.scheduling = allowed_by(segmentation->freedom, scheduling);
  prepare.stages = static_cast<int>(plan.stages.size());
  prepare.segmentation = plan.segmentation.digest;
  prepare.has_data = source->has_data();
  for (SegmentId id : stored_by(device)) prepare.segments.push_back(segment(id));
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
  prepare.senders.assign(senders.begin(), senders.end());
  return prepare;
}

}  // namespace lingua
