#include "runtime/net/local_processes.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

constexpr int kCannotExecute = 127;

// A file descriptor that is closed.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

int open_output(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) throw WorldError(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  return file;
}

// What happens between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* argv, int in, int out, int err, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotExecute);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  if (in >= 0) dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
#ifdef SYS_close_range
  syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);  // what this process itself was given
#endif
  execvp(argv[0], argv);
  const char* reason = std::strerror(errno);
  for (const char* text :
       {static_cast<const char*>(argv[0]), ": cannot be executed: ", reason, "\n"}) {
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  _exit(kCannotExecute);
}

std::string last_line(int file) {
  constexpr off_t kTail = 4096;
  const off_t size = lseek(file, 0, SEEK_END);
  std::string tail(static_cast<std::size_t>(std::clamp<off_t>(size, 0, kTail)), '\0');
  const ssize_t got = pread(file, tail.data(), tail.size(), size - static_cast<off_t>(tail.size()));
  tail.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const std::size_t end = tail.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  tail.resize(end + 1);
  return tail.substr(tail.find_last_of('\n') + 1);
}

}  // namespace

struct LocalProcesses::Child {
  Child(std::string name, int err) : name(std::move(name)), err(err) {}

  std::string name;
  File err;
  pid_t pid = -1;
  bool running = false;
  int status = 0;
  std::unique_ptr<File> input;  // of one that waits to be told what to do

  // False where it has ended.
  bool tell(const std::vector<std::string>& argv) {
    std::string arguments;
    for (std::size_t i = 1; i < argv.size(); ++i) arguments.append(argv[i]).push_back('\0');
    std::string_view rest = arguments;
    while (!rest.empty()) {
      const ssize_t sent = send(input->get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    input.reset();
    return true;
  }

  std::string end() const {
    const std::string who = fmt::format("worker {} (pid {})", name, pid);
    if (WIFSIGNALED(status))
      return fmt::format("{} was killed by signal {}", who, WTERMSIG(status));
    const std::string line = last_line(err.get());
    return fmt::format("{} ended with code {}{}{}", who, WEXITSTATUS(status),
                       line.empty() ? "" : ": ", line);
  }
};

LocalProcesses::LocalProcesses() = default;

LocalProcesses::~LocalProcesses() { stop(); }

pid_t LocalProcesses::start(const LocalProcess& process) {
  LINGUA_CHECK(!process.argv.empty());
  reap();
  for (auto& child : children_) {
    if (!child->input || !process.stdout_file.empty() || !process.stderr_file.empty()) continue;
    if (!child->running || !child->tell(process.argv)) continue;
    child->name = process.name;
    return child->pid;
  }
  return launch(process, -1).pid;
}

void LocalProcesses::start_ahead(const std::vector<std::string>& argv, int count) {
  for (int i = 0; i < count; ++i) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw WorldError(fmt::format("workers cannot be started: {}", std::strerror(errno)));
    auto input = std::make_unique<File>(ends[0]);
    const File theirs(ends[1]);
    launch({"that waits", argv, {}, {}}, theirs.get()).input = std::move(input);
  }
}

LocalProcesses::Child& LocalProcesses::launch(const LocalProcess& process, int in) {
  const File out(process.stdout_file.empty() ? open("/dev/null", O_WRONLY | O_CLOEXEC)
                                             : open_output(process.stdout_file));
  auto child = std::make_unique<Child>(process.name, process.stderr_file.empty()
                                                         ? open_unnamed_file()
                                                         : open_output(process.stderr_file));
  std::vector<char*> argv;
  for (const std::string& argument : process.argv)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  child->pid = fork();
  if (child->pid == 0) become(argv.data(), in, out.get(), child->err.get(), parent);
  if (child->pid < 0) {
    throw WorldError(
        fmt::format("worker {} cannot be started: {}", process.name, std::strerror(errno)));
  }
  child->running = true;
  children_.push_back(std::move(child));
  return *children_.back();
}

bool LocalProcesses::reap() {
  bool none = true;
  for (auto& child : children_) {
    if (!child->running) continue;
    const pid_t ended = waitpid(child->pid, &child->status, WNOHANG);
    if (ended == child->pid || (ended < 0 && errno == ECHILD)) child->running = false;
    none = none && (!child->running || child->input);
  }
  return none;
}

void LocalProcesses::check() {
  // When one is killed the others are told to stop: the one that did not end in order is the news.
  const std::string news = failure();
  if (!news.empty()) throw WorldError(news);
  for (const auto& child : children_) {
    if (!child->running && !child->input) throw WorldError(child->end());
  }
}

std::string LocalProcesses::failure() {
  reap();
  for (const auto& child : children_) {
    if (!child->running && !child->input && child->status != 0) return child->end();
  }
  return "";
}

bool LocalProcesses::wait(Seconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!reap()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void LocalProcesses::kill(const std::string& name) {
  for (const auto& child : children_) {
    if (child->running && child->name == name) ::kill(child->pid, SIGKILL);
  }
}

void LocalProcesses::stop(Seconds grace) {
  for (const auto& child : children_) {
    child->input.reset();
    if (child->running) ::kill(child->pid, SIGTERM);
  }
  if (wait(grace)) return;
  for (const auto& child : children_) {
    if (child->running) ::kill(child->pid, SIGKILL);
  }
  wait(Seconds(10));
}

}  // namespace lingua
