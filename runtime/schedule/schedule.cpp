#include "runtime/schedule/schedule.h"

#include <algorithm>
#include <tuple>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

bool is_decode(const ReadyStep& step) {
  return step.step.new_tokens == 1 && step.step.cached_tokens > 0;
}

// The lower goes first.
std::int64_t rank(const ReadyStep& step, Policy policy) {
  switch (policy) {
    case Policy::kFifo: return 0;
    case Policy::kDecodeFirst: return is_decode(step) ? 0 : 1;
    case Policy::kShortestFirst:
      return std::max(step.capacity, step.step.new_tokens) - step.step.cached_tokens;
  }
  return 0;
}

bool is_older(const ReadyStep& a, const ReadyStep& b) {
  return std::tuple(a.ready_since, a.request, a.step_index) <
         std::tuple(b.ready_since, b.request, b.step_index);
}

// Of each request the first step, in the order of the policy.
std::vector<std::size_t> candidates(const std::vector<ReadyStep>& ready, Policy policy) {
  std::vector<std::size_t> places(ready.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(ready[a].request, ready[a].step_index) <
           std::tuple(ready[b].request, ready[b].step_index);
  });
  const auto end = std::unique(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    return ready[a].request == ready[b].request;
  });
  places.erase(end, places.end());
  std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    const std::int64_t rank_a = rank(ready[a], policy);
    const std::int64_t rank_b = rank(ready[b], policy);
    return rank_a != rank_b ? rank_a < rank_b : is_older(ready[a], ready[b]);
  });
  return places;
}

}  // namespace

std::vector<std::size_t> next_batch(const std::vector<ReadyStep>& ready,
                                    const Scheduling& scheduling, double free_bytes) {
  LINGUA_CHECK(!ready.empty());
  const Policy policy = scheduling.policy;
  if (scheduling.max_batch == 1 &&
      policy == Policy::kFifo) {  // a request's next step is never older
    return {static_cast<std::size_t>(std::min_element(ready.begin(), ready.end(), is_older) -
                                     ready.begin())};
  }
  std::vector<std::size_t> batch;
  bool has_prompt = false;  // more gain little, being bound by FLOPs, and hold back the next stage
  double left = free_bytes;
  for (const std::size_t place : candidates(ready, policy)) {
    const ReadyStep& step = ready[place];
    if (!batch.empty()) {
      const ReadyStep& first = ready[batch.front()];
      const bool alike = step.epoch == first.epoch && step.part == first.part;
      const bool second_prompt = has_prompt && !is_decode(step);
      if (!alike || second_prompt || step.activation_bytes > left) continue;
    }
    batch.push_back(place);
    has_prompt = has_prompt || !is_decode(step);
    left -= step.activation_bytes;
    if (static_cast<int>(batch.size()) == scheduling.max_batch) break;
  }
  return batch;
}

Scheduling with_batches(Scheduling scheduling, int in_flight, int stages) {
  if (scheduling.max_batch == kAutoBatch) {
    scheduling.max_batch = std::max(1, (in_flight + stages - 1) / std::max(1, stages));
  }
  return scheduling;
}

Scheduling allowed_by(const StepFreedom& freedom, Scheduling scheduling) {
  if (!freedom.batches) scheduling.max_batch = 1;
  if (!freedom.chunks) scheduling.chunk = kWholePrompts;
  return scheduling;
}

std::int64_t prompt_pieces(std::int64_t prompt_tokens, const Scheduling& scheduling, int stages) {
  if (scheduling.chunk == kAutoChunk) {
    const std::int64_t most = std::max<std::int64_t>(prompt_tokens / kFewestAutoTokens, 1);
    return stages == 1 ? 1 : std::min<std::int64_t>(2 * std::int64_t{stages}, most);
  }
  if (scheduling.chunk == kWholePrompts || prompt_tokens < 1) return 1;
  return (prompt_tokens - 1) / scheduling.chunk + 1;
}

Step prompt_piece(std::int64_t prompt_tokens, std::int64_t pieces, std::int64_t piece) {
  const std::int64_t shortest = prompt_tokens / pieces;
  const std::int64_t longer = prompt_tokens % pieces;  // the first ones
  const std::int64_t before = piece * shortest + std::min(piece, longer);
  return {shortest + (piece < longer ? 1 : 0), before};
}

std::int64_t most_pieces_under_way(int stages) { return 2 * std::int64_t{stages}; }

int admissions(int waiting, int in_flight, int limit) {
  return std::clamp(limit - in_flight, 0, waiting);
}

std::vector<ReadyStep> take_steps(std::vector<ReadyStep>& queue, std::vector<std::size_t> places) {
  std::vector<ReadyStep> steps;
  for (const std::size_t place : places) steps.push_back(queue[place]);
  std::sort(places.begin(), places.end());
  for (auto place = places.rbegin(); place != places.rend(); ++place)
    queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(*place));
  return steps;
}

}  // namespace lingua
