#pragma once
// A plan made real: what each device is told.
//
// Errors: InputError from the model source.

#include <map>
#include <memory>
#include <vector>

#include "runtime/device/message.h"
#include "runtime/model/model_source.h"
#include "runtime/model/segment.h"
#include "runtime/plan/plan.h"

namespace lingua {

struct Deployment {
  Epoch epoch = 1;
  Plan plan;
  const Segmentation* segmentation = nullptr;
  ModelSource* source = nullptr;
  Scheduling scheduling = {};  // as far as the model allows it
  Communication communication = {};
  Computing computing = {};                           // of each device
  std::map<DeviceName, Computing> computing_of = {};  // of those that compute with something else
  std::int64_t chunk_bytes = 64LL << 10;              // pieces of weights: a second at 0.5 Mbit/s
  int window = 128;                                   // so many at most are under way to a device
  // What each sender may send on average for an epoch that comes beside a running one; 0: as fast as it goes.
  double move_bytes_per_s = 0;
  // What is under way from one to another takes their link for no longer, where its speed is known; 0: no bound. So
  // long at most waits what else takes it.
  Seconds most_under_way{0};
  // Whose links weights may take from one device to another; null: the coordinator sends all.
  std::shared_ptr<const ClusterSpec> cluster = {};
  bool replaces_all = false;  // nothing of earlier epochs runs any more
  // What the plan takes the devices for; null: they report nothing of their work. REQUIRES: outlives this.
  const ClusterSpec* measured_against = nullptr;
  Seconds report_every{0.5};

  // How weights and states go from one to another: the size of pieces, and how many may be under way.
  struct Pieces {
    std::int64_t bytes = 0;
    std::int64_t window = 0;
  };
  Pieces pieces_between(const DeviceName& from, const DeviceName& to) const;

  // What a device of the plan is told.
  Prepare prepare_for(const DeviceName& device) const;
  // The segments that a device stores, in model order: those it runs and the overlap.
  std::vector<SegmentId> stored_by(const DeviceName& device) const;
  const Segment& segment(SegmentId id) const {
    return segmentation->segments[static_cast<std::size_t>(id)];
  }
};

}  // namespace lingua
