#pragma once
// How well a model predicts a text.
//
// Errors: those of the parts; each names its option, file and field.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/app/audience.h"
#include "runtime/app/real_options.h"
#include "runtime/app/study.h"

namespace lingua {

struct ScoreRequest {
  StudyOptions study;
  RealOptions real;
  std::string file;  // the text
  std::int64_t context = 512;
};

// What `score` takes.
void visit_score(ScoreRequest& request, SettingVisitor& visitor);

struct Score {
  Study study;
  nlohmann::json json;  // "perplexity", "bits_per_byte", "nll" and what the run measured
};

Score score(ScoreRequest request, const Audience& audience);

}  // namespace lingua
