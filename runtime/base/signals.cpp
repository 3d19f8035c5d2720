#include "runtime/base/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "runtime/base/temporary.h"

namespace lingua {
namespace {

// What the thread that watches is told in place of SIGPIPE, which comes to the thread that writes.
int pipe_notice() { return SIGRTMIN + 3; }

[[noreturn]] void wait_for_the_end() {
  for (;;) ::pause();
}

void on_broken_pipe(int) {
  ::kill(::getpid(), pipe_notice());
  wait_for_the_end();
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

[[noreturn]] void end_by(int signal) {
  remove_temporaries();
  std::signal(signal, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, signal);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  ::kill(::getpid(), signal);
  wait_for_the_end();
}

}  // namespace

void end_on_signals() {
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, pipe_notice());
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) sigaddset(&watched, signal);
  }
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  std::thread([watched] {
    int signal = 0;
    while (sigwait(&watched, &signal) != 0) {
    }
    end_by(signal == pipe_notice() ? SIGPIPE : signal);
  }).detach();
  if (!is_ignored(SIGPIPE)) std::signal(SIGPIPE, on_broken_pipe);
}

}  // namespace lingua
