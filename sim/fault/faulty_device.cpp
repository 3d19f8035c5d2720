#include "sim/fault/faulty_device.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "sim/fault/lies.h"

namespace lingua {
namespace {

constexpr Seconds kInstant{1e-6};  // for what strikes now to have struck

std::vector<Fault> faults_of(const FaultPlan& plan, const DeviceName& device) {
  std::vector<Fault> faults = plan.faults;
  std::erase_if(faults, [&](const Fault& fault) { return fault.device != device; });
  return faults;
}

}  // namespace

bool FaultyExecutor::strikes(FaultKind kind, int count) const {
  for (const Fault& fault : faults_) {
    if (fault.kind != kind || fault.count != count) continue;
    on_strike_(fault);
    return true;
  }
  return false;
}

void FaultyExecutor::load(const Segment& segment, const std::string& program,
                          const std::vector<Tensor>& weights) {
  if (strikes(FaultKind::kLoadFails, ++loads_))
    throw WorldError(fmt::format("segment {} cannot be loaded: no memory is left", segment.id));
  inner_.load(segment, program, weights);
}

std::vector<SegmentResult> FaultyExecutor::run(SegmentId segment,
                                               const std::vector<SegmentStep>& batch) {
  if (!strikes(FaultKind::kRunFails, ++runs_)) return inner_.run(segment, batch);
  std::vector<SegmentStep> others(batch.begin() + 1, batch.end());
  std::vector<SegmentResult> results;
  if (!others.empty()) results = inner_.run(segment, others);
  results.insert(results.begin(), SegmentResult{{}, "no memory is left for the step"});
  return results;
}

FaultyDevice::FaultyDevice(Device& inner, FaultInjector& injector, bool is_first)
    : inner_(inner), injector_(injector), spec_(inner.spec()) {
  for (const Fault& fault : faults_of(injector.plan_, name())) {
    if (is_first && fault.kind == FaultKind::kLie) lies_.push_back(fault);
    if (is_first && fault.kind == FaultKind::kPause) pauses_.push_back(fault);
    if (fault.kind != FaultKind::kLessMemory) continue;
    injector_.note(fault, inner_.now());
    spec_.memory_bytes *= fault.factor;
  }
}

Executor& FaultyDevice::executor() {
  if (!executor_) {
    executor_ = std::make_unique<FaultyExecutor>(
        inner_.executor(), faults_of(injector_.plan_, name()),
        [this](const Fault& fault) { injector_.note(fault, inner_.now()); });
  }
  return *executor_;
}

Telemetry FaultyDevice::telemetry() {
  Telemetry telemetry = inner_.telemetry();
  telemetry.free_memory_bytes = std::min(telemetry.free_memory_bytes, spec_.memory_bytes);
  return telemetry;
}

std::optional<Message> FaultyDevice::receive(Seconds deadline) {
  if (waiting_.empty()) return inner_.receive(deadline);
  Message message = std::move(waiting_.front());
  waiting_.pop_front();
  return message;
}

void FaultyDevice::send(const DeviceName& to, MessageBody body) {
  if (std::holds_alternative<Stop>(body)) {
    inner_.send(to, std::move(body));
    return;
  }
  strike_before(++injector_.sent_[name()]);
  pass_on(to, std::move(body));
}

bool FaultyDevice::is_due(const Fault& own) {
  return own.when.sender.empty() ? own.when.time <= inner_.now()
                                 : own.when.message <= injector_.sent_[name()];
}

void FaultyDevice::strike_before(int message) {
  for (const Fault& fault : injector_.plan_.faults) {
    const bool is_own = fault.kind == FaultKind::kLie || fault.kind == FaultKind::kPause;
    if (is_own || fault.when.sender != name() || fault.when.message != message) continue;
    injector_.strike(fault, inner_.now());
    const bool ends = fault.kind == FaultKind::kKill || fault.kind == FaultKind::kReturn ||
                      fault.kind == FaultKind::kHang;
    be_silent_for(ends && fault.device == name() ? kNever : kInstant);
  }
  const auto due = std::find_if(pauses_.begin(), pauses_.end(),
                                [&](const Fault& fault) { return is_due(fault); });
  if (due == pauses_.end()) return;
  injector_.note(*due, inner_.now());
  const Seconds lasts = due->lasts;
  pauses_.erase(due);
  be_silent_for(lasts);
}

void FaultyDevice::be_silent_for(Seconds time) {
  const Seconds until = time >= kNever ? kNever : inner_.now() + time;
  while (auto message = inner_.receive(until)) waiting_.push_back(std::move(*message));
}

void FaultyDevice::pass_on(const DeviceName& to, MessageBody body) {
  if (!is_client(to)) {
    injector_.note_sent(name(), to, inner_.now());
    lie_beside(to, body);
  }
  inner_.send(to, std::move(body));
}

void FaultyDevice::lie_beside(const DeviceName& to, const MessageBody& body) {
  for (auto fault = lies_.begin(); fault != lies_.end();) {
    const auto said =
        is_due(*fault) ? lie_about(body, fault->lie, injector_.rng_) : std::optional<MessageBody>();
    if (!said) {
      ++fault;
      continue;
    }
    injector_.note(*fault, inner_.now());
    injector_.struck_.back() += fmt::format(" (to {}: {})", to, describe(*said));
    fault = lies_.erase(fault);
    say(to, *said);
  }
}

void FaultyDevice::say(const DeviceName& to, const MessageBody& body) {
  const auto& over_the_wire = injector_.options_.over_the_wire;
  try {
    inner_.send(to, over_the_wire ? over_the_wire(body) : body);
  } catch (const InputError& error) {
    injector_.cluster_.lose_at(inner_.now(), to, name(),
                               fmt::format("answers nonsense: {}", error.what()));
  }
}

}  // namespace lingua
