#pragma once
// A workload played through a pipeline, message by message: how long its requests take when several
// are in flight.
//
// It follows the engine's loops and the simulated cluster's clock: a device runs at a time what schedule/
// chooses among the steps that it knows of when it comes to choose; it knows of what arrives while it
// computes when it has done so; it sends when it has run its segments, and goes on while the bytes are under
// way; the first stage begins the next piece of a prompt when it has run the last and few enough are under
// way; the coordinator submits, as schedule/ admits, when it hears that a request has ended. Waiting, the
// filling of the pipeline and shares of links are therefore exact.
// Cost: about 0.5 us for each step on each stage. Units: seconds, bytes. Determinism: no randomness.

#include <functional>
#include <limits>
#include <vector>

#include "runtime/device/scheduling.h"
#include "runtime/device/spec.h"
#include "runtime/model/step.h"

namespace lingua {

// The numbers of a pipeline.
struct PipelineWork {
  struct Message {
    int from = 0;  // stage
    int to = 0;
  };
  // What the messages of a request take.
  struct Bytes {
    std::vector<std::vector<double>> messages;  // by step and message
    std::vector<double> answers;           // by step, from the last stage's device to the first
    double submit = 0;                     // from the coordinator to the first stage
    std::vector<double> tokens_made = {};  // by step behind the prompt's pieces; 0: no message
    double done = 0;
    double release = 0;
  };
  // Requests that are alike. Steps are those of one request, in order; all kinds have as many behind the
  // pieces of their prompt.
  struct Kind {
    std::vector<std::vector<double>> compute_s;  // by step and stage
    std::vector<Bytes> bytes;                    // by width of the request's number
    std::size_t pieces = 1;  // steps of the prompt: the last of them is answered
    // What the scheduling looks at, where it is not the default.
    std::vector<Step> steps = {};
    std::int64_t capacity = 0;
    std::vector<std::vector<double>> activation_bytes = {};  // by step and stage
    std::vector<double> state_bytes = {};                    // by stage
    // By step and message, and by step: small enough to travel with those of other requests that ran as one.
    // None: every message travels alone.
    std::vector<std::vector<char>> message_is_small = {};
    std::vector<char> answer_is_small = {};
  };
  // A step of a request that runs with others.
  struct Part {
    const Kind* kind = nullptr;
    std::size_t step = 0;
    int request = 0;
  };
  std::vector<DeviceName> devices;  // of the stages; each once, but for `returns`
  bool returns = false;             // the first device runs the last stage too
  std::vector<Message> messages;    // what each stage sends once it has run a step
  std::vector<double>
      stretch;  // of the prompt's steps and each later one: latencies count so many times
  std::vector<Kind> kinds;
  std::vector<int> turn = {0};  // kinds of the requests, in turn
  int requests = 1;
  int in_flight = 1;
  // Of the requests: how much room their numbers take in messages, as a place in the bytes of their kinds.
  // None: all the same.
  std::vector<int> widths = {};
  Scheduling scheduling = {};
  // What a stage takes to compute several steps as one; not needed where max_batch is 1.
  std::function<double(int stage, const std::vector<Part>& batch)> together_s = {};
  // What messages of a stage's batch take more than one by one, or less, when they travel as one; of answers:
  // kAnswers. Not needed where none are small.
  static constexpr int kAnswers = -1;
  std::function<double(int message, const std::vector<Part>& parts)> together_bytes = {};
  // For states and the activations of a batch, by stage: all that its device has. None: no limit.
  std::vector<double> free_bytes = {};
};

// Answers are counted off in so many equal parts; the last mark is the end.
inline constexpr int kReplayMarks = 32;

// Beyond which a play is not worth its end.
struct ReplayLimits {
  double most_s = std::numeric_limits<double>::infinity();  // certainly of a longer makespan
  std::vector<double> marks_s;  // later at two marks in a row; none: no such limit
};

struct Replay {
  bool complete = false;        // false: some stage never gets an input, or it is beyond its limits
  double first_step_s = 0;      // of the first request, from its start to its first answer
  double makespan_s = 0;        // from the first request's start to the last one's end
  std::vector<double> ends_s;   // of the requests, ascending, from the first one's start
  std::vector<double> marks_s;  // when each part was answered, from the first request's start
  double stage_steps = 0;       // what the play took: steps computed on stages
};

// REQUIRES: limits.marks_s is empty or has kReplayMarks.
Replay replay(const PipelineWork& work, const ClusterSpec& cluster,
              const ReplayLimits& limits = {});

}  // namespace lingua
