#pragma once
// The program's end by a signal: SIGINT, SIGTERM, SIGHUP, or SIGPIPE when a reader has gone.

#include <sys/types.h>

#include <functional>

namespace lingua {

// From now on these signals end the program at once, whatever it does, with its temporary files
// removed; its parent sees the signal, a shell shows 128 and its number (130 after Ctrl-C). One that is
// ignored already (nohup) stays ignored. Children that are tied to this process end with it.
// REQUIRES: called once, before any thread is started.
void end_on_signals();

// fork() of a program that ends on signals: the child does too, by itself.
pid_t fork_with_signals();

// While it stands the first such signal calls `begin` instead, on a thread of its own, from where whoever
// made it ends the program in order. A second one, or kPatienceWithTheEndS, ends it at once. SIGPIPE does too.
class OrderlyEnd {
 public:
  explicit OrderlyEnd(std::function<void()> begin);
  ~OrderlyEnd();
  OrderlyEnd(const OrderlyEnd&) = delete;
  OrderlyEnd& operator=(const OrderlyEnd&) = delete;
};

inline constexpr int kPatienceWithTheEndS = 10;

// The signal by which the program ends in order; 0 while none has come.
int ending_signal();

// Ends the program by a signal, with its temporary files removed.
[[noreturn]] void end_by(int signal);

}  // namespace lingua
