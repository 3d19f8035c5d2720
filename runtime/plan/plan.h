#pragma once
// A plan: which device runs which run of segments, and which tensor goes from whom to whom.
//
// Units: seconds, bytes, joules. Ownership: a plain value; plan_to_json and plan_from_json keep all of it.
// Errors: check_plan, check_stages and check_segmentation throw InputError that names the device, segment
// or segmentation at fault.

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "runtime/device/message.h"
#include "runtime/device/spec.h"
#include "runtime/model/segment.h"
#include "runtime/plan/membership.h"
#include "runtime/plan/objective.h"
#include "runtime/plan/workload.h"

namespace lingua {

struct Stage {
  DeviceName device;
  SegmentId first_segment = 0;
  SegmentId last_segment = 0;              // inclusive
  std::vector<SegmentId> stored_segments;  // besides those it runs (overlap), ascending
};

// A device that runs nothing and stores segments for when another is lost.
struct Keeper {
  DeviceName device;
  std::vector<SegmentId> stored_segments;  // ascending, not empty
};

// A value's way from the stage that makes it to one that uses it.
struct Transfer {
  ValueId value = -1;
  DeviceName from;
  DeviceName to;
  bool residual = false;  // the stages are not neighbours
  StepFunction bytes;     // as it travels
};

enum class Optimality {
  kOptimal,    // proven best of its formulation
  kFeasible,   // stopped early; Plan::gap tells how far the proof came
  kHeuristic,  // the planner proves nothing
};
const char* optimality_name(Optimality optimality);

// What the estimate says of a plan (see estimate.h). A header's last stage counts what it takes besides
// the first: a weight that both use counts with the first.
struct StageEstimate {
  DeviceName device;
  double compute_s = 0;   // per request, over all its steps
  double transfer_s = 0;  // per request, on its outgoing links
  double energy_j = 0;    // per request: computing and half of its links; 0 where no power is known
  double weights_bytes = 0;
  double state_bytes = 0;  // for the requests in flight
  double activation_bytes = 0;
  double memory_bytes = 0;  // of the device
};
struct Estimate {
  double latency_s = 0;  // of one request alone, from its prompt to its last token
  double ttft_s = 0;     // to its first token
  double tpot_s = 0;     // per further token, mean
  // Of all requests, in_flight at once, from the first start to the last end; and how far off, relatively,
  // that may be where only a part of them was played, or a few bytes per message change it.
  double tokens_per_s = 0;
  double tokens_per_s_error = 0;
  double energy_per_token_j = 0;
  double bottleneck_s = 0;  // busiest device or link, per request
  std::string bottleneck;   // "phone2 computing", "phone1 -> phone2"
  std::vector<StageEstimate> stages;
};

// The segmentation that a plan is made for, so that it is not taken for another of the same count.
struct SegmentationMark {
  std::string rule;
  int segments = 0;
  std::string digest;  // of digest_of; empty: not known, as in plans written by hand
};
SegmentationMark mark_of(const Segmentation& segmentation);

struct Plan {
  std::string model;
  SegmentationMark segmentation;
  std::string cluster;
  std::string planner;
  Objective objective = Objective::kLatency;
  // In pipeline order, none empty. Each device stands once; only the header may be the tailer too, with
  // others between: then the last stage stores nothing besides what it runs.
  std::vector<Stage> stages;
  std::vector<Keeper> keepers;  // each a device that runs no stage
  std::vector<Transfer> transfers;
  Estimate estimate;
  Optimality optimality = Optimality::kHeuristic;
  double gap = 0;         // (objective - bound) / objective when kFeasible
  double planning_s = 0;  // wall time

  const DeviceName& header() const { return stages.front().device; }
  const DeviceName& tailer() const { return stages.back().device; }
  std::vector<DeviceName> devices() const;  // each once: in pipeline order, then the keepers
  bool runs_on(const DeviceName& device) const;
  // All that a device runs or stores.
  std::set<SegmentId> held_by(const DeviceName& device) const;
  // The device that runs a segment. REQUIRES: the plan is checked.
  const DeviceName& device_of(SegmentId segment) const;
};

// What each device of a plan runs or stores.
Held held_by(const Plan& plan);

// The number of segments of the last stage where the header runs it, with others between; else 0.
int header_keeps_last(const std::vector<Stage>& stages);

// The transfers that an assignment needs: each value once to each device that uses it, or, relayed, to
// each stage on the way to the last that does; model inputs come from the header, model outputs go to the
// tailer.
std::vector<Transfer> transfers_of(const Segmentation& segmentation,
                                   const std::vector<Stage>& stages,
                                   const Communication& communication = {});

// That the plan is made for this segmentation, where it says for which.
void check_segmentation(const Plan& plan, const Segmentation& segmentation);

// Those of the rules below that its stages alone can break.
void check_stages(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster);

// Every rule that a plan must keep: all segments run exactly once and in order, devices exist and
// stand once (the header at both ends), the header is where the cluster wants it, memory suffices for
// weights (each once per device), states of the requests in flight and activations, transfers are those
// needed.
void check_plan(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster,
                const Workload& workload);

nlohmann::json plan_to_json(const Plan& plan);
// Only "stages" must be there, of each "device", "first_segment" and "last_segment"; what else there is
// must be right, and a stage has no field that is not known.
Plan plan_from_json(const nlohmann::json& json, const std::string& origin);  // InputError

}  // namespace lingua
