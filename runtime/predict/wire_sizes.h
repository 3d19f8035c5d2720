#pragma once
// What the messages of a pipeline's requests take on the wire: each is made as the engine would make it,
// without its contents, and the encoding at hand is asked. Where none is at hand, by the sizes of usual ones.
//
// Units: bytes. Ownership: refers to the pipeline and the workload, which must outlive it.

#include <vector>

#include "runtime/plan/workload.h"
#include "runtime/predict/plan_pipeline.h"

namespace lingua {

// Whose messages they are.
struct SizedRequest {
  RequestId number = 0;
  std::int64_t prompt_tokens = 0;
};

class WireSizes {
 public:
  WireSizes(const PlanPipeline& pipeline, const Workload& workload);

  std::size_t messages() const { return values_.size(); }
  // Of the message to another stage, by its place in the pipeline, and of the last one's answer.
  double activations(std::size_t message, const SizedRequest& request,
                     const PlayedStep& played) const;
  double answer(const SizedRequest& request, const PlayedStep& played) const;
  double submit(const SizedRequest& request) const;
  double token_made(const SizedRequest& request, std::int64_t token) const;
  double done(const SizedRequest& request) const;
  double release(const SizedRequest& request) const;

  // More than one by one, or less, when messages of this place travel as one; kAnswers: answers.
  static constexpr std::size_t kAnswers = static_cast<std::size_t>(-1);
  struct Part {
    SizedRequest request;
    PlayedStep played;
  };
  double together(std::size_t message, const std::vector<Part>& parts) const;

 private:
  Activations make_activations(std::size_t message, const SizedRequest& request,
                               const PlayedStep& played) const;
  StepResult make_answer(const SizedRequest& request, const PlayedStep& played) const;
  bool is_exact() const { return workload_.messages.encoded_bytes != nullptr; }
  double encoded(const MessageBody& body) const { return workload_.messages.encoded_bytes(body); }

  const PlanPipeline& pipeline_;
  const Workload& workload_;
  std::vector<std::vector<TensorSpec>> values_;  // by message: as they travel
  std::vector<TensorSpec> outputs_;              // of a single pass
};

}  // namespace lingua
