#include "runtime/engine/worker.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <unordered_map>

#include "runtime/base/errors.h"
#include "runtime/engine/answer_checks.h"
#include "runtime/engine/request_state.h"
#include "runtime/engine/stage_wiring.h"
#include "runtime/engine/state_ledger.h"
#include "runtime/engine/weight_store.h"
#include "runtime/events/event_log.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

// One step of one request on this device, from its first tensor until its last run.
struct PendingStep {
  Step step;
  std::int64_t capacity = 0;
  Sampling sampling;
  std::vector<TokenId> recent;  // of step 0
  std::vector<Tensor> slots;
  std::vector<char> filled;
  std::size_t part = 0;      // that runs next
  bool queued = false;       // to run it
  std::vector<int> missing;  // by part
};

class Worker {
 public:
  Worker(Device& device, const WorkerOptions& options) : device_(device), options_(options) {}

  void run() {
    while (!stopped_) {
      // Everything that has arrived comes first: it may end or fail what would run next.
      const Seconds deadline = ready_.empty() ? kNever : device_.now();
      if (auto message = device_.receive(deadline)) {
        handle(*message);
      } else if (!ready_.empty()) {
        guarded([&] { run_next(); });
      }
    }
  }

 private:
  using StepKey = std::pair<RequestId, std::int64_t>;

