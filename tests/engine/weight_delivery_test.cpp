#include "runtime/engine/weight_delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

// Phones b and c get segments 1 and 2, which a holds under the deployment before.
class WeightDeliveryTest : public ::testing::Test {
 protected:
  WeightDeliveryTest() {
    auto cluster = std::make_shared<ClusterSpec>();
    for (const char* name : {"a", "b", "c"}) {
      cluster->devices.emplace_back();
      cluster->devices.back().name = name;
    }
    cluster->default_link = {1000, Seconds(0)};
    // The coordinator's way to b is so slow that a is to give all that b lacks.
    cluster->links[{kCoordinator, "b"}] = {1, Seconds(0)};
    next_.cluster = cluster;
    next_.epoch = 2;
    next_.segmentation = before_.segmentation = &model_;
    next_.source = before_.source = &source_;
    next_.chunk_bytes = 16;
    before_.plan.stages = {{"a", 0, 2, {}}};
    next_.plan.stages = {{"a", 0, 0, {}}, {"b", 1, 1, {}}, {"c", 2, 2, {}}};
  }

  // With what b and c lack known, b all of it and c nothing.
  void begin(double bytes_per_s = 0, WeightDelivery::Links cut = {}) {
    delivery_ = std::make_unique<WeightDelivery>(next_, bytes_per_s, std::move(cut));
    delivery_->add_holder("a", before_);
    delivery_->add_lacks("a", {2, {}, {}});
    delivery_->add_lacks("b", {2, {1}, {"weight 1", "shared"}});
    delivery_->add_lacks("c", {2, {}, {}});
    if (checks_) delivery_->add_checked("b", next_.prepare_for("b").digests);
    delivery_->begin(now_, effects_);
  }

  template <class Body>
  std::vector<std::pair<DeviceName, Body>> sent() {
    std::vector<std::pair<DeviceName, Body>> bodies;
    for (const Letter& letter : effects_.letters) {
      if (const auto* body = std::get_if<Body>(&letter.body)) bodies.emplace_back(letter.to, *body);
    }
    return bodies;
  }
  void forget() { effects_.letters.clear(); }
  void held(const std::string& weight, std::int64_t bytes, const std::string& trouble = "",
            const DeviceName& from = "a") {
    delivery_->take(WeightHeld{2, from, weight, bytes, trouble}, "b", now_, effects_);
  }
  // Takes what the coordinator sends b, piece by piece; returns the weights that came.
  std::set<std::string> take_from_coordinator() {
    std::set<std::string> weights;
    while (!sent<WeightChunk>().empty()) {
      const auto chunks = sent<WeightChunk>();
      forget();
      for (const auto& [to, chunk] : chunks) {
        EXPECT_EQ(to, "b");
        weights.insert(chunk.weight);
        delivery_->take(WeightAck{2, chunk.weight, chunk.offset}, to, now_, effects_);
      }
    }
    return weights;
  }

  const Segmentation model_ = testing::toy_segmentation(3, true);
  testing::ToySource source_;
  Deployment before_;
  Deployment next_;
  std::unique_ptr<WeightDelivery> delivery_;
  Effects effects_;
  Seconds now_{0};
  bool checks_ = true;
};

TEST_F(WeightDeliveryTest, ADeviceThatHoldsWeightsIsToldToGiveThem) {
  begin();
  const auto orders = sent<SendWeights>();
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].first, "a");
  EXPECT_EQ(orders[0].second.to, "b");
  EXPECT_EQ(orders[0].second.epoch, 2);
  EXPECT_THAT(orders[0].second.weights, ElementsAre("weight 1", "shared"));
  EXPECT_EQ(orders[0].second.chunk_bytes, 16);
  EXPECT_THAT(sent<WeightChunk>(), IsEmpty());
  EXPECT_THAT(sent<SegmentProgram>(), SizeIs(1)) << "programs come from the coordinator";
  EXPECT_THAT(delivery_->givers(), ElementsAre("a"));
  EXPECT_TRUE(delivery_->complete("a"));
  EXPECT_FALSE(delivery_->complete("b"));
  held("weight 1", 16);
  EXPECT_THAT(delivery_->bytes_from(), ElementsAre(Pair("a", 16)));
  held("weight 1", 40);
  held("shared", 24);
  EXPECT_TRUE(delivery_->complete("b"));
  EXPECT_THAT(delivery_->bytes_from(), ElementsAre(Pair("a", 64)));
  EXPECT_EQ(delivery_->bytes_total(), 64);
  EXPECT_EQ(delivery_->next(), kNever);
  EXPECT_THAT(delivery_->notes(), IsEmpty());
}

TEST_F(WeightDeliveryTest, TheCoordinatorSendsWhatNoOtherMayGive) {
  next_.cluster = nullptr;
  begin();
  EXPECT_THAT(sent<SendWeights>(), IsEmpty()) << "no links are known";
  EXPECT_THAT(take_from_coordinator(), UnorderedElementsAre("weight 1", "shared"));
  EXPECT_TRUE(delivery_->complete("b"));
  EXPECT_THAT(delivery_->bytes_from(), ElementsAre(Pair(kCoordinator, 64)));
}

TEST_F(WeightDeliveryTest, OverALinkThatIsCutNothingIsGiven) {
  begin(0, {{"b", "a"}, {"c", "b"}});  // c stores "shared"
  EXPECT_THAT(sent<SendWeights>(), IsEmpty());
}

