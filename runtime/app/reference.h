#pragma once
// The unsplit model in plain LibTorch, in this process: what every other way must equal.
//
// Errors: those of the parts; each names its option, file and field.

#include <nlohmann/json.hpp>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/options.h"
#include "runtime/app/study.h"

namespace lingua {

struct ReferenceRequest {
  ModelOptions model;
  WorkloadOptions workload;
  TextOptions text;
  OutputOptions output;
  int threads = 0;
};

// What `reference` takes.
void visit_reference(ReferenceRequest& request, SettingVisitor& visitor);

struct Reference {
  Study study;
  nlohmann::json json;        // "requests", and "tokens_per_s" or, of single passes, "latency_s"
  std::vector<Done> answers;  // of single passes
};

Reference compute_reference(const ReferenceRequest& request, const Audience& audience);

}  // namespace lingua
