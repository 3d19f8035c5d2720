#pragma once
// Which request enters the pipeline next, which ready steps a device runs next as one, and how prompts are cut.
//
// Functions of values: the engine's devices and the planner's pipeline model (predict/) both call them.
// Order: a request's steps run in their order under every policy. Among equals the step that has been ready
// for longer, then the older request goes first.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

struct ReadyStep {
  Epoch epoch = 0;
  RequestId request = 0;
  std::int64_t step_index = 0;
  Seconds ready_since{0};
  std::size_t part = 0;  // of the device's runs of segments, that it is ready for
  Step step = {};
  std::int64_t capacity = 0;    // of its request; 0: a single pass
  double activation_bytes = 0;  // while it runs
};

// The places in `ready` of the steps to run next as one: the policy's choice, and behind it in its order
// those of its epoch and part, of other requests, while there are fewer than max_batch and activations fit
// `free_bytes` together; one at most is of a prompt. A step that finds no room waits for the next batch.
// REQUIRES: ready is not empty; max_batch is not kAutoBatch.
// Source (a piece of a prompt beside tokens): Agrawal et al., arXiv 2403.02310.
std::vector<std::size_t> next_batch(const std::vector<ReadyStep>& ready,
                                    const Scheduling& scheduling, double free_bytes);

// Takes those out of the queue, and gives them in that order. REQUIRES: places of the queue, each once.
std::vector<ReadyStep> take_steps(std::vector<ReadyStep>& queue, std::vector<std::size_t> places);

// With kAutoBatch for a plan of so many stages: the requests in flight divided by the stages, rounded up. Larger
// batches would leave other stages without work.
Scheduling with_batches(Scheduling scheduling, int in_flight, int stages);

// What of it a model of that freedom can have: batches of 1 and whole prompts where it promises nothing.
Scheduling allowed_by(const StepFreedom& freedom, Scheduling scheduling);

// Into how many steps a prompt is cut on a plan of so many stages. kAutoChunk: two for each stage, so that
// the pipeline fills, but none of fewer than kFewestAutoTokens; whole where there is one stage.
inline constexpr std::int64_t kFewestAutoTokens = 32;
std::int64_t prompt_pieces(std::int64_t prompt_tokens, const Scheduling& scheduling, int stages);
// One of them, by its index; they are as long as each other, or a token longer.
// REQUIRES: 0 <= piece < pieces <= prompt_tokens.
Step prompt_piece(std::int64_t prompt_tokens, std::int64_t pieces, std::int64_t piece);

// So many pieces of a prompt are under way on a plan of so many stages at most: enough to fill it, and few
// enough that those before a slow device do not fill its memory.
std::int64_t most_pieces_under_way(int stages);

// How many of the waiting requests to submit now, so that no more than `limit` are in flight.
int admissions(int waiting, int in_flight, int limit);

}  // namespace lingua
