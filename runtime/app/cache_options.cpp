#include "runtime/app/cache_options.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/cache/cache_process.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOff = "off";

// Empty where there is no place.
fs::path default_root() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "lingua/weights";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".cache/lingua/weights";
  return {};
}

constexpr double kMostBytes = 9e18;

// Why it is none; empty when it is one.
std::string size_problem(const std::string& size) {
  try {
    if (parse_quantity(size, Unit::kBytes) < kMostBytes) return "";
    return fmt::format("'{}' is more than any disk has", size);
  } catch (const InputError& error) {
    return error.what();
  }
}

}  // namespace

std::optional<ContentFolder::Options> cache_folder(const CacheOptions& options,
                                                   const std::string& owner) {
  if (options.folder == kOff) return std::nullopt;
  const auto most = static_cast<std::int64_t>(parse_quantity(options.size, Unit::kBytes));
  const fs::path root = options.folder.empty() ? default_root() : fs::path(options.folder);
  if (root.empty()) return std::nullopt;
  return ContentFolder::Options{fs::absolute(root), owner, most};
}

void without_cache(const CacheOptions& options, const InputError& error, const Audience& audience) {
  if (!options.folder.empty()) throw InputError(fmt::format("`weight-cache`: {}", error.what()));
  audience.tell("lingua: no weights are kept for the next run: {}\n", error.what());
}

void visit_cache(CacheOptions& options, const std::string& what, SettingVisitor& visitor) {
  visitor.take(Setting("weight-cache", &options.folder,
                       fmt::format("folder in which {}, or off (default: lingua/weights in "
                                   "$XDG_CACHE_HOME or ~/.cache)",
                                   what))
                   .called("FOLDER|off"));
  visitor.take(Setting("weight-cache-size", &options.size,
                       "at most so much is kept there; what was used longest ago goes")
                   .checked(size_problem, ""));
}

std::unique_ptr<WeightCache> weight_cache(const CacheOptions& options,
                                          const NetWorkerOptions& worker,
                                          const Audience& audience) {
  const std::string owner = worker.coordinator_key ? worker.coordinator_key->text() : "insecure";
  const auto folder = cache_folder(options, owner);
  if (!folder) return nullptr;
  try {
    return std::make_unique<CacheProcess>(*folder, [audience](const std::string& line) {
      audience.tell("lingua worker: {}\n", line);
    });
  } catch (const InputError& error) {
    without_cache(options, error, audience);
    return nullptr;
  }
}

}  // namespace lingua
