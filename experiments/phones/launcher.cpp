// The bundle's `lingua`: starts the program beside it with the libraries beside it, on any arm64 Linux.
//
// A phone has neither glibc nor the loader that programs name by an absolute path, and a script would need a shell at
// a path that Android, Debian and an empty root do not share. So this is linked statically, and starts the loader.

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

// Where this program is. Without /proc as the shell has named it.
std::string own_folder(const char* name) {
  std::string path(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  if (size > 0) {
    path.resize(static_cast<std::size_t>(size));
  } else {
    path = name;
  }
  const std::size_t end = path.rfind('/');
  return end == std::string::npos ? "." : path.substr(0, end);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = own_folder(argv[0]);
  const std::string libraries = folder + "/lib";
  const std::string loader = libraries + "/ld-linux-aarch64.so.1";
  const std::string program = libraries + "/lingua";
  // Those of the phone are for its own C library.
  ::unsetenv("LD_PRELOAD");
  ::unsetenv("LD_LIBRARY_PATH");
  const bool has_tmp = ::access("/tmp", W_OK) == 0;  // Android has none
  if (!has_tmp) ::setenv("TMPDIR", folder.c_str(), /*replace=*/0);
  std::vector<const char*> arguments = {loader.c_str(), "--library-path", libraries.c_str(),
                                        program.c_str()};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  arguments.push_back(nullptr);
  ::execv(loader.c_str(), const_cast<char* const*>(arguments.data()));
  std::fprintf(stderr, "lingua: %s cannot be started: %s\n", loader.c_str(), std::strerror(errno));
  return 5;
}
