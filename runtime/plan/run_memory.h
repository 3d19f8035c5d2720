#pragma once
// Adds up the memory of a device, segment by segment.
//
// Units: bytes. Each weight counts once, whatever number of segments use it; states count for the
// requests in flight, the longest that there are, at full capacity; activations are
// Segment::activation_bytes of the largest segment at the largest step, which chunks of a stated size bound.
// Steps that run as one must find room for more, or fewer of them do.
// Ownership: refers to the segments that it was given; they must outlive it.

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runtime/model/segment.h"
#include "runtime/plan/plan.h"

namespace lingua {

class RunMemory {
 public:
  explicit RunMemory(const Workload& workload);

  void run(const Segment& segment);
  void store(const Segment& segment);                              // its weights only
  void add(const Stage& stage, const Segmentation& segmentation);  // all that it runs and stores

  double weights_bytes() const { return weights_bytes_; }
  double state_bytes() const { return state_bytes_; }
  double activation_bytes() const { return activation_bytes_; }
  double total_bytes() const { return weights_bytes_ + state_bytes_ + activation_bytes_; }

  // "weights 3.20 GB, KV 400 MB, activations 12.0 MB"
  std::string to_string() const;

 private:
  // Of the longest requests that can be in flight together: how many of which capacity.
  std::vector<std::pair<double, std::int64_t>> capacities_;
  std::vector<Step> largest_steps_;
  std::unordered_set<std::string_view> weights_;
  double weights_bytes_ = 0;
  double state_bytes_ = 0;
  double activation_bytes_ = 0;
};

// Bytes that a run of segments needs on a device: weights (each once), states of the requests in
// flight at full capacity, and the largest activations of a step.
double run_memory_bytes(const Segmentation& segmentation, SegmentId first, SegmentId last,
                        const Workload& workload);

// What each stage takes of its device's memory; nothing else of the rows is set but the device.
std::vector<StageEstimate> stages_memory(const Plan& plan, const Segmentation& segmentation,
                                         const Workload& workload);

}  // namespace lingua
