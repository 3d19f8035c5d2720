#include "runtime/engine/worker.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/engine/deployed_stage.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/ended_requests.h"
#include "runtime/engine/exercise.h"
#include "runtime/engine/link_exercise.h"
#include "runtime/engine/memory_ledger.h"
#include "runtime/engine/pending_rows.h"
#include "runtime/engine/refusal.h"
#include "runtime/engine/senders.h"
#include "runtime/engine/shared_frames.h"
#include "runtime/engine/state_carrier.h"
#include "runtime/engine/tailer.h"
#include "runtime/engine/waiting_messages.h"
#include "runtime/engine/weight_giver.h"
#include "runtime/engine/weight_loader.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

// Others may be made up.
constexpr std::size_t kMostRefused = 1024;

class Worker {
 public:
  Worker(Device& device, const WorkerOptions& options)
      : device_(device),
        ledger_(device.spec().memory_bytes),
        loader_(device.name(), ledger_, options.cache),
        states_(ledger_, device.executor()),
        tailer_(options.sampler),
        limits_(options.limits),
        next_look_(limits_.any() ? device.now() : kNever) {}

  void run() {
    while (!stopped_) {
      // Everything that has arrived comes first: it may end or fail what would run next.
      if (next_look_ < kNever && device_.now() >= next_look_) look_at_hardware();
      if (next_to_send() < kNever && device_.now() >= next_to_send()) {
        states_.go_on(device_.now(), effects_);
        giver_.go_on(device_.now(), effects_);
        carry_out();
      }
      const Seconds deadline =
          queue_.empty() ? std::min(next_look_, next_to_send()) : device_.now();
      if (auto message = device_.receive(deadline)) {
        handle(std::move(*message));
      } else if (!queue_.empty()) {
        run_next();
      }
    }
  }

 private:
  // Of no epoch: it is the device that goes, whatever is deployed.
  void look_at_hardware() {
    next_look_ = device_.now() + limits_.look_every;
    const std::string reason = reason_to_leave(limits_, device_.telemetry());
    if (reason.empty()) return;
    const HasLeft left(reason);
    device_.send(kCoordinator, Failed{0, left.what()});
    throw left;
  }

  // Does work whose failure is the coordinator's to decide on: that of a request ends this request, any
  // other the deployment.
  template <class Work>
  void guarded(std::optional<Epoch> epoch, Work work) {
    try {
      work();
      carry_out();
      return;
    } catch (const RequestRefused& refused) {
      refuse(refused.request(), refused.what(), epoch);
    } catch (const Error& error) {
      effects_ = {};
      fail(epoch.value_or(newest()), error.what());
    }
    carry_out();
  }

  // Its steps that are still to come under this epoch are dropped.
  void refuse(RequestId request, const std::string& why, std::optional<Epoch> epoch) {
    const auto deployed = deployed_.find(epoch.value_or(newest()));
    if (deployed != deployed_.end() && deployed->second->dropped.size() < kMostRefused)
      deployed->second->dropped.insert(request);
    for (auto& [other, mine] : deployed_) {
      if (mine->header.holds(request)) mine->dropped.insert(request);
    }
    drop(request);
    effects_.send(kCoordinator, Refused{request, why});
  }

  void fail(Epoch epoch, const std::string& why) {
    effects_.send(kCoordinator, Failed{epoch, why});
    giver_.end(epoch);
    if (loader_.knows(epoch)) retire(epoch);
  }

  Seconds next_to_send() const { return std::min(states_.next(), giver_.next()); }
  // What it says of links from then on is of that epoch, though it may run nothing of it.
  void heard_of(Epoch epoch) { newest_heard_of_ = std::max(newest_heard_of_, epoch); }
  Epoch newest() const { return deployed_.empty() ? 0 : deployed_.rbegin()->first; }

  void carry_out() {
    for (Letter& letter : effects_.letters) {
      if (letter.to != kCoordinator) ++sent_;
      device_.send(letter.to, std::move(letter.body));
    }
    effects_.letters.clear();
    events_.add(effects_.rows);
    while (auto rows = events_.overflow())
      device_.send(kCoordinator, Events{std::move(*rows), true});
    queue_.insert(queue_.end(), effects_.ready.begin(), effects_.ready.end());
    effects_.ready.clear();
  }

  void handle(Message message) {
    if (const auto* lost = std::get_if<PeerLost>(&message.body)) {
      if (message.from == kCoordinator) throw CoordinatorLost(lost->reason);
      states_.lose(message.from);
      giver_.lose(message.from);
      // The coordinator may well reach it: who decides must know.
      device_.send(kCoordinator, LinkLost{newest_heard_of_, message.from, lost->reason});
      return;
    }
    const std::optional<Epoch> epoch = epoch_of(message.body);
    guarded(epoch, [&] {
      const bool from_device = is_between_devices(message.body);
      if (from_device && message.from != kCoordinator) ++received_;
      if (!from_device && message.from != kCoordinator) {
        throw WorldError(fmt::format("{} answers nonsense: only the coordinator may send {}",
                                     message.from, describe(message.body)));
      }
      take(message);
    });
  }

