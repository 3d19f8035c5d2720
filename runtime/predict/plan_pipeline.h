#pragma once
// The numbers of a plan's pipeline: what its stages compute and send in each step, and the work that is
// played through it (pipeline_model.h).
//
// Units: seconds, bytes.

#include <vector>

#include "runtime/model/segment.h"
#include "runtime/plan/plan.h"
#include "runtime/predict/pipeline_model.h"
#include "runtime/predict/request_steps.h"

namespace lingua {

// What one stage sends another device in each step.
struct StageMessage {
  int from = 0;
  int to = 0;
  StepFunction bytes;
  LinkSpec link;
  StepFunction contents;  // of the bytes, tensors'
  std::vector<ValueId> values;
};

// Ownership: refers to plan, segmentation and cluster, which must outlive it.
struct PlanPipeline {
  const Plan& plan;
  const Segmentation& segmentation;
  const ClusterSpec& cluster;
  std::vector<const DeviceSpec*> devices;  // of the stages
  bool returns = false;                    // the first and the last are of one device
  std::vector<StageMessage> messages;      // by receiving stage
  StageMessage answer;                     // tailer to header
  Scheduling scheduling;                   // as far as the model allows it
  bool shares_frames = false;
  RequestSteps steps;
};

// A step that is played, and how many of the same kind it stands for.
struct PlayedStep {
  Step step;
  double stretch = 1;
  std::int64_t index = 0;       // among the request's
  bool prompt_goes_on = false;  // in the next one
};

PlanPipeline make_pipeline(const Plan& plan, const Segmentation& segmentation,
                           const ClusterSpec& cluster, const Workload& workload);

// Of a step that a stage computes alone, and of a message that has its link for itself.
double compute_at(const PlanPipeline& pipeline, std::size_t stage, const Step& step);
double message_time_at(const StageMessage& message, const Step& step);

// From the header's start to the answer at the header.
double step_time(const PlanPipeline& pipeline, const Step& step);

// How many of the requests are played, and how many steps each is played as, those of its prompt aside:
// where that is fewer than it has, one stands for several.
struct Excerpt {
  int requests = 1;
  double steps = 0;
};

// Of all requests, or of so many that the rest would go on like them. `steps`: those of the workload, which
// may be another one than the pipeline's. REQUIRES: the pipeline outlives it.
PipelineWork pipeline_work(const PlanPipeline& pipeline, const RequestSteps& steps,
                           const Workload& workload, const Excerpt& excerpt);

}  // namespace lingua
