#pragma once
// A study that runs for real: workers on this machine or elsewhere answer its requests.
//
// Errors: those of the parts; each names its option, file and field.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/live_view.h"
#include "runtime/app/real_world.h"
#include "runtime/app/run_journal.h"
#include "runtime/app/study.h"
#include "runtime/engine/run.h"

namespace lingua {

struct GenerationRequest {
  StudyOptions study;
  RealOptions real;
  std::string supply;   // of paced workers; empty: what they give
  std::string journal;  // file; empty: none
  bool compare = false;
};

// What `run` takes, but for what has to do with a service.
void visit_generation(GenerationRequest& request, SettingVisitor& visitor);

class Generation {
 public:
  // Opens and plans all that is known before workers come. REQUIRES: the request outlives it.
  Generation(const GenerationRequest& request, const Audience& audience);

  const Study& study() const { return study_; }
  // Its callbacks may be set before run().
  ClientJob& job() { return job_; }
  // Kept up to date while it runs. Threads: any.
  const LiveView& live() const { return *live_; }
  // Tokens of all requests at most, or passes.
  double all() const { return all_; }

  // Waits for the workers and answers the requests; without workers what a journal has all answers of. Once.
  RunResult run();
  // What run_json() says besides.
  nlohmann::json extra() const;
  // Those that went through it, where that is asked for.
  void write_messages() { real_->write_messages(); }

 private:
  const GenerationRequest& request_;
  Study study_;
  ClientJob job_;
  double all_ = 0;
  std::optional<RunJournal> journal_;
  std::shared_ptr<LiveView> live_;
  std::unique_ptr<RealWorld> real_;
};

}  // namespace lingua