  // A step of an epoch that is coming waits, one of an epoch that is gone is dropped.
  void take(Message& message) {
    const std::optional<Epoch> epoch = epoch_of(message.body);
    const bool is_work = std::holds_alternative<Activations>(message.body) ||
                         std::holds_alternative<StepResult>(message.body) ||
                         std::holds_alternative<Together>(message.body) ||
                         std::holds_alternative<Submit>(message.body);
    if (is_work && !loader_.is_ready(*epoch)) {
      if (*epoch > newest_ready_) waiting_.keep(std::move(message), ledger_.free_bytes());
      return;
    }
    if (is_work && message.from != kCoordinator) deployed_.at(*epoch)->meter.arrived(message);
    std::visit([&](const auto& body) { on(body, message); }, message.body);
  }

  void take_waiting() {
    for (Message& message : waiting_.take_all()) {
      const std::optional<Epoch> epoch = epoch_of(message.body);
      guarded(epoch, [&] { take(message); });
    }
  }

  void on(const Prepare& prepare, const Message&) {
    if (prepare.replaces_all) {
      giver_.end();
      while (!deployed_.empty()) end_work(deployed_.begin()->first);
      states_.clear();
      for (SegmentId id : loader_.make_way_for(prepare)) device_.executor().unload(id);
    }
    heard_of(prepare.epoch);
    loader_.prepare(prepare, device_.now(), effects_);
    auto deployed = std::make_unique<DeployedStage>(prepare, device_.name(), ledger_);
    if (prepare.computing != Computing{})
      device_.executor().compute_with(device_.spec().possible(prepare.computing));
    scheduling_ = prepare.scheduling;
    for (const DeviceName& peer : deployed->stage.wiring().receivers(prepare.header))
      effects_.send(peer, Probe{prepare.epoch});
    deployed_.emplace(prepare.epoch, std::move(deployed));
    load();
  }

  // Loads what can be loaded.
  void load() {
    carry_out();
    while (const auto load = loader_.next_load()) {
      device_.executor().load(*load->segment, *load->program, load->weights);
      loader_.loaded(*load, device_.now(), effects_);
    }
    const std::optional<Epoch> ready = loader_.become_ready(effects_);
    if (!ready) return;
    newest_ready_ = *ready;
    carry_out();
    take_waiting();
  }

  void on(const SegmentProgram& program, const Message&) {
    loader_.take(program);
    load();
  }

  void on(const WeightChunk& chunk, const Message& envelope) {
    loader_.take(chunk, envelope.from, effects_);
    load();
  }

  void on(const SendWeights& order, const Message&) {
    heard_of(order.epoch);
    giver_.take(order, device_.now(), effects_);
  }

  void on(const WeightAck& ack, const Message& envelope) {
    giver_.take(ack, envelope.from, device_.now(), effects_);
  }

  void on(const Retire& gone, const Message&) {
    states_.retire(gone.epoch);
    giver_.end(gone.epoch);
    if (loader_.knows(gone.epoch)) retire(gone.epoch);
  }

  void retire(Epoch epoch) {
    end_work(epoch);
    for (SegmentId id : loader_.retire(epoch)) device_.executor().unload(id);
    giver_.look_at_store();
  }

  // Its steps, and the states of the requests that no other epoch has.
  void end_work(Epoch epoch) {
    for (const RequestId request : ledger_.requests_of(epoch)) leave(request, epoch);
    states_.retire(epoch);
    deployed_.erase(epoch);
    std::erase_if(queue_, [&](const ReadyStep& step) { return step.epoch == epoch; });
    waiting_.drop(epoch);
  }

  void on(const Suspend& suspend, const Message&) {
    Suspended answer{suspend.epoch, suspend.request, 0};
    const auto deployed = deployed_.find(suspend.epoch);
    if (deployed != deployed_.end()) {
      answer.cached = deployed->second->header.cached(suspend.request);
      deployed->second->dropped.insert(suspend.request);
      deployed->second->drop(suspend.request);
    }
    if (suspend.keep) {
      tailer_.release(suspend.request);
      ledger_.share(suspend.request, suspend.next);
    } else {
      leave(suspend.request, suspend.epoch);
    }
    effects_.send(kCoordinator, answer);
  }

  // The states of a request that only this epoch has here go; everything, where no other has any.
  void leave(RequestId request, Epoch epoch) {
    for (const SegmentId segment : ledger_.leave(request, epoch))
      device_.executor().release(request, segment);
    if (ledger_.states_bytes_of(request) == 0) drop(request);
  }

