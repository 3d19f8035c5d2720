#include "runtime/planner/planner_module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "runtime/base/errors.h"
#include "runtime/base/module.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

using ModuleEntry = const PlannerModule* (*)();

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  throw UsageError(fmt::format("planner '{}' {}", file, why));
}

const PlannerModule& loaded(const std::string& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    refuse(file,
           "is no file; write the name of a planner, or the path of a shared library that has one");
  }
  show_to_modules();
  // A name without a slash would be looked for where the system has its libraries.
  void* library = dlopen(fs::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) refuse(file, fmt::format("cannot be loaded: {}", one_line(dlerror())));
  const auto entry = reinterpret_cast<ModuleEntry>(dlsym(library, "lingua_planner"));
  if (entry == nullptr) refuse(file, "has no planner in it; end its source with LINGUA_PLANNER");
  const PlannerModule* module = entry();
  if (module->layout != kPlannerLayout)
    refuse(file, "was made from other sources than this program; make it anew from these");
  return *module;
}

}  // namespace

bool is_planner_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".so");
}

const PlannerEntry& planner_of_file(const std::string& file) {
  static std::mutex mutex;
  static std::map<std::string, PlannerEntry> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto place = known.find(file);
  if (place != known.end()) return place->second;
  const PlannerModule& module = loaded(file);
  const auto added = known.emplace(file, PlannerEntry{nullptr, module.summary, module.run}).first;
  added->second.name = added->first.c_str();
  return added->second;
}

}  // namespace lingua
