#include "runtime/base/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

// What the thread that watches is told in place of SIGPIPE, which comes to the thread that writes.
int pipe_notice() { return SIGRTMIN + 3; }

[[noreturn]] void wait_for_the_end() {
  for (;;) ::pause();
}

std::atomic<pthread_t> watcher{};

// On a thread that a library has started before all signals were blocked.
void pass_on(int signal) { pthread_kill(watcher, signal); }

void on_broken_pipe(int) {
  ::kill(::getpid(), pipe_notice());
  wait_for_the_end();
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

std::atomic<int> ending{0};
std::mutex begin_mutex;
std::function<void()> begin_end;  // guarded by begin_mutex

// False when nobody ends the program in order.
bool begin_in_order(int signal) {
  const std::lock_guard lock(begin_mutex);
  if (!begin_end) return false;
  ending = signal;
  begin_end();
  return true;
}

[[noreturn]] void watch(const sigset_t& watched) {
  int signal = 0;
  while (sigwait(&watched, &signal) != 0) {
  }
  if (signal == pipe_notice()) end_by(SIGPIPE);
  if (begin_in_order(signal)) {
    const timespec patience{kPatienceWithTheEndS, 0};
    sigtimedwait(&watched, nullptr, &patience);
  }
  end_by(signal);
}

}  // namespace

void end_by(int signal) {
  remove_temporaries();
  std::signal(signal, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, signal);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  ::kill(::getpid(), signal);
  wait_for_the_end();
}

pid_t fork_with_signals() {
  // Held by nobody else in the child, where it would stay locked.
  const std::lock_guard lock(begin_mutex);
  const pid_t child = ::fork();
  if (child == 0) {
    begin_end = nullptr;
    ending = 0;
    end_on_signals();
  }
  return child;
}

int ending_signal() { return ending; }

OrderlyEnd::OrderlyEnd(std::function<void()> begin) {
  const std::lock_guard lock(begin_mutex);
  LINGUA_CHECK(!begin_end, "one at a time");
  begin_end = std::move(begin);
}

OrderlyEnd::~OrderlyEnd() {
  const std::lock_guard lock(begin_mutex);
  begin_end = nullptr;
}

void end_on_signals() {
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, pipe_notice());
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) sigaddset(&watched, signal);
  }
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  std::thread thread([watched] { watch(watched); });
  watcher = thread.native_handle();
  thread.detach();
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) std::signal(signal, pass_on);
  }
  if (!is_ignored(SIGPIPE)) std::signal(SIGPIPE, on_broken_pipe);
}

}  // namespace lingua
