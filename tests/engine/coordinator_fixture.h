#pragma once
// A coordinator without a mailbox, and a clock of the test's own.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/coordinator.h"
#include "tests/support/toy_model.h"

namespace lingua::testing {

inline constexpr const char* kClient = "client:1";

// Devices a and b run three segments each.
class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest() {
    job_.deployment = deployment(1, 2);
    job_.in_flight = 2;
  }

  Deployment deployment(Epoch epoch, SegmentId last_of_a) {
    Deployment deployment;
    deployment.epoch = epoch;
    deployment.segmentation = &model_;
    deployment.source = &source_;
    deployment.plan.stages = {{"a", 0, last_of_a, {}}, {"b", last_of_a + 1, 5, {}}};
    deployment.plan.transfers = transfers_of(model_, deployment.plan.stages);
    return deployment;
  }

  // Another plan, once a request has ended.
  void move_after_one(Crossing crossing = Crossing::kEnd) {
    job_.rebalance = [this, crossing](const RunState& state) -> std::optional<Move> {
      if (state.ended != 1 || moved_) return std::nullopt;
      moved_ = true;
      return Move{deployment(1, 0), {crossing}, {}, "a test asks for it"};
    };
  }

  void begin() {
    coordinator_.emplace(job_);
    coordinator_->begin(now_, effects_);
    forget();
  }

  void hear(const DeviceName& from, MessageBody body) {
    coordinator_->take({from, std::move(body), now_, now_, 0}, now_, effects_);
  }

  // Both devices are ready; they lack nothing.
  void become_ready(Epoch epoch, double free_bytes = 1e9) {
    for (const char* name : {"a", "b"}) hear(name, Lacks{epoch, {}, {}});
    hear("b", Reached{epoch, "a"});
    hear("a", Reached{epoch, "b"});
    for (const char* name : {"a", "b"}) hear(name, Ready{epoch, free_bytes});
  }

  void serve() {
    begin();
    become_ready(1);
    hear(kClient, Attach{});
    forget();
  }

  static Submit request(RequestId id, std::int64_t max_tokens = 2) {
    Submit submit;
    submit.request = id;
    submit.inputs = {make_int64_tensor({1, 2, 3})};
    submit.max_tokens = max_tokens;
    submit.capacity = 3 + max_tokens;
    return submit;
  }

  void answer(RequestId request) {
    hear("a", TokenMade{request, 0, 5});
    hear("a", TokenMade{request, 1, 6});
    hear("a", Done{request, {5, 6}, {}});
  }

  // "to: what" of all that was sent since the last call.
  std::vector<std::string> said() {
    std::vector<std::string> lines;
    for (const Letter& letter : effects_.letters)
      lines.push_back(fmt::format("{}: {}", letter.to, describe(letter.body)));
    effects_.letters.clear();
    return lines;
  }
  void forget() { said(); }
  template <class Body>
  std::vector<Body> sent_to(const DeviceName& name) {
    std::vector<Body> bodies;
    for (const Letter& letter : effects_.letters) {
      if (letter.to != name) continue;
      if (const auto* body = std::get_if<Body>(&letter.body)) bodies.push_back(*body);
    }
    return bodies;
  }

  const Segmentation model_ = toy_segmentation(6, true);
  ToySource source_;
  CoordinatorJob job_;
  std::optional<Coordinator> coordinator_;
  Effects effects_;
  bool moved_ = false;
  Seconds now_{0};
};

}  // namespace lingua::testing
