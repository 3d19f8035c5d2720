#pragma once
// What a plan will cost: the model that planners optimise.
//
// Compute and transfer times are those of device/roofline.h, which the simulator charges too, so
// that estimate and simulation can differ only in how work overlaps and contends.
// A step's finish is the longest path over the stages: a stage starts when the last of its messages
// is there, and sends one message to each other device when it has run all of its segments. Links
// are busy for bytes / bandwidth; latency delays a message and does not occupy the link.
// Requests in flight together are played through the pipeline (pipeline_model.h): waiting, its filling and
// emptying, and shares of links count. So is one request alone where residual transfers share links
// with others.
// Units: seconds, joules.

#include <limits>

#include "runtime/model/segment.h"
#include "runtime/plan/plan.h"

namespace lingua {

// The link from one device to another as a transfer that is alone sees it: no faster than the
// medium that all devices share.
LinkSpec link_alone(const ClusterSpec& cluster, const DeviceName& from, const DeviceName& to);

// Bytes of what the tailer sends the header after a step: a token, or the outputs of a single pass.
StepFunction return_bytes(const Segmentation& segmentation, const Workload& workload);

// How far a play of a workload was at each mark (pipeline_model.h).
struct RacePace {
  int requests = 0;  // that were played
  std::size_t steps = 0;
  double per_request_s = 0;  // of the whole workload
  std::vector<double> marks_s;
};

// Plays of one workload on one cluster by different plans, one after the other.
struct Race {
  RacePace to_beat;        // no marks: nothing
  RacePace last;           // of the last play; no marks where it was not played to its end
  double stage_steps = 0;  // that all plays so far took
};

// How much of a workload is played. Beyond so many requests, or steps on stages, fewer requests stand for
// all, but no fewer than four rounds of those in flight; where that is still too much, several decode steps
// are played as one long one. Both are in Estimate::tokens_per_s_error.
struct PlayLimits {
  double stage_steps = 600'000;
  int requests = 500;
  // A workload that takes longer than this per request is not played to its end: its tokens_per_s is 0.
  double most_s = std::numeric_limits<double>::infinity();
  // Nor is one that falls behind race->to_beat, slowed down to most_s: most likely it would take longer.
  Race* race = nullptr;
};

// REQUIRES: plan.stages and plan.transfers are set and consistent.
Estimate estimate(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster,
                  const Workload& workload, const PlayLimits& limits = {});

// The same, and tokens_per_s_error also says what becomes of it when messages are a few bytes larger or
// smaller, as a run's are: much, where stages and links take turns just so. Takes two to six plays more.
Estimate estimate_with_error(const Plan& plan, const Segmentation& segmentation,
                             const ClusterSpec& cluster, const Workload& workload);

// Seconds per request that the workload takes as it is played: what estimate() gets tokens_per_s from, and
// nothing else of it, so that it is quicker. Infinite where the play is beyond its limits.
// REQUIRES: as estimate().
double played_request_s(const Plan& plan, const Segmentation& segmentation,
                        const ClusterSpec& cluster, const Workload& workload,
                        const PlayLimits& limits);

// The value of an objective, smaller is better.
double objective_value(const Estimate& estimate, const Objective& objective);

}  // namespace lingua
