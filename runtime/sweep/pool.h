#pragma once
// Pieces of work, each in a child of fork(): what the parent has loaded is there, and nothing that a piece does or
// dies of reaches the parent or the next piece.
//
// A child writes nothing to standard output and error, leaves no core file, and dies with the parent. It ends as
// soon as its work is done, without destructors or what else runs at an exit.
// Threads: one at a time, the one that forks; a work that needs threads of the parent will not find them.
// Errors: WorldError where no process is to be had; what becomes of a piece is data.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lingua {

struct PoolOptions {
  int workers = 1;
  double time_limit_s = 0;              // 0: none
  std::size_t most_bytes = 16 << 20;    // of what a piece gives
  std::function<void()> in_child = {};  // before each piece's work
};

// What became of a piece of work.
struct PieceOfWork {
  std::uint64_t tag = 0;
  bool done = false;   // else `text` says why not
  std::string text;    // that the work gave
  double seconds = 0;  // from its start to its end
};

// 0: one for each core. Errors: UsageError for less.
int worker_count(int wanted);

class ForkPool {
 public:
  // `work` runs in the child. What it throws is a failed piece: "infeasible: no plan fits ...". So are a signal, an
  // exit, too much text, and the time limit.
  using Work = std::function<std::string()>;

  explicit ForkPool(PoolOptions options);
  // Kills what is under way.
  ~ForkPool();
  ForkPool(const ForkPool&) = delete;
  ForkPool& operator=(const ForkPool&) = delete;

  bool has_room() const { return running_.size() < static_cast<std::size_t>(options_.workers); }
  bool is_idle() const { return running_.empty(); }
  std::size_t under_way() const { return running_.size(); }

  // REQUIRES: has_room().
  void start(std::uint64_t tag, const Work& work);

  // Those that have ended: at once where there are any, else when one does or `patience` is over.
  std::vector<PieceOfWork> wait(std::chrono::milliseconds patience);

 private:
  using Clock = std::chrono::steady_clock;
  struct Child {
    std::uint64_t tag = 0;
    pid_t process = 0;
    int answer = -1;
    Clock::time_point began;
    std::string bytes;
  };
  [[noreturn]] void run_child(const Work& work, int answer) const;
  // Whether it has ended: then `piece` is what became of it.
  bool read_from(Child& child, PieceOfWork& piece) const;
  PieceOfWork ended(const Child& child, bool done, std::string text) const;
  PieceOfWork died(const Child& child) const;
  bool is_late(const Child& child, Clock::time_point now) const;
  int patience_ms(std::chrono::milliseconds patience) const;

  const PoolOptions options_;
  std::vector<Child> running_;
};

}  // namespace lingua
