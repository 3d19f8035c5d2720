#pragma once
// A device that faults hit: a decorator, and one of its executor. See fault_injector.h.

#include <deque>
#include <memory>
#include <vector>

#include "runtime/device/device.h"
#include "sim/fault/fault_injector.h"

namespace lingua {

// Fails where it is told to.
class FaultyExecutor final : public Executor {
 public:
  // REQUIRES: the inner one outlives it. `on_strike` is called with each fault that strikes.
  FaultyExecutor(Executor& inner, std::vector<Fault> faults,
                 std::function<void(const Fault&)> on_strike)
      : inner_(inner), faults_(std::move(faults)), on_strike_(std::move(on_strike)) {}

  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override;
  void unload(SegmentId segment) override { inner_.unload(segment); }
  std::vector<SegmentResult> run(SegmentId segment, const std::vector<SegmentStep>& batch) override;
  void release(RequestId request) override { inner_.release(request); }
  void release(RequestId request, SegmentId segment) override { inner_.release(request, segment); }
  std::vector<Tensor> read_states(SegmentId segment, RequestId request, std::int64_t first,
                                  std::int64_t end) override {
    return inner_.read_states(segment, request, first, end);
  }
  void write_states(SegmentId segment, RequestId request, std::int64_t capacity, std::int64_t first,
                    const std::vector<Tensor>& states) override {
    inner_.write_states(segment, request, capacity, first, states);
  }
  void compute_with(const Computing& computing) override { inner_.compute_with(computing); }
  Work exert(const Exertion& exertion) override { return inner_.exert(exertion); }

 private:
  bool strikes(FaultKind kind, int count) const;

  Executor& inner_;
  const std::vector<Fault> faults_;
  const std::function<void(const Fault&)> on_strike_;
  int loads_ = 0;
  int runs_ = 0;
};

class FaultyDevice final : public Device {
 public:
  // One that has come back neither lies nor pauses again.
  FaultyDevice(Device& inner, FaultInjector& injector, bool is_first);

  const DeviceName& name() const override { return inner_.name(); }
  Seconds now() override { return inner_.now(); }
  void send(const DeviceName& to, MessageBody body) override;
  std::optional<Message> receive(Seconds deadline) override;
  Executor& executor() override;
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override;

 private:
  // Of those that it brings on itself.
  bool is_due(const Fault& own);
  void strike_before(int message);
  void be_silent_for(Seconds time);
  void pass_on(const DeviceName& to, MessageBody body);
  void lie_beside(const DeviceName& to, const MessageBody& body);
  void say(const DeviceName& to, const MessageBody& body);

  Device& inner_;
  FaultInjector& injector_;
  DeviceSpec spec_;
  std::vector<Fault> lies_;  // still to tell
  std::vector<Fault> pauses_;
  std::deque<Message> waiting_;  // that came while it was silent
  std::unique_ptr<FaultyExecutor> executor_;
};

}  // namespace lingua
