#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/base/plain_text.h"
#include "runtime/report/figure.h"

extern char** environ;

namespace lingua {

std::string write_pdf(const std::filesystem::path& svg, const std::filesystem::path& pdf) {
  std::array<int, 2> said{};
  if (::pipe2(said.data(), O_CLOEXEC) != 0) return std::strerror(errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, said[1], STDERR_FILENO);
  // 72 dots per inch: a point of the figure is a point of the page.
  const std::array<std::string, 7> words = {
      "rsvg-convert", "--format=pdf", "--dpi-x=72", "--dpi-y=72", "--output=" + pdf.string(),
      "--",           svg.string()};
  std::array<char*, 8> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = const_cast<char*>(words[i].c_str());
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, "rsvg-convert", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(said[1]);
  std::string text;
  if (failed == 0) {
    std::array<char, 512> part{};
    for (ssize_t n = 0; (n = ::read(said[0], part.data(), part.size())) > 0;)
      text.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(said[0]);
  if (failed == ENOENT)
    return "no PDF: rsvg-convert is not installed (Debian: librsvg2-bin); the SVG is there";
  if (failed != 0) return fmt::format("no PDF: rsvg-convert: {}", std::strerror(failed));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
  return one_line("no PDF: rsvg-convert: " + (text.empty() ? "it failed" : text));
}

}  // namespace lingua
