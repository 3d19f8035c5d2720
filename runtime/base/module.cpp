#include "runtime/base/module.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <system_error>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

struct Own {
  fs::path file;
  bool is_library = false;
};

Own own() {
  Dl_info info{};
  link_map* map = nullptr;
  const bool known = dladdr1(reinterpret_cast<const void*>(&module_path), &info,
                             reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0;
  std::error_code error;
  if (known && map != nullptr && map->l_name[0] != '\0')
    return {fs::absolute(map->l_name, error), true};
  return {fs::read_symlink("/proc/self/exe", error), false};
}

}  // namespace

fs::path own_file() { return own().file; }

void show_to_modules() {
  const Own self = own();
  if (self.is_library) dlopen(self.file.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL);
}

fs::path module_path(const fs::path& built) {
  std::error_code error;
  const fs::path name = built.filename();
  const fs::path beside = own_file().parent_path();
  for (const fs::path& place :
       {beside / name, beside / "lingua" / name,
        (beside / LINGUA_MODULES_FROM_PROGRAM / name).lexically_normal(), built})
    if (fs::exists(place, error)) return place;
  return name;
}

void* module_entry(const fs::path& built, const char* entry, int flags) {
  show_to_modules();
  void* module = dlopen(module_path(built).c_str(), flags);
  void* function = module != nullptr ? dlsym(module, entry) : nullptr;
  if (function == nullptr) {
    throw WorldError(fmt::format("{} cannot be loaded; it belongs beside the program: {}",
                                 built.filename().string(), dlerror()));
  }
  return function;
}

}  // namespace lingua
