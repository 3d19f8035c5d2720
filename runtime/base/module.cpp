#include "runtime/base/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>
#include <system_error>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

std::string place_of(const fs::path& built) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& place : {program.parent_path() / built.filename(), built})
    if (fs::exists(place, error)) return place.string();
  return built.filename().string();
}

}  // namespace

void* module_entry(const fs::path& built, const char* entry, int flags) {
  void* module = dlopen(place_of(built).c_str(), flags);
  void* function = module != nullptr ? dlsym(module, entry) : nullptr;
  if (function == nullptr) {
    throw WorldError(fmt::format("{} cannot be loaded; it belongs beside the program: {}",
                                 built.filename().string(), dlerror()));
  }
  return function;
}

}  // namespace lingua
