#include "runtime/engine/exercise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "runtime/base/errors.h"
#include "tests/support/stateless_executor.h"

namespace lingua {
namespace {

// Takes so long for each repeat, by a clock that shows nothing else.
class TimedExecutor : public testing::StatelessExecutor {
 public:
  explicit TimedExecutor(double each_s) : each_s_(each_s) {}

  void load(const Segment&, const std::string&, const std::vector<Tensor>&) override {}
  void unload(SegmentId) override {}
  std::vector<SegmentResult> run(SegmentId, const std::vector<SegmentStep>&) override { return {}; }
  void compute_with(const Computing& computing) override { threads_ = computing.threads; }
  Work exert(const Exertion& exertion) override {
    if (exertion.dtype == DType::kInt8) throw WorldError("not in int8");
    if (exertion.kind == ExertionKind::kMemory) {
      if (taken + kBlock > most) return {0, 0};
      taken += kBlock;
      return {0, kBlock};
    }
    taken = 0;
    now += Seconds(each_s_ * static_cast<double>(exertion.repeats));
    return work_of(exertion);
  }

  static constexpr double kBlock = kMemoryBlock;
  Seconds now{0};
  double taken = 0;
  double most = 1e18;
  int threads_ = -1;

 private:
  const double each_s_;
};

// Free memory is what has not been taken of `all`.
class TimedDevice : public Device {
 public:
  TimedDevice(double each_s, double all) : executor_(each_s), all_(all) {}
  Seconds now() override { return executor_.now; }
  void send(const DeviceName&, MessageBody) override {}
  std::optional<Message> receive(Seconds) override { return std::nullopt; }
  TimedExecutor& executor() override { return executor_; }
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override {
    Telemetry telemetry;
    telemetry.free_memory_bytes = all_ - executor_.taken;
    return telemetry;
  }

 private:
  TimedExecutor executor_;
  DeviceSpec spec_;
  const double all_;
};

TEST(ExerciseTest, TimesWhatTakesLongBesideTheSlicesOfAProcessor) {
  TimedDevice device(1e-4, 1e9);
  const Exercise order{7, ExertionKind::kProducts, DType::kFloat32, {3}, Seconds(0.5)};
  const Exercised result = exercise(device, order, 1e9);
  EXPECT_EQ(result.number, 7);
  EXPECT_EQ(result.trouble, "");
  EXPECT_EQ(device.executor().threads_, 3);
  EXPECT_GE(result.times_s.size(), 8U);
  for (const double time_s : result.times_s) EXPECT_GE(time_s, 0.0499);
  const double modelled = work_of({ExertionKind::kProducts, DType::kFloat32, 1}).flops / 1e-4;
  EXPECT_NEAR(median(rates(order, result)), modelled, 1e-6 * modelled);
}

TEST(ExerciseTest, EndsWhereWorkTakesLongerThanItsTimeAndWhereItTakesNone) {
  TimedDevice slow(20, 1e9);
  const Exercise order{1, ExertionKind::kWeights, DType::kFloat32, {1}, Seconds(0.5)};
  EXPECT_EQ(exercise(slow, order, 1e9).times_s, std::vector<double>{20});
  EXPECT_EQ(slow.now(), Seconds(20)) << "once has to do";
  TimedDevice warm(2, 1e9);  // the first may take so long for being the first: it does not count
  EXPECT_EQ(exercise(warm, order, 1e9).times_s, std::vector<double>(2, 2));
  EXPECT_EQ(warm.now(), Seconds(6)) << "no third one begins after ten times the order's time";
  TimedDevice steady(0.25, 1e9);
  EXPECT_EQ(exercise(steady, order, 1e9).times_s, std::vector<double>(3, 0.25));
  TimedDevice none(0, 1e9);
  EXPECT_EQ(exercise(none, {1, ExertionKind::kSegments, DType::kFloat32, {1}, Seconds(0.5)}, 1e9)
                .times_s.size(),
            static_cast<std::size_t>(kMostTimes));
}

TEST(ExerciseTest, SaysWhatADeviceCannot) {
  TimedDevice device(1e-4, 1e9);
  const Exercised result =
      exercise(device, {1, ExertionKind::kProducts, DType::kInt8, {1}, Seconds(0.5)}, 1e9);
  EXPECT_EQ(result.trouble, "not in int8");
  EXPECT_TRUE(result.times_s.empty());
}

double memory_of(TimedDevice& device, double most_bytes) {
  const Exercise order{1, ExertionKind::kMemory, DType::kFloat32, {}, Seconds(3)};
  const double bytes = exercise(device, order, most_bytes).memory_bytes;
  EXPECT_EQ(device.executor().taken, 0) << "it is given back";
  return bytes;
}

TEST(ExerciseTest, OfMemoryTakesWhatIsAllowed) {
  TimedDevice device(1e-4, 8e9);
  EXPECT_EQ(memory_of(device, 3e9), 3e9);
}

TEST(ExerciseTest, OfMemoryInNoTimeTellsWhatIsBelieved) {
  TimedDevice device(1e-4, 8e9);
  const Exercise order{1, ExertionKind::kMemory, DType::kFloat32, {}, Seconds(0)};
  EXPECT_EQ(exercise(device, order, 3e9).memory_bytes, 3e9);
  EXPECT_EQ(exercise(device, order, 1e12).memory_bytes, 8e9);
}

TEST(ExerciseTest, OfMemoryLeavesSomeToOthers) {
  TimedDevice device(1e-4, 8e9);
  EXPECT_NEAR(memory_of(device, 1e12), 7e9, 1e3);
}

TEST(ExerciseTest, OfMemoryFindsThatThereIsLessThanItSeems) {
  TimedDevice device(1e-4, 8e9);
  device.executor().most = 10 * TimedExecutor::kBlock;
  EXPECT_EQ(memory_of(device, 5e9), 10 * TimedExecutor::kBlock);
}

TEST(Median, IsTheMiddleOne) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({}), 0);
}

}  // namespace
}  // namespace lingua
