#pragma once
// What must hold whatever strikes. Each check notes violations, one line each, and changes nothing.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/plan/membership.h"
#include "tests/stress/scenario.h"

namespace lingua::testing {

using Violations = std::vector<std::string>;

// How a request must end when it is answered.
struct Expected {
  std::vector<TokenId> tokens;
  Ending ending = Ending::kLength;
  TokenId of_single_pass = kNoToken;  // that the outputs' largest logit stands for
  int cancelled_after = 0;            // tokens; 0: never
};
Expected expected_of(const Scenario& scenario, RequestId request);

// A client's mailbox: every token is that of a plain loop and comes once and in order, every request ends once,
// answered in full or refused with a reason.
class WatchedClient final : public Mailbox {
 public:
  WatchedClient(Mailbox& inner, const Scenario& scenario, Violations& violations)
      : inner_(inner), scenario_(scenario), violations_(violations) {}

  const DeviceName& name() const override { return inner_.name(); }
  Seconds now() override { return inner_.now(); }
  void send(const DeviceName& to, MessageBody body) override { inner_.send(to, std::move(body)); }
  std::optional<Message> receive(Seconds deadline) override;

  int answered() const { return answered_; }
  int refused() const { return refused_; }
  const std::string& last_reason() const { return last_reason_; }  // of a refusal
  // All that came, with its times to the last bit.
  const std::string& log() const { return log_; }

 private:
  void take(const TokenMade& token);
  void take(const Done& done);
  void take(const Refused& refused);
  void end(RequestId request);

  Mailbox& inner_;
  const Scenario& scenario_;
  Violations& violations_;
  std::map<RequestId, std::vector<TokenId>> tokens_;
  std::set<RequestId> ended_;
  int answered_ = 0;
  int refused_ = 0;
  std::string last_reason_;
  std::string log_;
};

// Numerics that never take more memory than the device has: weights, each name once, the states of requests,
// and the activations of what runs.
class MeteredExecutor final : public Executor {
 public:
  MeteredExecutor(std::unique_ptr<Executor> inner, DeviceName device, double memory_bytes,
                  Violations& violations)
      : inner_(std::move(inner)),
        device_(std::move(device)),
        memory_bytes_(memory_bytes),
        violations_(violations) {}

  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override;
  void unload(SegmentId segment) override;
  std::vector<SegmentResult> run(SegmentId segment, const std::vector<SegmentStep>& batch) override;
  void release(RequestId request) override;
  void release(RequestId request, SegmentId segment) override;
  std::vector<Tensor> read_states(SegmentId segment, RequestId request, std::int64_t first,
                                  std::int64_t end) override {
    return inner_->read_states(segment, request, first, end);
  }
  void write_states(SegmentId segment, RequestId request, std::int64_t capacity, std::int64_t first,
                    const std::vector<Tensor>& states) override;
  void compute_with(const Computing& computing) override { inner_->compute_with(computing); }
  Work exert(const Exertion& exertion) override { return inner_->exert(exertion); }

 private:
  void check(double activation_bytes, const char* when);

  const std::unique_ptr<Executor> inner_;
  const DeviceName device_;
  const double memory_bytes_;
  Violations& violations_;
  std::map<SegmentId, Segment> segments_;
  std::map<std::pair<RequestId, SegmentId>, double> states_;  // bytes
};

// Whom a loss that the coordinator has seen may be blamed on, and whether the run may end with an error.
class BlameCheck {
 public:
  BlameCheck(const Scenario& scenario, Violations& violations);

  // Of CoordinatorJob::on_change.
  void loss(const std::string& what);
  // How the run ended, "" in order.
  void end(const std::string& error, bool is_bug);
  bool has_liar() const { return !liars_.empty(); }

 private:
  bool survivors_can_hold_the_model() const;

  const Scenario& scenario_;
  Violations& violations_;
  Membership worst_;  // when everything has struck
  std::set<DeviceName> liars_;
};

// What the error of a run says that takes longer than longest_run().
inline constexpr const char* kGoesOn = "the run goes on for longer than it should";

// How long a recovery may take when all faults strike in it, and the whole run.
Seconds longest_recovery(const Scenario& scenario);
Seconds longest_run(const Scenario& scenario);

}  // namespace lingua::testing
