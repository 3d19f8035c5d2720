#include "runtime/app/model_shelf.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace lingua {
namespace {

std::string key_of(const std::string& model, const ImportOptions& options) {
  return fmt::format("{}\n{} {} {} {} {} {} {}", model, static_cast<int>(options.dtype),
                     options.kv_cache, static_cast<int>(options.head), options.int8,
                     options.head_pieces.count, options.head_pieces.most_bytes,
                     fmt::join(options.inputs, "\n"));
}

}  // namespace

std::list<ModelShelf::Kept>::iterator ModelShelf::find(const std::string& key) {
  return std::find_if(kept_.begin(), kept_.end(),
                      [&](const Kept& kept) { return kept.key == key; });
}

void ModelShelf::put(const std::string& model, const ImportOptions& options) {
  std::string key = key_of(model, options);
  if (const auto kept = find(key); kept != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, kept);
    return;
  }
  kept_.push_front({std::move(key), import_model(model, options)});
  if (kept_.size() > most_) kept_.pop_back();
}

ImportedModel ModelShelf::take(const std::string& model, const ImportOptions& options) {
  const auto kept = find(key_of(model, options));
  if (kept == kept_.end()) return import_model(model, options);
  ImportedModel taken = std::move(kept->model);
  kept_.erase(kept);
  return taken;
}

}  // namespace lingua