TEST_F(WeightDeliveryTest, WhatCannotBeCheckedIsNotGivenByADevice) {
  checks_ = false;
  begin();
  EXPECT_THAT(sent<SendWeights>(), IsEmpty());
}

TEST_F(WeightDeliveryTest, AWrongWeightAndAllElseOfWhoGaveItComesFromTheCoordinator) {
  begin();
  held("shared", 24);
  forget();
  held("weight 1", 0, "weight 'weight 1' arrived damaged");
  const auto orders = sent<SendWeights>();
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_THAT(orders[0].second.weights, IsEmpty()) << "it is to stop";
  EXPECT_THAT(delivery_->notes(), ElementsAre(HasSubstr("in place of a: weight 'weight 1'")));
  EXPECT_THAT(take_from_coordinator(), ElementsAre("weight 1"));
  EXPECT_TRUE(delivery_->complete("b"));
  EXPECT_THAT(delivery_->bytes_from(), ElementsAre(Pair("a", 24), Pair(kCoordinator, 40)));
}

TEST_F(WeightDeliveryTest, AnotherThatKeptPiecesAwayCostsTheGiverThisDeviceOnly) {
  begin();
  held("weight 1", 0, "it cannot be checked", "c");  // which nobody told to give anything
  EXPECT_THAT(take_from_coordinator(), UnorderedElementsAre("weight 1", "shared"));
}

TEST_F(WeightDeliveryTest, AGiverOfWhomNothingComesForAWhileIsNotWaitedFor) {
  begin();
  const Seconds patience = delivery_->next();
  EXPECT_EQ(patience, Seconds(15));
  now_ = Seconds(10);
  held("weight 1", 16);
  EXPECT_EQ(delivery_->next(), Seconds(25));
  now_ = Seconds(24);
  delivery_->tick(now_, effects_);
  EXPECT_THAT(sent<WeightChunk>(), IsEmpty());
  now_ = Seconds(25);
  delivery_->tick(now_, effects_);
  EXPECT_THAT(take_from_coordinator(), UnorderedElementsAre("weight 1", "shared"));
  EXPECT_THAT(delivery_->notes(), ElementsAre(HasSubstr("nothing came for 15 s")));
}

TEST_F(WeightDeliveryTest, ALostLinkIsNotWaitedFor) {
  begin();
  delivery_->lose_link("c", "b", now_, effects_);
  EXPECT_THAT(sent<WeightChunk>(), IsEmpty());
  delivery_->lose_link("b", "a", now_, effects_);
  EXPECT_THAT(take_from_coordinator(), UnorderedElementsAre("weight 1", "shared"));
  EXPECT_TRUE(delivery_->complete("b"));
}

// It had been on its way when the coordinator began.
TEST_F(WeightDeliveryTest, AWeightThatComesAfterAllIsNotSentAnyFurther) {
  begin();
  delivery_->lose_link("a", "b", now_, effects_);
  const auto chunks = sent<WeightChunk>();
  ASSERT_THAT(chunks, SizeIs(1));
  EXPECT_EQ(chunks[0].second.weight, "weight 1");
  held("weight 1", 40);
  held("shared", 24);
  EXPECT_TRUE(delivery_->complete("b"));
  forget();
  delivery_->take(WeightAck{2, "weight 1", 0}, "b", now_, effects_);
  EXPECT_THAT(sent<WeightChunk>(), IsEmpty());
  EXPECT_EQ(delivery_->bytes_from().at("a"), 64);
}

TEST_F(WeightDeliveryTest, ABoundIsSharedByWhatASenderSends) {
  begin(100);
  EXPECT_EQ(sent<SendWeights>().at(0).second.bytes_per_s, 100);
  next_.cluster = nullptr;
  begin(2);  // 64 bytes
  Seconds last{0};
  while (!delivery_->complete("b")) {
    take_from_coordinator();
    if (delivery_->complete("b")) break;
    ASSERT_LT(delivery_->next(), kNever);
    last = now_ = std::max(now_, delivery_->next());
    delivery_->tick(now_, effects_);
  }
  EXPECT_NEAR(last.count(), (64 - 16) / 2.0, 4);
}

TEST_F(WeightDeliveryTest, WhatCannotBeIsNonsense) {
  const auto nonsense = [](const char* what) {
    return ThrowsMessage<WorldError>(HasSubstr(std::string("answers nonsense: ") + what));
  };
  const auto lacks = [&](const Lacks& lacks) {
    return [&, lacks] { WeightDelivery(next_, 0, {}).add_lacks("b", lacks); };
  };
  EXPECT_THAT(lacks({2, {2}, {}}), nonsense("it asks for the program of segment 2"));
  EXPECT_THAT(lacks({2, {1, 1}, {}}), nonsense("it asks for the program of segment 1"));
  EXPECT_THAT(lacks({2, {}, {"weight 7"}}), nonsense("it asks for weight 'weight 7'"));
  EXPECT_THAT(lacks({2, {}, {"shared", "shared"}}), nonsense("it asks for weight 'shared'"));
  begin();
  EXPECT_THAT([&] { held("weight 7", 8); }, nonsense("it has 8 bytes of weight 'weight 7'"));
  EXPECT_THAT([&] { held("weight 1", 41); }, nonsense("it has 41 bytes"));
  EXPECT_THAT(
      [&] {
        delivery_->take(WeightAck{2, "weight 1", 0}, "b", now_, effects_);
      },
      nonsense("it acknowledges weight 'weight 1' at byte 0"));
}

}  // namespace
}  // namespace lingua