  void on(const SendStates& job, const Message&) {
    heard_of(job.epoch);
    states_.give(
        job, [&](SegmentId id) { return loader_.segment(id); }, device_.now(), effects_);
  }

  void on(const StateChunk& chunk, const Message& envelope) {
    const auto deployed = deployed_.find(chunk.epoch);
    if (deployed == deployed_.end() || !loader_.is_ready(chunk.epoch)) return;
    const Segment* segment = loader_.segment(chunk.segment);
    if (segment == nullptr) {
      throw WorldError(fmt::format("{} answers nonsense: {} is not for this device", envelope.from,
                                   describe(chunk)));
    }
    states_.take(chunk, envelope.from, *segment, deployed->second->has_data,
                 ended_.contains(chunk.request), effects_);
  }

  void on(const StateAck& ack, const Message& envelope) {
    states_.take(ack, envelope.from, device_.now(), effects_);
  }

  void on(const Probe& probe, const Message& envelope) {
    effects_.send(kCoordinator, Reached{probe.epoch, envelope.from});
  }

  void on(const AskStanding&, const Message&) {
    effects_.send(kCoordinator, Standing{!queue_.empty(), sent_, received_, waits_for()});
  }

  std::string waits_for() const {
    for (const auto& [epoch, deployed] : deployed_) {
      if (!loader_.is_ready(epoch)) return "waits for weights";
      if (auto text = deployed->stage.waits_for(); !text.empty()) return text;
      if (auto text = deployed->header.waits_for(); !text.empty()) return text;
    }
    return "waits for work";
  }

  void on(const Submit& submit, const Message& envelope) {
    DeployedStage& deployed = *deployed_.at(submit.epoch);
    if (!deployed.stage.wiring().is_header())
      throw WorldError("a request was submitted to a device that is no header");
    start(deployed, deployed.header.submit(submit, envelope.arrived));
  }

  void start(DeployedStage& deployed, const RequestState* request) {
    if (request != nullptr) deployed.stage.start(*request, device_.now(), effects_);
  }

  void on(const Activations& message, const Message& envelope) {
    take(message, arrival_of(envelope));
  }

  void on(const StepResult& result, const Message& envelope) { take(result, arrival_of(envelope)); }

  // Each as if it had come alone, with its share of the bytes.
  void on(const Together& together, const Message& envelope) {
    const auto is_of_another = [&](const auto& part) { return part.epoch != together.epoch; };
    if (std::any_of(together.activations.begin(), together.activations.end(), is_of_another) ||
        std::any_of(together.results.begin(), together.results.end(), is_of_another)) {
      throw WorldError(fmt::format("{} answers nonsense: {}, with parts of another epoch",
                                   envelope.from, describe(envelope.body)));
    }
    Arrival arrival = arrival_of(envelope);
    arrival.bytes /= static_cast<double>(together.activations.size() + together.results.size());
    for (const Activations& message : together.activations)
      for_request(message.request, message.epoch, [&] { take(message, arrival); });
    for (const StepResult& result : together.results)
      for_request(result.request, result.epoch, [&] { take(result, arrival); });
  }

  static Arrival arrival_of(const Message& envelope) {
    return {envelope.from, envelope.sent, envelope.arrived, envelope.wire_bytes};
  }

  void take(const Activations& message, const Arrival& arrival) {
    DeployedStage& deployed = *deployed_.at(message.epoch);
    if (ended_.contains(message.request) || deployed.dropped.contains(message.request)) return;
    deployed.stage.take(message, arrival, device_.now(), effects_);
  }

  void take(const StepResult& result, const Arrival& arrival) {
    DeployedStage& deployed = *deployed_.at(result.epoch);
    if (ended_.contains(result.request) || deployed.dropped.contains(result.request)) return;
    if (arrival.from != deployed.tailer_name) {
      throw WorldError(fmt::format("{} answers nonsense: {} is for the tailer to send",
                                   arrival.from, describe(result)));
    }
    effects_.rows.push_back({arrival.from + "->" + device_.name(), event::kResult, -1,
                             result.request, result.step_index, arrival.sent, arrival.arrived,
                             arrival.bytes});
    start(deployed, deployed.header.take(result, device_.now(), effects_));
  }

  void run_next() {
    const std::vector<ReadyStep> batch =
        take_steps(queue_, next_batch(queue_, scheduling_, ledger_.free_bytes()));
    guarded(batch.front().epoch, [&] { run(*deployed_.at(batch.front().epoch), batch); });
  }

