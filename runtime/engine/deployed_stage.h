#pragma once
// What a device does under one epoch.

#include <set>

#include "runtime/engine/header.h"
#include "runtime/engine/stage_runner.h"
#include "runtime/engine/work_meter.h"

namespace lingua {

struct DeployedStage {
  DeployedStage(const Prepare& prepare, const DeviceName& self, MemoryLedger& ledger)
      : stage(prepare, self, ledger),
        header(prepare),
        header_name(prepare.header),
        tailer_name(prepare.tailer),
        shares_frames(prepare.communication.share_frames),
        has_data(prepare.has_data),
        meter(prepare) {}

  // The steps of a request under this epoch.
  void drop(RequestId request) {
    stage.drop(request);
    header.drop(request);
  }

  StageRunner stage;
  Header header;  // used where this device is the header
  DeviceName header_name;
  DeviceName tailer_name;
  bool shares_frames = false;
  bool has_data = false;
  WorkMeter meter;
  std::set<RequestId>
      dropped;  // refused here or suspended, and not released yet: what still comes of them is late
};

}  // namespace lingua
