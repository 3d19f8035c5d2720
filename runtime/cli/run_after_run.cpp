#include "runtime/cli/run_after_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "runtime/base/signals.h"
#include "runtime/cli/terminal.h"

namespace lingua {
namespace {

constexpr std::chrono::milliseconds kPause{1000};
constexpr std::chrono::milliseconds kLook{50};  // for a signal, meanwhile
constexpr std::size_t kLongest = 4000;          // reason: less than a pipe holds

// code, is_final, reason.
void write_report(int file, const RunEnd& end) {
  std::string report{static_cast<char>(end.code), end.is_final ? '1' : '0'};
  report += end.reason.substr(0, kLongest);
  if (::write(file, report.data(), report.size()) < 0) _exit(static_cast<int>(end.code));
}

RunEnd read_report(int file, int status) {
  std::string report;
  std::array<char, kLongest + 2> buffer{};
  ssize_t got = 0;
  while ((got = ::read(file, buffer.data(), buffer.size())) > 0)
    report.append(buffer.data(), static_cast<std::size_t>(got));
  if (report.size() >= 2)
    return {report[1] == '1', static_cast<ExitCode>(report[0]), report.substr(2)};
  const std::string how = WIFSIGNALED(status)
                              ? fmt::format("was killed by signal {}", WTERMSIG(status))
                              : fmt::format("ended with code {}", WEXITSTATUS(status));
  return {false, ExitCode::kWorld, "the process of the run " + how};
}

void pause() {
  for (auto left = kPause; left.count() > 0 && ending_signal() == 0; left -= kLook)
    std::this_thread::sleep_for(kLook);
}

}  // namespace

RunEnd RunAfterRun::run(const std::function<RunEnd()>& serve) {
  while (true) {
    RunEnd end = serve_in_child(serve);
    if (ending_signal() != 0 || end.is_final) return end;
    tell_why(end);
    if (!end.reason.empty()) pause();
    if (ending_signal() != 0) return end;
  }
}

void RunAfterRun::tell_why(const RunEnd& end) {
  if (end.reason.empty()) {
    tell("lingua worker: {} has served a run and waits for the next\n", name_);
  } else if (end.reason != told_) {
    tell("lingua worker: {}; {} goes on asking until it is told to end\n", end.reason, name_);
  }
  told_ = end.reason;
}

RunEnd RunAfterRun::serve_in_child(const std::function<RunEnd()>& serve) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
    throw WorldError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  std::atomic<pid_t> child{0};
  const OrderlyEnd on_signal([&] {
    if (child > 0) ::kill(child, SIGTERM);
  });
  const pid_t parent = ::getpid();
  child = fork_with_signals();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) _exit(0);
    ::setpgid(0, 0);  // a terminal's Ctrl-C is for the parent, which tells it
    ::close(pipe[0]);
    report_ = pipe[1];
    leave(serve());
  }
  ::close(pipe[1]);
  if (child < 0) {
    ::close(pipe[0]);
    throw WorldError(fmt::format("cannot start a process: {}", std::strerror(errno)));
  }
  if (ending_signal() != 0) ::kill(child, SIGTERM);  // it may have come before there was a child
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  child = 0;
  const RunEnd end = read_report(pipe[0], status);
  ::close(pipe[0]);
  return end;
}

void RunAfterRun::leave(const RunEnd& end) const {
  write_report(report_, end);
  _exit(0);
}

}  // namespace lingua
