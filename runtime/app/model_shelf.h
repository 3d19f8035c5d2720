#pragma once
// Models that are imported before a study asks for them: for a process that forks for each of many studies.
//
// Ownership: what is taken is the taker's; a child takes its copy. Threads: one at a time.
// Errors: those of import_model().

#include <cstddef>
#include <list>
#include <string>

#include "runtime/torch/import.h"

namespace lingua {

class ModelShelf {
 public:
  // Keeps the last few models that were asked for.
  explicit ModelShelf(std::size_t most = 4) : most_(most) {}

  // Imports it, where it is not here.
  void put(const std::string& model, const ImportOptions& options);
  // Imports it now, where it was not put.
  ImportedModel take(const std::string& model, const ImportOptions& options);

 private:
  struct Kept {
    std::string key;
    ImportedModel model;
  };
  std::list<Kept>::iterator find(const std::string& key);

  std::size_t most_;
  std::list<Kept> kept_;  // the last one that was asked for first
};

}  // namespace lingua
