#pragma once
// The journal of a run, as its user sees it: what was there, and whether it is of this run.
//
// Of this run is a journal of the same model with the same weights (of each the beginning and the end are
// compared) and requests that are the same wherever both have them. How the model is cut, on which devices it
// runs and how they order their work is free: no token depends on it.
// Errors: as journal_file.h; InputError for a request that is another than the journal's; UsageError for a model
// that makes no tokens.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/app/study.h"
#include "runtime/engine/run.h"
#include "runtime/journal/journal_file.h"

namespace lingua {

class RunJournal {
 public:
  // Tells the study's audience what it goes on with. REQUIRES: the requests are those of kOnlyClient.
  RunJournal(const std::string& path, const Study& study, std::vector<Submit> requests);

  Journal& file() { return file_; }
  // Every request has been answered: no worker is needed.
  bool has_all() const { return answered_ == requests_.size(); }
  // What a run gives then; tells the client's callbacks. REQUIRES: has_all().
  RunResult answers(const ClientJob& client) const;
  // "requests" that were answered and "tokens" that were there when it was opened.
  nlohmann::json resumed() const { return {{"requests", answered_}, {"tokens", tokens_}}; }

 private:
  void check(const std::string& path, const Study& study) const;

  const std::vector<Submit> requests_;
  JournalFile file_;
  std::size_t answered_ = 0;
  std::size_t tokens_ = 0;
};

}  // namespace lingua
