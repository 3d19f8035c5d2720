#include "runtime/app/sampling_worker.h"

#include "runtime/text/sampling.h"

namespace lingua {

WorkerOptions sampling_worker() {
  return {[](const Tensor& logits, const SampleContext& context) {
    return sample_token(logits, context.sampling, context.position, context.recent);
  }};
}

}  // namespace lingua
