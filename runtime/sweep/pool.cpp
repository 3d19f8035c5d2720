#include "runtime/sweep/pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <thread>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

// What a child writes: whether it is done, the length of its text (4 bytes, the lowest first), the text.
constexpr char kDone = 'd';
constexpr char kFailed = 'f';
constexpr std::size_t kHead = 5;
constexpr std::size_t kMostReason = 2000;

std::string head_of(char kind, std::size_t length) {
  std::string head(1, kind);
  for (int byte = 0; byte < 4; ++byte)
    head += static_cast<char>(static_cast<unsigned char>(length >> (8 * byte)));
  return head;
}

std::size_t length_in(const std::string& bytes) {
  std::size_t length = 0;
  for (std::size_t byte = 4; byte > 0; --byte)
    length = length << 8 | static_cast<unsigned char>(bytes[byte]);
  return length;
}

const char* kind_of(const Error& error) {
  switch (error.exit_code()) {
    case ExitCode::kUsage: return "usage";
    case ExitCode::kBadInput: return "input";
    case ExitCode::kInfeasible: return "infeasible";
    case ExitCode::kWorld: return "world";
    default: return "bug";
  }
}

void write_all(int file, const std::string& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t written = ::write(file, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ::_exit(1);  // nobody listens any more
    at += static_cast<std::size_t>(written);
  }
}

void be_silent() {
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, file);
  if (nowhere > STDERR_FILENO) ::close(nowhere);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

int reap(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

int worker_count(int wanted) {
  if (wanted < 0)
    throw UsageError(fmt::format(
        "`workers`: {} is not accepted; write 1 or more, or 0 for one for each core", wanted));
  return wanted > 0 ? wanted : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

ForkPool::ForkPool(PoolOptions options) : options_(std::move(options)) {
  LINGUA_CHECK(options_.workers > 0, "{}", options_.workers);
}

ForkPool::~ForkPool() {
  for (const Child& child : running_) ::kill(child.process, SIGKILL);
  for (const Child& child : running_) {
    reap(child.process);
    ::close(child.answer);
  }
}

void ForkPool::start(std::uint64_t tag, const Work& work) {
  LINGUA_CHECK(has_room());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw WorldError(fmt::format("no pipe to be had: {}", std::strerror(errno)));
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) {
    const int why = errno;
    for (const int end : ends) ::close(end);
    throw WorldError(fmt::format("no process to be had: {}", std::strerror(why)));
  }
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    run_child(work, ends[1]);
  }
  ::close(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  running_.push_back({tag, process, ends[0], Clock::now(), {}});
}

void ForkPool::run_child(const Work& work, int answer) const {
  char kind = kFailed;
  std::string text;
  try {
    be_silent();
    if (options_.in_child) options_.in_child();
    text = work();
    kind = kDone;
  } catch (const Error& error) {
    text = fmt::format("{}: {}", kind_of(error), error.what());
  } catch (const std::exception& error) {
    text = fmt::format("error: {}", error.what());
  }
  if (text.size() > options_.most_bytes) {
    kind = kFailed;
    text = fmt::format("gave {} bytes; at most {} are kept", text.size(), options_.most_bytes);
  }
  if (kind == kFailed) text.resize(std::min(text.size(), kMostReason));
  write_all(answer, head_of(kind, text.size()) + text);
  ::_exit(0);
}

PieceOfWork ForkPool::ended(const Child& child, bool done, std::string text) const {
  ::close(child.answer);
  const std::chrono::duration<double> took = Clock::now() - child.began;
  return {child.tag, done, std::move(text), took.count()};
}

PieceOfWork ForkPool::died(const Child& child) const {
  const int status = reap(child.process);
  if (!WIFSIGNALED(status)) {
    return ended(child, false,
                 fmt::format("crash: ended with code {} before it was done", WEXITSTATUS(status)));
  }
  const int signal = WTERMSIG(status);
  return ended(child, false,
               fmt::format("crash: ended by signal {} ({}){}", signal, ::strsignal(signal),
                           signal == SIGKILL ? ", perhaps for want of memory" : ""));
}

bool ForkPool::read_from(Child& child, PieceOfWork& piece) const {
  std::array<char, 1 << 16> buffer;
  while (true) {
    const ssize_t got = ::read(child.answer, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      piece = died(child);
      return true;
    }
    child.bytes.append(buffer.data(), static_cast<std::size_t>(got));
    const bool has_head = child.bytes.size() >= kHead;
    const std::size_t length = has_head ? length_in(child.bytes) : 0;
    const bool is_wrong = (child.bytes[0] != kDone && child.bytes[0] != kFailed) ||
                          length > std::max(options_.most_bytes, kMostReason) ||
                          (has_head && child.bytes.size() > kHead + length);
    if (!is_wrong && (!has_head || child.bytes.size() < kHead + length)) continue;
    if (is_wrong) ::kill(child.process, SIGKILL);
    reap(child.process);
    piece = is_wrong ? ended(child, false, "crash: what it wrote is no answer")
                     : ended(child, child.bytes[0] == kDone, child.bytes.substr(kHead));
    return true;
  }
}

bool ForkPool::is_late(const Child& child, Clock::time_point now) const {
  return options_.time_limit_s > 0 &&
         now - child.began >= std::chrono::duration<double>(options_.time_limit_s);
}

int ForkPool::patience_ms(std::chrono::milliseconds patience) const {
  std::chrono::duration<double, std::milli> least = patience;
  if (options_.time_limit_s > 0) {
    const auto now = Clock::now();
    for (const Child& child : running_)
      least = std::min<decltype(least)>(
          least, child.began + std::chrono::duration<double>(options_.time_limit_s) - now);
  }
  return static_cast<int>(std::max(0.0, std::ceil(least.count())));
}

std::vector<PieceOfWork> ForkPool::wait(std::chrono::milliseconds patience) {
  std::vector<pollfd> answers;
  for (const Child& child : running_) answers.push_back({child.answer, POLLIN, 0});
  // What interrupts it is no matter: nothing is ready then.
  if (::poll(answers.data(), answers.size(), patience_ms(patience)) < 0) return {};
  std::vector<PieceOfWork> pieces;
  std::vector<Child> left;
  const auto now = Clock::now();
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Child& child = running_[i];
    PieceOfWork piece;
    if (answers[i].revents != 0 && read_from(child, piece)) {
      pieces.push_back(std::move(piece));
    } else if (is_late(child, now)) {
      ::kill(child.process, SIGKILL);
      reap(child.process);
      pieces.push_back(
          ended(child, false, fmt::format("time: took longer than {} s", options_.time_limit_s)));
    } else {
      left.push_back(std::move(child));
    }
  }
  running_ = std::move(left);
  return pieces;
}

}  // namespace lingua
