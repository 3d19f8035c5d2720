#pragma once
// Everything that devices and the coordinator say to each other.
//
// A message is a value; net/ gives it a wire format and the simulator asks that format for its size.
// Order: messages from one device to another arrive in the order in which they were sent.
// Errors: messages from the network are untrusted; net/ refuses what cannot be decoded, the engine
// refuses what contradicts the deployment.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "runtime/base/units.h"
#include "runtime/device/deployment_messages.h"
#include "runtime/device/exercise_messages.h"
#include "runtime/device/spec.h"
#include "runtime/device/tensor.h"
#include "runtime/model/segment.h"

namespace lingua {

using TokenId = std::int64_t;

// The token that a sampler gives when logits have a shape and no data (the simulated world).
inline constexpr TokenId kNoToken = -1;

// How the tailer chooses a token from logits.
struct Sampling {
  double temperature = 0;  // 0: the largest logit (greedy); else the logits are divided by it
  std::int64_t top_k = 0;  // only the k most likely tokens; 0: all
  double top_p = 1;        // only the most likely tokens that together reach this probability
  double repetition_penalty = 1;        // of the last tokens; 1: none
  std::int64_t repetition_window = 64;  // how many of the last tokens that is
  std::uint64_t seed = 0;               // with the step's position it decides the draw
  bool operator==(const Sampling&) const = default;
  // Always the largest logit: the rest counts for nothing.
  bool is_greedy() const { return !(temperature > 0) && repetition_penalty == 1; }
};

// client -> coordinator -> header: a request to answer. The number is the client's own at first; the
// coordinator gives it one that no other request of the run has.
struct Submit {
  RequestId request = 0;
  std::vector<Tensor> inputs;   // one for each model input; for a language model the prompt
  std::int64_t max_tokens = 0;  // 0: one pass, whose outputs are the answer
  std::int64_t capacity = 0;    // the most tokens that the request can come to hold
  bool kv_cache = true;         // false: each step recomputes all positions
  std::vector<TokenId> stop_tokens;
  Sampling sampling;
  Epoch epoch = 0;  // in which the header shall run it: the coordinator's to say
  // The coordinator's too, of a request that an earlier epoch has begun: the tokens of its answer so far, and
  // when that header had it.
  std::vector<TokenId> made;
  std::optional<Seconds> started;
  // And: of prompt and `made` the first tokens, whose states the devices of the epoch have.
  std::int64_t cached = 0;
};

// device -> device: the tensors of one step that the receiver needs from the sender.
struct Activations {
  Epoch epoch = 0;
  RequestId request = 0;
  std::int64_t step_index = 0;  // counts the pieces of the prompt, then the tokens after the first
  Step step;
  std::int64_t capacity = 0;
  std::vector<ValueId> values;
  std::vector<Tensor> tensors;  // of values, in the same order
  // For the tailer, whichever device that is. Not set where the header is the tailer.
  // `recent`: the last tokens of the prompt, in step 0 and with a repetition penalty only.
  Sampling sampling;
  std::vector<TokenId> recent;  // what follows, the tailer remembers until Release
  bool prompt_goes_on = false;  // in the next step: no token is chosen after this one
};

// tailer -> header: what the step gave: a token, or the outputs of a single pass.
struct StepResult {
  Epoch epoch = 0;
  RequestId request = 0;
  std::int64_t step_index = 0;
  TokenId token = kNoToken;
  std::vector<Tensor> outputs;
};

// device -> device: what steps that ran as one have for the same receiver, in their order. All of one
// epoch. Not empty.
struct Together {
  Epoch epoch = 0;
  std::vector<Activations> activations;
  std::vector<StepResult> results;
};

// header -> coordinator -> client: one more token, and the end of a request.
struct TokenMade {
  RequestId request = 0;
  std::int64_t index = 0;
  TokenId token = kNoToken;
};
enum class Ending : int { kStop, kLength, kCancelled };
struct Done {
  RequestId request = 0;
  std::vector<TokenId> tokens;
  std::vector<Tensor> outputs;
  Ending ending = Ending::kLength;  // also of a single pass
};

// device -> coordinator -> client: this request is not answered, and why, in one line; all others go on.
struct Refused {
  RequestId request = 0;
  std::string reason;
};

// client -> coordinator -> header: no more tokens of this request; it answers with Done after the step
// that is under way. A request that has ended already is none of its business.
struct Cancel {
  RequestId request = 0;
};

// client -> coordinator: it is there, and will submit requests. The answer comes when the devices are
// ready to serve them. And: it will submit no more.
struct Attach {};
struct Serving {};
struct Detach {};

// coordinator -> devices that run segments: the request is over, its states can go.
struct Release {
  RequestId request = 0;
};

// device -> device, before weights come: can it be reached? And what the device that was reached
// tells the coordinator of it.
struct Probe {
  Epoch epoch = 0;
};
struct Reached {
  Epoch epoch = 0;
  DeviceName from;
};

// device -> coordinator: another device cannot be reached any more, and why, in one line.
struct LinkLost {
  Epoch epoch = 0;
  DeviceName peer;
  std::string reason;
};

// coordinator -> device, when nothing has come for long: what is going on? And the answer, which
// comes when the device is between two segments.
struct AskStanding {};
struct Standing {
  bool busy = false;          // work is at hand that needs nothing from elsewhere
  std::int64_t sent = 0;      // messages to other devices so far
  std::int64_t received = 0;  // and from them
  std::string waits_for;      // what it waits for, for people
};

// coordinator -> device: send the rows of the event log so far; and the rows.
struct AskEvents {};
struct EventRow {
  std::string who;   // a device, or "from->to" for a transfer
  std::string what;  // see events/event_log.h
  SegmentId segment = -1;
  RequestId request = -1;
  std::int64_t step = -1;
  Seconds start{0};
  Seconds end{0};
  double bytes = 0;
};
struct Events {
  std::vector<EventRow> rows;
  bool early =
      false;  // sent unasked, since they have become many; those that are left are asked for
  double peak_memory_bytes = 0;  // of the device's process so far; 0: not known
};

// device -> coordinator, on joining: what it is. (The transport adds where it listens.)
struct Hello {
  DeviceSpec spec;
};

// device -> coordinator, as a by-product of work, where its deployment measures: what it did since the last one.
struct WorkTime {
  std::int64_t runs = 0;  // of segments
  double expected_s = 0;  // by what the plan takes the device for (Measuring)
  double measured_s = 0;
};
struct LinkTime {
  DeviceName from;
  std::int64_t messages = 0;
  double bytes = 0;
  double seconds = 0;  // from send() to arrival, of all
};
struct WorkReport {
  Epoch epoch = 0;
  WorkTime prompts;  // steps of several tokens, and what ran as one with them
  WorkTime tokens;   // steps of one
  std::vector<LinkTime> links;
  std::int64_t queued = 0;  // steps that could run
  Telemetry telemetry;
};

struct AskTelemetry {};
struct TelemetryReport {
  Telemetry telemetry;
};

// coordinator -> device or client: end the loop.
struct Stop {};

// transport -> whoever listens: a peer cannot be reached any more. `from` of the message names it.
struct PeerLost {
  std::string reason;
};

using MessageBody =
    std::variant<Prepare, Lacks, SegmentProgram, WeightChunk, WeightAck, Ready, Retire, Failed,
                 Submit, Activations, StepResult, Together, TokenMade, Done, Refused, Cancel,
                 Release, Attach, Serving, Detach, AskEvents, Events, Hello, AskTelemetry,
                 TelemetryReport, WorkReport, Stop, PeerLost, Probe, Reached, LinkLost, AskStanding,
                 Standing, SendWeights, Suspend, Suspended, SendStates, StateChunk, StateAck,
                 StatesHeld, WeightHeld, Exercise, Exercised, ExerciseLink, Echo, Bulk, LinkTimes>;

struct Message {
  DeviceName from;
  MessageBody body;
  // Filled in by the device: when send() was called and when it arrived, by the clock of the run.
  Seconds sent{0};
  Seconds arrived{0};
  double wire_bytes = 0;
};

// "Activations of request 3, step 7": for logs and errors.
std::string describe(const MessageBody& body);

}  // namespace lingua
