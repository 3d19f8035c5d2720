#pragma once
// The seam: the only interface between the control plane and a world.
//
// A Device is the machine that code runs on, as that code sees it; a Mailbox is all of it that who
// computes nothing needs. The loops of engine/ are ordinary blocking functions over them. Three worlds
// implement both: SimGrid actors with modelled compute, SimGrid actors with LibTorch numerics, and
// processes that talk over ZeroMQ. Nothing here says which one it is, and nothing may ask.
//
// Contract: tests/contract/ runs one suite on every implementation.

#include <string>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/device/exertion.h"
#include "runtime/device/mailbox.h"
#include "runtime/device/spec.h"

namespace lingua {

// What a program needs to know of the step it runs.
struct StepContext {
  RequestId request = 0;
  Step step;
  std::int64_t capacity = 0;  // tokens that the states of this request must hold
};

// A step at a segment, with the segment's inputs in order.
struct SegmentStep {
  StepContext context;
  std::vector<Tensor> inputs;
};

// What came of it: the segment's outputs in order, or why there are none, in one line.
struct SegmentResult {
  std::vector<Tensor> outputs;
  std::string error;
};

// Runs segments. Holds their programs and, for each request, their states.
//
// Errors: WorldError for a program or weight that cannot be used, or memory that is not there;
// the loaded segments stay as they were. REQUIRES on run(): the segment is loaded, inputs match its
// specs in number, order and dtype, and no request has two steps in a batch.
class Executor {
 public:
  virtual ~Executor() = default;

  // Makes a segment runnable. `weights` are its weights in the order of segment.weights; they are
  // shared, not copied. `program` may be empty where no numerics are done.
  virtual void load(const Segment& segment, const std::string& program,
                    const std::vector<Tensor>& weights) = 0;

  // Forgets a segment, its weights and its states. Unknown ids are ignored.
  virtual void unload(SegmentId segment) = 0;

  // Runs a segment for the steps of a batch as one; blocks for as long as the work takes. The states of
  // a request are made on first use, zeroed, for context.capacity tokens. Each step gives what it would
  // give alone, in the batch's order; one that fails has an error and leaves the others as they are.
  virtual std::vector<SegmentResult> run(SegmentId segment,
                                         const std::vector<SegmentStep>& batch) = 0;

  // For one step alone. Errors: WorldError with the step's error.
  std::vector<Tensor> run(SegmentId segment, const StepContext& context,
                          const std::vector<Tensor>& inputs) {
    std::vector<SegmentResult> results = run(segment, {{context, inputs}});
    if (!results.front().error.empty()) throw WorldError(results.front().error);
    return std::move(results.front().outputs);
  }

  // Frees the states of a request in all segments, or in one. Unknown ids are ignored.
  virtual void release(RequestId request) = 0;
  virtual void release(RequestId request, SegmentId segment) = 0;

  // A copy of the states of a request for its tokens from `first` to before `end`: one tensor for each state of
  // the segment, with so many tokens where that has its capacity. Without contents where no numerics are done.
  // REQUIRES: the segment is loaded and has run these tokens, or been given their states.
  virtual std::vector<Tensor> read_states(SegmentId segment, RequestId request, std::int64_t first,
                                          std::int64_t end) = 0;
  // Takes such a copy up, at `first`. REQUIRES: it is one of the same segment, whose states are made for
  // `capacity` tokens on first use.
  virtual void write_states(SegmentId segment, RequestId request, std::int64_t capacity,
                            std::int64_t first, const std::vector<Tensor>& states) = 0;

  // Worker threads for the numerics, and cores for them; ignored where there are none.
  // Errors: WorldError for cores that this process may not run on.
  virtual void compute_with(const Computing& computing) = 0;

  // Computes this; blocks for as long as that takes. Gives what was done: work_of() it, but of memory less where
  // there is no more. Errors: WorldError for a dtype that it does not compute with.
  virtual Work exert(const Exertion& exertion) = 0;
};

class Device : public Mailbox {
 public:
  const DeviceName& name() const override { return spec().name; }

  virtual Executor& executor() = 0;

  virtual const DeviceSpec& spec() const = 0;
  virtual Telemetry telemetry() = 0;

  // The most memory that its process has had, in bytes; 0: not known.
  virtual double peak_memory_bytes() { return 0; }
};

}  // namespace lingua
