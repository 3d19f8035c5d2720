#include "runtime/engine/weight_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "runtime/base/errors.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// A link of a constant rate, what is under way on it, and the answers of the device at its end.
class Link {
 public:
  explicit Link(double bytes_per_s) : bytes_per_s_(bytes_per_s) {}

  Seconds now() const { return now_; }
  void send(Effects& effects) {
    for (const Letter& letter : effects.letters) {
      const auto* chunk = std::get_if<WeightChunk>(&letter.body);
      if (chunk == nullptr) {
        ++programs;
        continue;
      }
      free_ =
          std::max(free_, now_) + Seconds(static_cast<double>(chunk->bytes.bytes()) / bytes_per_s_);
      under_way.push_back({WeightAck{chunk->epoch, chunk->weight, chunk->offset}, free_});
      most = std::max(most, under_way.size());
      longest = std::max(longest, free_ - now_);
      weights.insert(chunk->weight);
    }
    effects.letters.clear();
  }

  WeightAck next_answer() {
    const auto [ack, when] = under_way.front();
    under_way.pop_front();
    now_ = when + Seconds(0.01);
    return ack;
  }

  std::deque<std::pair<WeightAck, Seconds>> under_way;
  std::set<std::string> weights;
  int programs = 0;
  std::size_t most = 0;
  Seconds longest{0};  // that anything else would have waited behind weights

 private:
  double bytes_per_s_;
  Seconds now_{0};
  Seconds free_{0};
};

struct ToyDeployment {
  ToyDeployment() {
    segmentation.segments[0].weights.push_back({"ballast", DType::kUInt8, {20 << 20}});
    deployment.segmentation = &segmentation;
    deployment.source = &source;
    deployment.plan.stages = {{"phone", 0, 1, {}}};
  }

  Lacks all() const { return {1, {0, 1}, {"weight 0", "ballast", "weight 1"}}; }

  Segmentation segmentation = testing::toy_segmentation(2, false);
  testing::ToySource source;
  Deployment deployment;
};

Link sent_over(double bytes_per_s, const Lacks& lacks) {
  ToyDeployment toy;
  Link link(bytes_per_s);
  WeightSender sender(toy.deployment, "phone", lacks);
  Effects effects;
  sender.begin(link.now(), effects);
  link.send(effects);
  while (!sender.done()) {
    const WeightAck ack = link.next_answer();
    sender.acknowledge(ack, link.now(), effects);
    link.send(effects);
  }
  EXPECT_EQ(sender.bytes_acknowledged(), sender.bytes_total());
  return link;
}

TEST(WeightSender, FillsAFastLinkToTheWindow) {
  EXPECT_EQ(sent_over(100e6, ToyDeployment().all()).most,
            static_cast<std::size_t>(Deployment{}.window));
}

TEST(WeightSender, LetsNothingElseWaitLongOnASlowLink) {
  for (const double bit_per_s : {0.5e6, 1e6, 4e6, 10e6}) {
    const Link link = sent_over(bit_per_s / 8, ToyDeployment().all());
    EXPECT_LT(link.longest, Seconds(2.5)) << bit_per_s;
    EXPECT_GE(link.longest, Seconds(0.8)) << "the link is kept busy";
  }
}

TEST(WeightSender, SendsWhatTheDeviceLacksAndNothingElse) {
  const Link link = sent_over(1e6, {1, {1}, {"weight 1"}});
  EXPECT_EQ(link.programs, 1);
  EXPECT_EQ(link.weights, std::set<std::string>{"weight 1"});
  EXPECT_EQ(sent_over(1e6, {1, {}, {}}).programs, 0);
}

TEST(WeightSender, ADeviceThatAsksForWhatIsNotItsOwnTalksNonsense) {
  const ToyDeployment toy;
  const auto asked = [&](const Lacks& lacks) {
    return [&, lacks] { const WeightSender sender(toy.deployment, "phone", lacks); };
  };
  EXPECT_THAT(asked({1, {2}, {}}),
              ThrowsMessage<WorldError>(HasSubstr("asks for the program of segment 2")));
  EXPECT_THAT(asked({1, {0, 0}, {}}),
              ThrowsMessage<WorldError>(HasSubstr("asks for the program of segment 0")));
  EXPECT_THAT(asked({1, {}, {"weight 7"}}),
              ThrowsMessage<WorldError>(HasSubstr("asks for weight 'weight 7'")));
  EXPECT_THAT(asked({1, {}, {"weight 0", "weight 0"}}),
              ThrowsMessage<WorldError>(HasSubstr("asks for weight 'weight 0'")));
}

TEST(WeightSender, AnAnswerThatIsNotThatToTheNextPieceIsNonsense) {
  for (const WeightAck& wrong : {WeightAck{2, "weight 0", 0}, WeightAck{1, "ballast", 0},
                                 WeightAck{1, "weight 0", 8}, WeightAck{1, "weight 1", 0}}) {
    const ToyDeployment toy;
    WeightSender sender(toy.deployment, "phone", toy.all());
    Effects effects;
    EXPECT_THROW(sender.acknowledge({1, "weight 0", 0}, Seconds(0), effects), WorldError)
        << "nothing is under way";
    sender.begin(Seconds(0), effects);
    EXPECT_THROW(sender.acknowledge(wrong, Seconds(1), effects), WorldError);
  }
}

}  // namespace
}  // namespace lingua
