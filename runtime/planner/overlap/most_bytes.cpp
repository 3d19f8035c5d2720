#include <algorithm>

#include "runtime/planner/overlap/overlap_problem.h"

namespace lingua {
namespace {

// A dynamic program over the stages. Stages s - 1 and s + 1 share what they may store of stage s, so its
// state is what a stage and the one before store of their right neighbours.
class BytesSearch {
 public:
  explicit BytesSearch(const OverlapProblem& problem) : problem_(problem) {
    for (int s = 0; s < problem.stages(); ++s) fill_longest_left(s);
  }

  Storage run() {
    add_first();
    for (int s = 1; s < problem_.stages(); ++s) add(s);
    return backwards();
  }

 private:
  static constexpr double kNone = -1;

  struct Cell {
    double bytes = kNone;
    int before = 0;  // what the stage two before stores of its right neighbour
  };

  int size(int stage) const { return problem_.runs()[stage].size(); }
  int most_right(int stage) const {
    return problem_.widest()[stage].end - problem_.runs()[stage].end;
  }
  Span span(int stage, int left, int right) const {
    return {problem_.runs()[stage].first - left, problem_.runs()[stage].end + right};
  }

  // The most that fits on the left beside so much on the right; -1 when that does not fit itself.
  void fill_longest_left(int stage) {
    std::vector<int> longest;
    int left = problem_.runs()[stage].first - problem_.widest()[stage].first;
    for (int right = 0; right <= most_right(stage); ++right) {
      while (left >= 0 &&
             !problem_.holds(stage, span(stage, left, right), problem_.runs()[stage])) {
        --left;
      }
      longest.push_back(left);
    }
    longest_left_.push_back(std::move(longest));
  }

  // What is left for a stage of its left neighbour when the stage before that stores `taken` of it.
  int left_of(int stage, int taken, int right) const {
    return std::min(longest_left_[stage][right], size(stage - 1) - taken);
  }

  Cell& cell(int stage, int before, int right) {
    return cells_[stage][static_cast<std::size_t>(before) * (most_right(stage) + 1) + right];
  }

  void add_first() {
    cells_.emplace_back(most_right(0) + 1);
    for (int right = 0; right <= most_right(0); ++right) {
      if (longest_left_[0][right] < 0) break;
      cell(0, 0, right).bytes = problem_.stored_bytes(0, span(0, 0, right));
    }
  }

  void add(int s) {
    const int before_most = s > 1 ? most_right(s - 2) : 0;
    cells_.emplace_back(static_cast<std::size_t>(most_right(s - 1) + 1) * (most_right(s) + 1));
    for (int taken = 0; taken <= before_most; ++taken) {
      for (int before = 0; before <= most_right(s - 1); ++before) {
        const double so_far = cell(s - 1, taken, before).bytes;
        for (int right = 0; so_far != kNone && right <= most_right(s); ++right) {
          if (longest_left_[s][right] < 0) break;
          const double bytes =
              so_far + problem_.stored_bytes(s, span(s, left_of(s, taken, right), right));
          Cell& to = cell(s, before, right);
          if (bytes > to.bytes) to = {bytes, taken};
        }
      }
    }
  }

  // The last stage has no right neighbour.
  Storage backwards() {
    const int last = problem_.stages() - 1;
    int before = 0;
    for (int b = 0; last > 0 && b <= most_right(last - 1); ++b) {
      if (cell(last, b, 0).bytes > cell(last, before, 0).bytes) before = b;
    }
    Storage storage(problem_.stages());
    int right = 0;
    for (int s = last; s >= 0; --s) {
      const int taken = cell(s, before, right).before;
      storage[s] = span(s, s > 0 ? left_of(s, taken, right) : 0, right);
      right = before;
      before = taken;
    }
    return storage;
  }

  const OverlapProblem& problem_;
  std::vector<std::vector<int>> longest_left_;  // [stage][right]
  std::vector<std::vector<Cell>> cells_;        // [stage][right of the stage before, right]
};

}  // namespace

OverlapChoice most_bytes(const OverlapProblem& problem) {
  return {BytesSearch(problem).run(), true, 0};
}

}  // namespace lingua
