#pragma once
// The part of a device that runs its segments under one epoch: steps that wait for tensors, and what is
// sent when they have run.
//
// A role without I/O: the loop picks ready steps that run as one (schedule/), runs their segments one by
// one, and gives back what they put out.
// Errors: WorldError for messages that contradict the deployment; RequestRefused for a step that the
// device has no memory for, of which nothing is kept then.

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/memory_ledger.h"
#include "runtime/engine/request_state.h"
#include "runtime/engine/stage_wiring.h"

namespace lingua {

// How a message came.
struct Arrival {
  DeviceName from;
  Seconds sent{0};
  Seconds arrived{0};
  double bytes = 0;  // its part of what arrived as one
};

class StageRunner {
 public:
  // REQUIRES: the ledger outlives it.
  StageRunner(const Prepare& prepare, const DeviceName& self, MemoryLedger& ledger);
  ~StageRunner();
  StageRunner(const StageRunner&) = delete;
  StageRunner& operator=(const StageRunner&) = delete;

  Epoch epoch() const { return epoch_; }
  const StageWiring& wiring() const { return wiring_; }

  // The next step of a request, from its header, which is this device.
  void start(const RequestState& request, Seconds now, Effects& effects);
  // Tensors that another device has made.
  void take(const Activations& message, const Arrival& arrival, Seconds now, Effects& effects);

  // One segment of the steps that run.
  struct Call {
    SegmentId segment = 0;
    std::vector<SegmentStep> batch;
  };
  // What the last segment gives where this device is the tailer.
  struct StepOutput {
    RequestId request = 0;
    std::int64_t step_index = 0;
    Step step;
    bool generates = false;
    Sampling sampling;
    std::vector<TokenId> recent;
    bool prompt_goes_on = false;
    std::vector<Tensor> outputs;  // of the model
  };

  // Begins to run steps that were said to be ready, as one; those whose request is gone meanwhile are left
  // out. REQUIRES: they are ready for the same part, and of different requests.
  void begin(const std::vector<ReadyStep>& batch);
  // The next of its segments, false when all have run or no step is left. REQUIRES: between begin() and
  // finish().
  bool next_call(Call& call);
  // What came of the call. Steps that have an error are the caller's to drop().
  void take_results(std::vector<SegmentResult> results, Seconds start, Seconds end,
                    Effects& effects);
  // Sends what others need of the steps. Returns one of each step that ends here at the tailer, in the
  // batch's order.
  std::vector<StepOutput> finish(Seconds now, Effects& effects);

  // Forgets the steps of a request, also in the middle of a run of it.
  void drop(RequestId request);

  // A step that waits for tensors, for people; empty when none does.
  std::string waits_for() const;

 private:
  using StepKey = std::pair<RequestId, std::int64_t>;
  // One step of one request on this device, from its first tensor until its last run.
  struct PendingStep {
    Step step;
    std::int64_t capacity = 0;
    Sampling sampling;
    std::vector<TokenId> recent;  // of step 0
    std::vector<Tensor> slots;
    std::vector<char> filled;
    std::map<int, Tensor> relayed;  // by slot: as they came, to be sent on
    bool prompt_goes_on = false;
    double activation_bytes = 0;
    std::size_t part = 0;      // that runs next
    bool queued = false;       // to run it
    std::vector<int> missing;  // by part
  };
  struct RunningStep {
    StepKey key;
    PendingStep* pending = nullptr;  // in pending_
  };

  PendingStep& pending_step(StepKey key, const Step& step, std::int64_t capacity);
  void mark_ready_when_complete(StepKey key, PendingStep& pending, Seconds now, Effects& effects);
  SegmentId first_segment_of(const PendingStep& pending) const;
  void check_tensor(const Tensor& tensor, int slot, const Step& step, const DeviceName& from) const;
  Tensor outgoing_tensor(PendingStep& pending, StageWiring::Use use) const;
  void send_activations(const RunningStep& step, Effects& effects);
  StepOutput output_of(const StepKey& key, PendingStep& pending) const;
  const StageWiring::Part& running_part() const { return wiring_.parts()[running_part_]; }

  const DeviceName self_;
  const Epoch epoch_;
  const bool has_data_;
  MemoryLedger& ledger_;
  StageWiring wiring_;
  std::set<DeviceName> senders_;
  const WireType wire_;
  std::vector<TensorSpec> wire_specs_;  // by slot
  std::vector<char> packed_;            // by slot
  std::map<StepKey, PendingStep> pending_;
  std::vector<RunningStep> running_;
  std::size_t running_part_ = 0;
  std::size_t next_segment_ = 0;  // of the part
};

}  // namespace lingua
