#pragma once
// The digests of a model's weights, as they were when these were last read, so that nobody has to read them all
// to tell.
//
// A file for each model, of bounded size and number. It holds for as long as nothing that weights come
// from has changed: the files of the model (name, size, time of last change), how it is imported, and the program,
// which converts them. One that is damaged counts as empty. Threads: one at a time; processes: any number.
// Errors: InputError from save() names the path and the reason.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/digest.h"
#include "runtime/model/segment.h"

namespace lingua {

// Of files, and of the files right in folders, as they stand; `how`: whatever else decides on the weights.
// Nothing of a file is read.
Digest state_of(const std::vector<std::filesystem::path>& paths, const std::string& how);

// What a weight is called among those of a model.
Digest name_of(const WeightSpec& weight, const Digest& model);

class DigestIndex {
 public:
  // `folder` has one file for each model; none is read where there is none.
  DigestIndex(std::filesystem::path folder, const Digest& model);

  std::optional<Digest> find(const WeightSpec& weight) const;
  void set(const WeightSpec& weight, const Digest& digest);
  // Makes the folder where there is none. Nothing is written where nothing has changed.
  void save();

 private:
  std::filesystem::path folder_;
  Digest model_;
  std::map<Digest, Digest> digests_;  // by name_of
  bool changed_ = false;
};

}  // namespace lingua