  // Runs work whose failure is the coordinator's to decide on.
  template <class Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const Error& error) {
      ready_.clear();
      pending_.clear();
      device_.send(kCoordinator, Failed{epoch_, error.what()});
    }
  }

  void handle(const Message& message) {
    if (const auto* lost = std::get_if<PeerLost>(&message.body)) {
      if (message.from == kCoordinator) {
        throw WorldError(fmt::format("the coordinator was lost: {}", lost->reason));
      }
      // The coordinator may well reach it: who decides must know.
      device_.send(kCoordinator, LinkLost{epoch_, message.from, lost->reason});
      return;
    }
    guarded([&] {
      const bool from_device = std::holds_alternative<Activations>(message.body) ||
                               std::holds_alternative<StepResult>(message.body) ||
                               std::holds_alternative<Probe>(message.body);
      if (from_device && message.from != kCoordinator) ++received_;
      if (!from_device && message.from != kCoordinator) {
        throw WorldError(fmt::format("{} answers nonsense: only the coordinator may send {}",
                                     message.from, describe(message.body)));
      }
      std::visit([&](const auto& body) { on(body, message); }, message.body);
    });
  }

  void on(const Prepare& prepare, const Message&) {
    double bytes = 0;
    std::vector<std::string> names;
    for (const Segment& segment : prepare.segments) {
      for (const WeightSpec& weight : segment.weights) {
        if (std::find(names.begin(), names.end(), weight.name) != names.end()) continue;
        names.push_back(weight.name);
        bytes += static_cast<double>(weight.bytes());
      }
    }
    if (bytes > device_.spec().memory_bytes) {
      const auto [needed, has] = format_apart(bytes, device_.spec().memory_bytes, Unit::kBytes);
      throw WorldError(fmt::format("weights of {} do not fit the memory of {}", needed, has));
    }
    wiring_ = StageWiring(prepare, device_.spec().name);
    for (const Segment& old : prepare_.segments) device_.executor().unload(old.id);
    epoch_ = prepare.epoch;
    prepare_ = prepare;
    has_data_ = !prepare.programs.empty();
    load_start_ = device_.now();
    ready_sent_ = false;
    requests_.clear();
    pending_.clear();
    ready_.clear();
    recent_.clear();
    states_.reset(running_segments());
    weights_.keep_only(names);
    loaded_.assign(prepare.segments.size(), 0);
    for (const Segment& segment : prepare.segments) {
      for (const WeightSpec& weight : segment.weights) weights_.expect(weight);
    }
    if (prepare.threads > 0) device_.executor().set_threads(prepare.threads);
    for (const DeviceName& peer : wiring_.receivers(prepare.header))
      send_to_device(peer, Probe{epoch_});
    load_complete_segments();
  }

  std::vector<const Segment*> running_segments() const {
    std::vector<const Segment*> running;
    for (const StageWiring::Part& part : wiring_.parts()) {
      for (const StageWiring::SegmentSlots& slots : part.segments) {
        for (const Segment& segment : prepare_.segments) {
          if (segment.id == slots.id) running.push_back(&segment);
        }
      }
    }
    return running;
  }

  void send_to_device(const DeviceName& to, MessageBody body) {
    ++sent_;
    device_.send(to, std::move(body));
  }

  void on(const Probe& probe, const Message& envelope) {
    device_.send(kCoordinator, Reached{probe.epoch, envelope.from});
  }

  void on(const AskStanding&, const Message& envelope) {
    device_.send(envelope.from, Standing{!ready_.empty(), sent_, received_, standing()});
  }

  std::string standing() const {
    if (!ready_sent_) return "waits for weights";
    if (!pending_.empty()) {
      const auto& [key, pending] = *pending_.begin();
      return fmt::format("waits for tensors of step {} of request {}", key.second, key.first);
    }
    if (requests_.empty()) return "waits for work";
    const auto& [id, request] = *requests_.begin();
    return fmt::format("waits for the result of step {} of request {}", request.step_index(), id);
  }

  void on(const WeightChunk& chunk, const Message&) {
    if (chunk.epoch != epoch_) return;  // of a deployment that has been replaced
    const bool complete = weights_.receive(chunk);
    device_.send(kCoordinator, WeightAck{epoch_, chunk.weight, chunk.offset});
    if (complete) load_complete_segments();
  }

  void load_complete_segments() {
    for (std::size_t i = 0; i < prepare_.segments.size(); ++i) {
      const Segment& segment = prepare_.segments[i];
      const bool complete =
          std::all_of(segment.weights.begin(), segment.weights.end(),
                      [&](const WeightSpec& w) { return weights_.complete(w.name); });
      if (loaded_[i] || !complete) continue;
      std::vector<Tensor> tensors;
      for (const WeightSpec& weight : segment.weights)
        tensors.push_back(weights_.tensor(weight.name));
      device_.executor().load(segment, i < prepare_.programs.size() ? prepare_.programs[i] : "",
                              tensors);
      loaded_[i] = 1;
      prepare_.programs.resize(prepare_.segments.size());
      prepare_.programs[i].clear();
      events_.push_back({device_.spec().name, event::kLoad, segment.id, -1, -1, load_start_,
                         device_.now(), segment.weights_bytes()});
      load_start_ = device_.now();  // weights come one after the other
    }
    if (ready_sent_ || std::find(loaded_.begin(), loaded_.end(), 0) != loaded_.end()) return;
    ready_sent_ = true;
    device_.send(kCoordinator, Ready{epoch_});
  }

  void on(const Submit& submit, const Message& envelope) {
    if (!wiring_.is_header())
      throw WorldError("a request was submitted to a device that is no header");
    check_ready(submit, envelope);
    check_submit(submit, prepare_.model_inputs);
    for (std::size_t i = 0; i < submit.inputs.size(); ++i) {
      if (has_data_ && !submit.inputs[i].has_data()) {
        throw WorldError(fmt::format("request {} is refused: input {} has no contents",
                                     submit.request, prepare_.model_inputs[i].name));
      }
    }
    const auto [place, is_new] = requests_.try_emplace(
        submit.request, RequestState(submit, prepare_.model_inputs, envelope.arrived));
    if (!is_new) throw WorldError(fmt::format("request {} was submitted twice", submit.request));
    start_step(place->second);
  }

  template <class Body>
  void check_ready(const Body& body, const Message& envelope) const {
    if (ready_sent_) return;
    throw WorldError(
        fmt::format("{} sent {} before this device was ready", envelope.from, describe(body)));
  }

  void start_step(const RequestState& request) {
    PendingStep& pending =
        pending_step({request.id(), request.step_index()}, request.step(), request.capacity());
    pending.sampling = request.sampling();
    pending.recent = request.recent();
    const auto inputs = request.step_inputs();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto slot = static_cast<std::size_t>(wiring_.model_inputs()[i]);
      pending.slots[slot] = inputs[i];
      pending.filled[slot] = 1;
    }
    mark_ready_when_complete({request.id(), request.step_index()}, pending);
  }

  PendingStep& pending_step(StepKey key, const Step& step, std::int64_t capacity) {
    if (!pending_.contains(key)) {
      states_.admit(key.first, step, capacity, device_.spec().memory_bytes - weights_.bytes());
    }
    const auto [place, is_new] = pending_.try_emplace(key);
    PendingStep& pending = place->second;
    if (is_new) {
      pending.step = step;
      pending.capacity = capacity;
      pending.slots.resize(static_cast<std::size_t>(wiring_.slots()));
      pending.filled.resize(pending.slots.size(), 0);
      for (const StageWiring::Part& part : wiring_.parts())
        pending.missing.push_back(part.external_inputs);
    }
    return pending;
  }

  void mark_ready_when_complete(StepKey key, PendingStep& pending) {
    if (pending.queued || pending.part == pending.missing.size()) return;
    if (pending.missing[pending.part] > 0) return;
    pending.queued = true;
    ready_.push_back({key.first, key.second, device_.now()});
  }

  void on(const Activations& message, const Message& envelope) {
    if (message.epoch != epoch_) return;
    check_ready(message, envelope);
    const StepKey key{message.request, message.step_index};
    if (wiring_.is_header() && !pending_.contains(key)) {
      throw WorldError(fmt::format("{} answers nonsense: {} is not under way here", envelope.from,
                                   describe(message)));
    }
    PendingStep& pending = pending_step(key, message.step, message.capacity);
    if (pending.step != message.step || pending.capacity != message.capacity) {
      throw WorldError(fmt::format("{} answers nonsense: two shapes for one step", envelope.from));
    }
    if (!wiring_.is_header()) {  // which knows them
      pending.sampling = message.sampling;
      pending.recent = message.recent;
    }
    for (std::size_t i = 0; i < message.values.size(); ++i) {
      const int slot = wiring_.incoming_slot(message.values[i]);
      if (slot < 0 || i >= message.tensors.size()) {
        throw WorldError(
            fmt::format("{} answers nonsense: it sent value {}, which is not used here",
                        envelope.from, message.values[i]));
      }
      check_tensor(message.tensors[i], wiring_.spec(slot), message.step, envelope.from);
      const auto index = static_cast<std::size_t>(slot);
      if (pending.filled[index]) continue;
      pending.filled[index] = 1;
      pending.slots[index] = message.tensors[i];
      --pending.missing[static_cast<std::size_t>(wiring_.waiting_part(slot))];
    }
    events_.push_back({envelope.from + "->" + device_.spec().name, event::kTransfer,
                       first_segment_of(pending), message.request, message.step_index,
                       envelope.sent, envelope.arrived, envelope.wire_bytes});
    mark_ready_when_complete(key, pending);
  }

  // Of the part that runs next.
  SegmentId first_segment_of(const PendingStep& pending) const {
    const auto& parts = wiring_.parts();
    return pending.part < parts.size() ? parts[pending.part].segments.front().id : -1;
  }

  void check_tensor(const Tensor& tensor, const TensorSpec& spec, const Step& step,
                    const DeviceName& from) const {
    const bool passes = spec.name.empty() && spec.dims.empty();  // an output, on to the tailer
    const std::string wrong = !passes ? wrong_tensor(tensor, spec, step, has_data_)
                              : has_data_ && !tensor.has_data() ? "no contents"
                                                                : "";
    if (wrong.empty()) return;
    throw WorldError(fmt::format("{} answers nonsense: value {} ('{}') has {}", from, spec.value,
                                 spec.name, wrong));
  }

  // The tensor of a slot, and no longer in the buffer after its last use.
  static Tensor read(PendingStep& pending, StageWiring::Use use) {
    Tensor& tensor = pending.slots[static_cast<std::size_t>(use.slot)];
    return use.last ? std::move(tensor) : tensor;
  }

  void run_next() {
    const std::size_t index = next_step(ready_);
    const StepKey key{ready_[index].request, ready_[index].step_index};
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(index));
    PendingStep& pending = pending_.at(key);
    const StageWiring::Part& part = wiring_.parts()[pending.part];
    const StepContext context{key.first, pending.step, pending.capacity};
    std::vector<Tensor> inputs;
    for (const StageWiring::SegmentSlots& segment : part.segments) {
      inputs.clear();
      for (const auto& use : segment.inputs) inputs.push_back(read(pending, use));
      const Seconds start = device_.now();
      auto outputs = device_.executor().run(segment.id, context, inputs);
      LINGUA_CHECK(outputs.size() == segment.outputs.size());
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        pending.slots[static_cast<std::size_t>(segment.outputs[i])] = std::move(outputs[i]);
      }
      events_.push_back({device_.spec().name, event::kCompute, segment.id, key.first, key.second,
                         start, device_.now(), segment.output_bytes.at(pending.step)});
    }
    send_activations(key, part, pending);
    pending.queued = false;
    if (++pending.part < wiring_.parts().size()) {
      mark_ready_when_complete(key, pending);
      return;
    }
    const auto node = pending_.extract(key);
    if (wiring_.is_tailer()) give_result(key, node.mapped());
  }

  void send_activations(StepKey key, const StageWiring::Part& part, PendingStep& pending) {
    const bool chooses_token = wiring_.is_header() && wiring_.is_tailer();
    for (const StageWiring::Outgoing& out : part.outgoing) {
      Activations message{epoch_, key.first, key.second, pending.step, pending.capacity, out.values,
                          {},     {},        {}};
      if (!chooses_token) {  // else they are nobody else's business
        message.sampling = pending.sampling;
        message.recent = pending.recent;
      }
      message.tensors.reserve(out.slots.size());
      for (const auto& use : out.slots) message.tensors.push_back(read(pending, use));
      send_to_device(out.to, std::move(message));
    }
  }

  void give_result(StepKey key, const PendingStep& pending) {
    StepResult result{epoch_, key.first, key.second, kNoToken, {}};
    std::vector<Tensor> outputs;
    for (int slot : wiring_.model_outputs())
      outputs.push_back(pending.slots[static_cast<std::size_t>(slot)]);
    if (pending.capacity > 0) {
      LINGUA_CHECK(!outputs.empty());
      result.token = choose_token(outputs.front(), key, pending);
    } else {
      result.outputs = std::move(outputs);
    }
    if (wiring_.is_header()) {
      take_result(std::move(result));
    } else {
      send_to_device(prepare_.header, std::move(result));
    }
  }

  TokenId choose_token(const Tensor& logits, StepKey key, const PendingStep& pending) {
    if (!options_.sampler && !pending.sampling.is_greedy()) {
      throw WorldError("this device chooses tokens greedily only, the request asks for sampling");
    }
    if (!options_.sampler) return greedy_token(logits);
    const std::int64_t position = pending.step.new_tokens + pending.step.cached_tokens;
    if (pending.sampling.repetition_penalty == 1) {
      return options_.sampler(logits, {pending.sampling, position, {}});
    }
    if (key.second == 0) recent_[key.first] = pending.recent;
    const auto found = recent_.find(key.first);
    if (found == recent_.end()) {
      throw WorldError(
          fmt::format("step {} of request {} has a repetition penalty, but its prompt's last "
                      "tokens never came with step 0",
                      key.second, key.first));
    }
    std::vector<TokenId>& recent = found->second;
    const TokenId token = options_.sampler(logits, {pending.sampling, position, recent});
    recent.push_back(token);
    const auto window = static_cast<std::size_t>(pending.sampling.repetition_window);
    if (recent.size() > window)
      recent.erase(recent.begin(), recent.end() - static_cast<std::ptrdiff_t>(window));
    return token;
  }

  void on(const StepResult& result, const Message& envelope) {
    if (result.epoch != epoch_) return;
    if (envelope.from != prepare_.tailer) {
      throw WorldError(fmt::format("{} answers nonsense: {} is for the tailer to send",
                                   envelope.from, describe(result)));
    }
    events_.push_back({envelope.from + "->" + device_.spec().name, event::kResult, -1,
                       result.request, result.step_index, envelope.sent, envelope.arrived,
                       envelope.wire_bytes});
    take_result(result);
  }

  void take_result(StepResult result) {
    const auto place = requests_.find(result.request);
    if (place == requests_.end() || place->second.step_index() != result.step_index) {
      throw WorldError(
          fmt::format("a result for step {} of request {} came, which is not under way",
                      result.step_index, result.request));
    }
    RequestState& request = place->second;
    const Seconds now = device_.now();
    const DeviceName& self = device_.spec().name;
    events_.push_back(
        {self, event::kStep, -1, request.id(), request.step_index(), request.step_start(), now, 0});
    bool ended = true;
    if (request.generates()) {
      const auto index = static_cast<std::int64_t>(request.tokens().size());
      ended = request.take(result.token, now);
      device_.send(kCoordinator, TokenMade{request.id(), index, result.token});
    }
    if (!ended) {
      start_step(request);
      return;
    }
    events_.push_back({self, event::kRequest, -1, request.id(), -1, request.start(), now, 0});
    device_.send(kCoordinator, Done{request.id(), request.tokens(), std::move(result.outputs)});
    requests_.erase(place);
  }

  void on(const Cancel& cancel, const Message&) {
    const auto place = requests_.find(cancel.request);
    if (place != requests_.end()) place->second.cancel();
  }

  void on(const Release& release, const Message&) {
    device_.executor().release(release.request);
    states_.release(release.request);
    recent_.erase(release.request);
  }

  void on(const AskEvents&, const Message& envelope) {
    device_.send(envelope.from, Events{{std::make_move_iterator(events_.begin()),
                                        std::make_move_iterator(events_.end())}});
    events_.clear();
  }

  void on(const AskTelemetry&, const Message& envelope) {
    device_.send(envelope.from, TelemetryReport{device_.telemetry()});
  }

  void on(const Stop&, const Message&) { stopped_ = true; }

  // Messages that a worker never gets.
  template <class Body>
  void on(const Body& body, const Message& envelope) {
    throw WorldError(
        fmt::format("{} answers nonsense: {} is not for a worker", envelope.from, describe(body)));
  }

  Device& device_;
  const WorkerOptions& options_;
  bool stopped_ = false;
  Epoch epoch_ = 0;
  Prepare prepare_;
  bool has_data_ = false;  // it brought programs, which take tensors with contents
  Seconds load_start_{0};
  bool ready_sent_ = false;
  StageWiring wiring_;
  WeightStore weights_;
  std::vector<char> loaded_;                    // by segment of prepare_
  std::map<RequestId, RequestState> requests_;  // at the header
  std::map<StepKey, PendingStep> pending_;
  std::vector<ReadyStep> ready_;
  std::map<RequestId, std::vector<TokenId>> recent_;  // what the penalty looks at; at the tailer
  StateLedger states_;
  std::deque<EventRow> events_;
  std::int64_t sent_ = 0;  // to other devices, and received from them
  std::int64_t received_ = 0;
};

}  // namespace

void run_worker(Device& device, const WorkerOptions& options) { Worker(device, options).run(); }

}  // namespace lingua
