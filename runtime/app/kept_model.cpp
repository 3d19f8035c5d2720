#include "runtime/app/kept_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/module.h"
#include "runtime/cache/kept_source.h"
#include "runtime/torch/torch_part.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

// What weights come from: the model's files, how they are imported, and the program or library that converts them.
Digest state_of_model(const Study& study) {
  const std::string how =
      fmt::format("{} head {} in {}, cache {}, inputs {}", dtype_name(study.import.dtype),
                  static_cast<int>(study.import.head), study.model.head_pieces,
                  study.import.kv_cache, fmt::join(study.import.inputs, " "));
  return state_of({study.model_name, own_file(), torch_module()}, how);
}

}  // namespace

std::unique_ptr<ModelSource> kept_model(const CacheOptions& options, const Study& study,
                                        ModelSource& source, bool digests) {
  const auto folder = cache_folder(options, "own");
  if (!folder || !source.has_data()) return nullptr;
  try {
    const Digest model = state_of_model(study);
    std::optional<DigestIndex> index;
    if (digests) index.emplace(folder->root / kDigestsFolder, model);
    return std::make_unique<KeptSource>(source, model, ContentFolder(*folder), std::move(index),
                                        [audience = study.audience](const std::string& line) {
                                          audience.tell("lingua: {}\n", line);
                                        });
  } catch (const InputError& error) {
    without_cache(options, error, study.audience);
    return nullptr;
  }
}

}  // namespace lingua
