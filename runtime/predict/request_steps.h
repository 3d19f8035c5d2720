#pragma once
// The steps that the requests of a workload take, where their prompts differ: means over the requests.
//
// Requests of about one length are one kind; there are at most kMostKinds of them, each with the mean
// length of its own. All have as many steps after the prompt.
// Accuracy: of more lengths than kinds, what is quadratic in the length is a little too small.

#include <functional>
#include <vector>

#include "runtime/plan/workload.h"

namespace lingua {

inline constexpr std::size_t kMostKinds = 8;

struct RequestKind {
  double share = 1;  // of the requests
  std::vector<Step> steps;
  std::size_t pieces = 1;  // of the prompt: so many first steps

  std::int64_t prompt_tokens() const {
    return steps[pieces - 1].new_tokens + steps[pieces - 1].cached_tokens;
  }
};

// Over all its steps.
double sum_over_request(const RequestKind& kind, const std::function<double(const Step&)>& f);

class RequestSteps {
 public:
  // With whole prompts.
  explicit RequestSteps(const Workload& workload);
  // With prompts cut for a plan of so many stages.
  RequestSteps(const Workload& workload, const Scheduling& scheduling, int stages);

  const std::vector<RequestKind>& kinds() const { return kinds_; }
  // The kinds of the requests in turn.
  const std::vector<int>& turn() const { return turn_; }
  // Steps that end in a token, or one: as many for each.
  std::size_t count() const { return kinds_.front().steps.size() - kinds_.front().pieces + 1; }
  // Of the kind that takes most.
  std::size_t most_steps() const;

  // Of one request in the mean: over all its steps, and for the prompt.
  double sum(const std::function<double(const Step&)>& f) const;
  double first(const std::function<double(const Step&)>& f) const;

 private:
  std::vector<RequestKind> kinds_;
  std::vector<int> turn_;
};

// After so many requests a pipeline does the same again: those in flight, in whole turns of their
// lengths; at most all requests.
int round_of(const Workload& workload);

}  // namespace lingua
