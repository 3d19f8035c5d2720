#include "runtime/plan/workload.h"

#include <algorithm>

namespace lingua {

std::vector<Step> steps_of(const Workload& workload) {
  std::vector<Step> steps = {{workload.prompt_tokens, 0}};
  for (std::int64_t k = 1; k < workload.max_tokens; ++k) {
    if (workload.kv_cache) {
      steps.push_back({1, workload.prompt_tokens + k - 1});
    } else {
      steps.push_back({workload.prompt_tokens + k, 0});
    }
  }
  return steps;
}

std::map<std::int64_t, double> length_counts(const Workload& workload) {
  const auto total = static_cast<std::size_t>(workload.total_requests());
  if (!workload.is_mixed()) return {{workload.prompt_tokens, static_cast<double>(total)}};
  const std::size_t turn = workload.prompt_lengths.size();
  std::map<std::int64_t, double> counts;
  for (std::size_t i = 0; i < std::min(turn, total); ++i) {
    counts[workload.prompt_lengths[i]] +=
        static_cast<double>(total / turn + (i < total % turn ? 1 : 0));
  }
  return counts;
}

}  // namespace lingua
