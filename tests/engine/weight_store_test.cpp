#include "runtime/engine/weight_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Taken = WeightStore::Taken;

const WeightSpec kSpec{"w", DType::kUInt8, {10}};
const std::string kContent = "0123456789";

WeightChunk piece(std::int64_t offset, std::int64_t size) {
  return {1, "w", offset, make_bytes_tensor(kContent.data() + offset, size), 0};
}

TEST(WeightStore, AssemblesPiecesAndChecksTheSum) {
  WeightStore store;
  store.expect(kSpec);
  EXPECT_EQ(store.receive(piece(0, 4), kCoordinator), Taken::kPart);
  EXPECT_FALSE(store.complete("w"));
  WeightChunk last = piece(4, 6);
  last.checksum = checksum(kContent);
  EXPECT_EQ(store.receive(last, kCoordinator), Taken::kWhole);
  ASSERT_TRUE(store.complete("w"));
  EXPECT_EQ(std::memcmp(store.tensor("w").data.get(), kContent.data(), 10), 0);
}

TEST(WeightStore, RefusesADamagedWeight) {
  WeightStore store;
  store.expect(kSpec);
  WeightChunk whole = piece(0, 10);
  whole.checksum = checksum(kContent) + 1;
  EXPECT_THAT([&] { store.receive(whole, kCoordinator); },
              ThrowsMessage<WorldError>(HasSubstr("damaged")));
}

TEST(WeightStore, RefusesPiecesThatDoNotFollow) {
  WeightStore store;
  store.expect(kSpec);
  EXPECT_THROW(store.receive(piece(4, 6), kCoordinator), WorldError);
  store.receive(piece(0, 4), kCoordinator);
  EXPECT_THROW(store.receive(piece(0, 4), kCoordinator), WorldError);
  WeightChunk too_long{1, "w", 4, make_bytes_tensor("0123456789", 7), 0};
  EXPECT_THROW(store.receive(too_long, kCoordinator), WorldError);
  EXPECT_THROW(store.receive({1, "unknown", 0, make_bytes_tensor("x", 1), 0}, kCoordinator),
               WorldError);
}

TEST(WeightStore, TakesWeightsWithoutContents) {
  WeightStore store;
  store.expect(kSpec);
  EXPECT_EQ(store.receive({1, "w", 0, {DType::kUInt8, {10}, nullptr}, 0}, kCoordinator),
            Taken::kWhole);
  EXPECT_TRUE(store.complete("w"));
  EXPECT_FALSE(store.tensor("w").has_data());
}

TEST(WeightStore, KeepsWhatItHoldsWhenItIsExpectedAgain) {
  WeightStore store;
  store.expect(kSpec);
  WeightChunk whole = piece(0, 10);
  whole.checksum = checksum(kContent);
  store.receive(whole, kCoordinator);
  store.expect(kSpec);
  EXPECT_TRUE(store.complete("w"));
  store.keep_only({});
  EXPECT_FALSE(store.complete("w"));
}

TEST(WeightStore, BeginsAnewWithAWeightThatIsExpectedAgainBeforeItIsComplete) {
  WeightStore store;
  store.expect(kSpec);
  store.receive(piece(0, 4), kCoordinator);
  store.expect(kSpec);
  WeightChunk whole = piece(0, 10);
  whole.checksum = checksum(kContent);
  EXPECT_EQ(store.receive(whole, kCoordinator), Taken::kWhole);
}

WeightChunk whole_of(const std::string& content) {
  return {1, "w", 0, make_bytes_tensor(content.data(), 10), checksum(content)};
}

TEST(WeightStore, WhatADeviceSendsMustHaveTheAnnouncedDigest) {
  WeightStore store;
  store.expect(kSpec, digest_of(kContent));
  const WeightChunk other = whole_of("9876543210");
  EXPECT_THAT([&] { store.receive(other, "a"); }, ThrowsMessage<WorldError>(HasSubstr("digest")));
  EXPECT_FALSE(store.complete("w"));
  EXPECT_EQ(store.receive(whole_of(kContent), "b"), Taken::kWhole) << "it begins anew";
  EXPECT_EQ(store.receive(whole_of(kContent), "a"), Taken::kNotNeeded);
  EXPECT_EQ(store.receive(whole_of(kContent), kCoordinator), Taken::kNotNeeded);
}

TEST(WeightStore, WhoBeginsAWeightGoesOnUnlessTheCoordinatorBeginsIt) {
  WeightStore store;
  store.expect(kSpec, digest_of(kContent));
  EXPECT_EQ(store.receive(piece(0, 4), "a"), Taken::kPart);
  EXPECT_EQ(store.receive(piece(0, 4), "b"), Taken::kNotNeeded);
  EXPECT_EQ(store.received("w"), 4);
  EXPECT_EQ(store.receive(piece(0, 2), kCoordinator), Taken::kPart);
  EXPECT_EQ(store.received("w"), 2);
  EXPECT_EQ(store.receive(piece(4, 6), "a"), Taken::kNotNeeded);
  store.forget("w", "a");
  EXPECT_EQ(store.received("w"), 2) << "it is the coordinator's by now";
}

}  // namespace
}  // namespace lingua
