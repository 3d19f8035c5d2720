#include "runtime/trust/confine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"
#include "runtime/trust/syscall_filter.h"

namespace lingua {
namespace {

std::atomic<bool> confined{false};

// What libraries look up when they first compute, in the language of their messages.
bool is_kept(std::string_view variable) {
  constexpr std::array kPrefixes = {"ATEN_", "DNNL_",   "GOMP_",     "GOTO_",    "KMP_",
                                    "LANG",  "LC_",     "LRU_",      "MALLOC_",  "MKL_",
                                    "OMP_",  "ONEDNN_", "OPENBLAS_", "PYTORCH_", "TORCH_"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](const char* prefix) { return variable.starts_with(prefix); });
}

// Whether the text lies where the kernel put the environment: below the program's own path, far from
// all else that is mapped.
bool is_from_start(const char* text) {
  constexpr std::uintptr_t kMost = 6 << 20;  // as much as exec takes
  const std::uintptr_t end = getauxval(AT_EXECFN);
  const auto at = reinterpret_cast<std::uintptr_t>(text);
  return at < end && end - at < kMost;
}

void clear_environment() {
  std::vector<char*> dropped;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (!is_kept(*variable)) dropped.push_back(*variable);
  }
  for (char* variable : dropped) {
    const std::string name = variable;
    ::unsetenv(name.substr(0, name.find('=')).c_str());
    if (is_from_start(variable)) ::explicit_bzero(variable, name.size());
  }
}

std::string enter_own_folder() {
  try {
    const TemporaryFolder folder;  // goes at the end, while this process stays in it
    if (::chdir(folder.path().c_str()) == 0) return "";
    return fmt::format("no folder of its own: {}", std::strerror(errno));
  } catch (const InputError& error) {
    return fmt::format("no folder of its own: {}", error.what());
  }
}

void empty_standard_input() {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0) return;
  ::dup2(nothing, STDIN_FILENO);
  ::close(nothing);
}

}  // namespace

std::string confine_process() {
  std::string missing = enter_own_folder();
  const auto add = [&](const std::string& reason) {
    missing += (missing.empty() || reason.empty() ? "" : "; ") + reason;
  };
  empty_standard_input();
  clear_environment();
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    add(fmt::format("new privileges can be gained: {}", std::strerror(errno)));
  }
  const std::string unfiltered = internal::filter_system_calls();
  add(unfiltered);
  confined = unfiltered.empty();
  return missing;
}

}  // namespace lingua

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LINGUA_LOOKS_FOR_LEAKS
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define LINGUA_LOOKS_FOR_LEAKS
#endif
#ifdef LINGUA_LOOKS_FOR_LEAKS
// AddressSanitizer asks before it looks for leaks at the end, for which it would have to start a
// process and open files.
extern "C" int __lsan_is_turned_off() { return lingua::confined ? 1 : 0; }
#endif
