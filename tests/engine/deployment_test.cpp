#include "runtime/engine/deployment.h"

#include <gtest/gtest.h>

#include <deque>

#include "runtime/base/errors.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

// A link of a constant rate, and what is under way on it.
class LinkDevice final : public Device {
 public:
  explicit LinkDevice(double bytes_per_s) : bytes_per_s_(bytes_per_s) { spec_.name = kCoordinator; }

  Seconds now() override { return now_; }
  void send(const DeviceName&, MessageBody body) override {
    const auto& chunk = std::get<WeightChunk>(body);
    free_ =
        std::max(free_, now_) + Seconds(static_cast<double>(chunk.bytes.bytes()) / bytes_per_s_);
    under_way.push_back({WeightAck{chunk.epoch, chunk.weight, chunk.offset}, free_});
    most = std::max(most, under_way.size());
    longest = std::max(longest, free_ - now_);
  }
  std::optional<Message> receive(Seconds) override { return std::nullopt; }
  Executor& executor() override { std::abort(); }
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override { return {}; }

  WeightAck next_answer() {
    const auto [ack, when] = under_way.front();
    under_way.pop_front();
    now_ = when + Seconds(0.01);
    return ack;
  }

  std::deque<std::pair<WeightAck, Seconds>> under_way;
  std::size_t most = 0;
  Seconds longest{0};  // that anything else would have waited behind weights

 private:
  double bytes_per_s_;
  DeviceSpec spec_;
  Seconds now_{0};
  Seconds free_{0};
};

struct ToyDeployment {
  ToyDeployment() {
    segmentation.segments[0].weights.push_back({"ballast", DType::kUInt8, {20 << 20}});
    deployment.segmentation = &segmentation;
    deployment.source = &source;
    deployment.plan.stages = {{"phone", 0, 1, {}}};
    deployment.plan.segmentation = mark_of(segmentation);
  }

  Segmentation segmentation = testing::toy_segmentation(2, false);
  testing::ToySource source;
  Deployment deployment;
};

LinkDevice sent_over(double bytes_per_s) {
  ToyDeployment toy;
  LinkDevice device(bytes_per_s);
  WeightSender sender(toy.deployment, "phone");
  sender.fill_window(device);
  while (!sender.done()) sender.acknowledge(device.next_answer(), device);
  EXPECT_EQ(sender.bytes_acknowledged(), sender.bytes_total());
  return device;
}

TEST(WeightSender, FillsAFastLinkToTheWindow) {
  EXPECT_EQ(sent_over(100e6).most, static_cast<std::size_t>(Deployment{}.window));
}

TEST(WeightSender, LetsNothingElseWaitLongOnASlowLink) {
  for (const double bit_per_s : {0.5e6, 1e6, 4e6, 10e6}) {
    const LinkDevice device = sent_over(bit_per_s / 8);
    EXPECT_LT(device.longest, Seconds(2.5)) << bit_per_s;
    EXPECT_GE(device.longest, Seconds(0.8)) << "the link is kept busy";
  }
}

TEST(WeightSender, AnAnswerOutOfTurnIsNonsense) {
  ToyDeployment toy;
  LinkDevice device(1e6);
  WeightSender sender(toy.deployment, "phone");
  EXPECT_THROW(sender.acknowledge({1, "ballast", 0}, device), WorldError);
}

TEST(Deployment, TellsDevicesWhichSegmentationItIsOf) {
  const ToyDeployment toy;
  const Prepare prepare = toy.deployment.prepare_for("phone");
  EXPECT_EQ(prepare.segmentation, toy.deployment.plan.segmentation.digest);
  EXPECT_EQ(describe(prepare), "Prepare of epoch 1, segmentation " + prepare.segmentation);
}

}  // namespace
}  // namespace lingua
