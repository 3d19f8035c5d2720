#include "runtime/cli/worker_ahead.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "runtime/app/link_options.h"
#include "runtime/torch/cpu_libraries.h"

namespace lingua {

bool is_started_ahead(int argc, char** argv) {
  return argc == 2 && std::string_view(argv[1]) == kAwaitsArguments;
}

std::vector<std::string> awaited_arguments() {
  slow_blas();  // loads LibTorch
  std::vector<std::string> arguments;
  std::string rest;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return arguments;
    rest.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end = rest.find('\0'); end != std::string::npos; end = rest.find('\0')) {
      arguments.push_back(rest.substr(0, end));
      rest.erase(0, end + 1);
    }
  }
}

}  // namespace lingua
