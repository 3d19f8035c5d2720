#include "runtime/base/temporary.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <system_error>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

struct Standing {
  std::mutex mutex;
  std::set<fs::path> paths;  // guarded by mutex
};

// Never destroyed: a signal may come while the program's objects end.
Standing& standing() {
  static auto* all = new Standing;
  return *all;
}

std::string temporary_place() {
  const char* place = std::getenv("TMPDIR");
  return place == nullptr || *place == '\0' ? "/tmp" : place;
}

[[noreturn]] void refuse_place(int reason) {
  throw InputError(
      fmt::format("{}: no temporary file can be made there: {}; set TMPDIR to a folder that exists "
                  "and can be written",
                  temporary_place(), std::strerror(reason)));
}

// One of a name that nothing had. `make` is mkdtemp or mkstemp.
template <class Make>
auto make_temporary(std::string& name, Make make) {
  name = (fs::path(temporary_place()) / "lingua-XXXXXX").string();
  return make(name.data());
}

}  // namespace

TemporaryPath::TemporaryPath(const std::function<fs::path()>& make) {
  const std::lock_guard lock(standing().mutex);
  path_ = make();
  standing().paths.insert(path_);
}

TemporaryPath::~TemporaryPath() {
  const std::lock_guard lock(standing().mutex);
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  standing().paths.erase(path_);
}

TemporaryFolder::TemporaryFolder()
    : path_([] {
        std::string name;
        if (make_temporary(name, ::mkdtemp) == nullptr) refuse_place(errno);
        return fs::absolute(name);
      }) {}

int open_unnamed_file() {
  std::string name;
  const int file = make_temporary(name, [](char* text) { return ::mkostemp(text, O_CLOEXEC); });
  if (file < 0) refuse_place(errno);
  ::unlink(name.c_str());
  return file;
}

void remove_temporaries() {
  standing().mutex.lock();
  for (const fs::path& path : standing().paths) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) fs::remove_all(path, error);  // somebody put a file there meanwhile
  }
}

}  // namespace lingua
