// A paced executor takes the modelled time, and no less.

#include "runtime/pace/paced_executor.h"

#include <gtest/gtest.h>

#include <thread>

#include "runtime/device/roofline.h"
#include "tests/support/stateless_executor.h"

namespace lingua {
namespace {

// Takes some time of its own; a step of 13 new tokens fails.
class Sleepy : public testing::StatelessExecutor {
 public:
  explicit Sleepy(std::chrono::milliseconds time) : time_(time) {}
  void load(const Segment&, const std::string&, const std::vector<Tensor>&) override {}
  void unload(SegmentId) override {}
  std::vector<SegmentResult> run(SegmentId, const std::vector<SegmentStep>& batch) override {
    std::this_thread::sleep_for(time_);
    std::vector<SegmentResult> results(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (batch[i].context.step.new_tokens == 13) results[i].error = "unlucky";
    }
    return results;
  }

 private:
  std::chrono::milliseconds time_;
};

class PacedExecutorTest : public ::testing::Test {
 protected:
  // Runs a segment of 0.1 s for each step on the modelled device; how long it took.
  double run_s(std::chrono::milliseconds work, const std::vector<std::int64_t>& new_tokens,
               const SupplyClock& supply = {}) {
    PacedExecutor executor(spec(), std::make_unique<Sleepy>(work), counter_, supply);
    executor.load(segment(), "", {});
    std::vector<SegmentStep> batch;
    for (const std::int64_t tokens : new_tokens) batch.push_back({{0, Step{tokens, 0}, 0}, {}});
    const auto start = std::chrono::steady_clock::now();
    executor.run(0, batch);
    return Seconds(std::chrono::steady_clock::now() - start).count();
  }
  static DeviceSpec spec() { return {"phone", 1e9, 1e10, 1e9}; }
  static Segment segment() {
    Segment segment;
    segment.flops = 1e8;
    return segment;
  }

  DelayCounter counter_;
};

TEST_F(PacedExecutorTest, WorkAndSleepTogetherTakeAsLongAsThePhone) {
  EXPECT_GE(run_s(std::chrono::milliseconds(30), {1}), 0.1);
  const Delays delays = counter_.read();
  EXPECT_EQ(delays.count, 1);
  EXPECT_DOUBLE_EQ(delays.modelled.count(),
                   compute_time(work_of(segment(), {Step{1, 0}}), spec()).count());
}

TEST_F(PacedExecutorTest, ABatchTakesWhatTheModelSaysOfABatchWithoutStepsThatFail) {
  EXPECT_GE(run_s(std::chrono::milliseconds(0), {1, 13, 1}), 0.2);
  EXPECT_DOUBLE_EQ(counter_.read().modelled.count(), 0.2);
  run_s(std::chrono::milliseconds(0), {13});
  EXPECT_EQ(counter_.read().count, 1) << "nothing was charged for";
}

TEST_F(PacedExecutorTest, WorkTakesAsLongAsTheSpeedsOfItsTimeSay) {
  SupplyClock supply;
  supply.trace.add("phone", Seconds(0), {.speed = 0.5});
  supply.trace.add("phone", Seconds(100), {.speed = 4});
  supply.origin = SupplyClock::Clock::now();
  EXPECT_GE(run_s(std::chrono::milliseconds(0), {1}, supply), 0.2);
  EXPECT_DOUBLE_EQ(counter_.read().modelled.count(), 0.2);
  supply.origin -= std::chrono::seconds(200);
  EXPECT_GE(run_s(std::chrono::milliseconds(0), {1}, supply), 0.025);
  EXPECT_NEAR(counter_.read().modelled.count(), 0.225, 1e-9);
}

TEST_F(PacedExecutorTest, WorkThatIsUnderWayWhenASpeedChangesGoesOnAtTheNewOne) {
  SupplyClock supply;
  supply.trace.add("phone", Seconds(10), {.speed = 0.25});
  supply.origin = SupplyClock::Clock::now() - std::chrono::milliseconds(9950);
  run_s(std::chrono::milliseconds(0), {1}, supply);
  const double modelled_s = counter_.read().modelled.count();
  EXPECT_GE(modelled_s, 0.25) << "half of it at full speed at most, the rest takes four times";
  EXPECT_LE(modelled_s, 0.4);
}

TEST_F(PacedExecutorTest, SpeedsOfOtherDevicesChangeNothing) {
  SupplyClock supply;
  supply.trace.add("tablet", Seconds(0), {.speed = 0.01});
  run_s(std::chrono::milliseconds(0), {1}, supply);
  EXPECT_DOUBLE_EQ(counter_.read().modelled.count(), 0.1);
}

TEST_F(PacedExecutorTest, WorkThatTakesLongerHereIsCounted) {
  EXPECT_GE(run_s(std::chrono::milliseconds(130), {1}), 0.13);
  const Delays delays = counter_.read();
  EXPECT_EQ(delays.late, 1);
  EXPECT_GE(delays.late_by.count(), 0.03);
  EXPECT_EQ(delays.late_by, delays.most);
}

}  // namespace
}  // namespace lingua