  void run(DeployedStage& deployed, const std::vector<ReadyStep>& batch) {
    StageRunner& stage = deployed.stage;
    stage.begin(batch);
    while (stage.next_call(call_)) {
      const Seconds start = device_.now();
      std::vector<SegmentResult> results = device_.executor().run(call_.segment, call_.batch);
      std::vector<RequestRefused> refused;
      for (std::size_t i = 0; i < results.size(); ++i) {
        if (!results[i].error.empty())
          refused.emplace_back(call_.batch[i].context.request, results[i].error);
      }
      const Seconds end = device_.now();
      deployed.meter.ran(call_.segment, call_.batch, end - start);
      stage.take_results(std::move(results), start, end, effects_);
      for (const RequestRefused& request : refused)
        refuse(request.request(), request.what(), stage.epoch());
    }
    for (StageRunner::StepOutput& output : stage.finish(device_.now(), effects_))
      pass_on(deployed, std::move(output));
    if (stage.wiring().is_header() && batch.front().part == 0) {
      for (const ReadyStep& step : batch) {
        for_request(step.request, stage.epoch(),
                    [&] { start(deployed, deployed.header.next_piece(step.request)); });
      }
    }
    if (deployed.shares_frames && batch.size() > 1) share_frames(effects_.letters);
    if (deployed.meter.is_due(device_.now())) {
      effects_.send(kCoordinator, deployed.meter.report(device_.now(), stage.epoch(), queue_.size(),
                                                        device_.telemetry()));
    }
  }

  // What came of a step, to the header.
  void pass_on(DeployedStage& deployed, StageRunner::StepOutput output) {
    const RequestId request = output.request;
    for_request(request, deployed.stage.epoch(), [&] {
      StepResult result = tailer_.result_of(std::move(output), deployed.stage.epoch());
      if (deployed.stage.wiring().is_header()) {
        start(deployed, deployed.header.take(std::move(result), device_.now(), effects_));
      } else {
        effects_.send(deployed.header_name, std::move(result));
      }
    });
  }

  // Refuses one request of several, and the work goes on with the others.
  template <class Work>
  void for_request(RequestId request, Epoch epoch, Work work) {
    try {
      work();
    } catch (const RequestRefused& refused) {
      refuse(request, refused.what(), epoch);
    }
  }

  void on(const Cancel& cancel, const Message&) {
    for (auto& [epoch, deployed] : deployed_) deployed->header.cancel(cancel.request);
  }

  void on(const Release& release, const Message&) {
    ended_.add(release.request);
    for (auto& [epoch, deployed] : deployed_) deployed->dropped.erase(release.request);
    drop(release.request);
  }

  // Everything that is held for a request.
  void drop(RequestId request) {
    for (auto& [epoch, deployed] : deployed_) {
      deployed->drop(request);
    }
    device_.executor().release(request);
    ledger_.release(request);
    tailer_.release(request);
  }

  void on(const AskEvents&, const Message&) {
    effects_.send(kCoordinator, Events{events_.take_all(), false, device_.peak_memory_bytes()});
  }

  void on(const AskTelemetry&, const Message&) {
    Telemetry telemetry = device_.telemetry();
    telemetry.free_memory_bytes = std::min(telemetry.free_memory_bytes, ledger_.free_bytes());
    effects_.send(kCoordinator, TelemetryReport{telemetry});
  }

  void on(const Exercise& order, const Message&) {
    effects_.send(kCoordinator, exercise(device_, order, ledger_.free_bytes()));
  }

  void on(const Stop&, const Message&) { stopped_ = true; }

  // What measures links, and messages that a worker never gets.
  template <class Body>
  void on(const Body& body, const Message& envelope) {
    if constexpr (requires { links_.take(body, envelope, Seconds(0), effects_); }) {
      links_.take(body, envelope, device_.now(), effects_);
    } else {
      throw WorldError(fmt::format("{} answers nonsense: {} is not for a worker", envelope.from,
                                   describe(body)));
    }
  }

  Device& device_;
  bool stopped_ = false;
  MemoryLedger ledger_;
  WeightLoader loader_;
  StateCarrier states_;
  WeightGiver giver_{loader_.store()};
  Tailer tailer_;
  const HardwareLimits limits_;
  Seconds next_look_;
  std::map<Epoch, std::unique_ptr<DeployedStage>> deployed_;
  Epoch newest_ready_ = 0;
  Epoch newest_heard_of_ = 0;
  WaitingMessages waiting_;  // for an epoch that is coming
  std::vector<ReadyStep> queue_;
  Scheduling scheduling_;  // of the newest deployment
  EndedRequests ended_;
  LinkExercise links_;
  StageRunner::Call call_;
  Effects effects_;
  PendingRows events_;
  std::int64_t sent_ = 0;  // to other devices, and received from them
  std::int64_t received_ = 0;
};

}  // namespace

void run_worker(Device& device, const WorkerOptions& options) { Worker(device, options).run(); }

}  // namespace lingua
