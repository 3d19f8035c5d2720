#include "runtime/engine/weight_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const WeightSpec kSpec{"w", DType::kUInt8, {10}};
const std::string kContent = "0123456789";

WeightChunk piece(std::int64_t offset, std::int64_t size) {
  return {1, "w", offset, make_bytes_tensor(kContent.data() + offset, size), 0};
}

TEST(WeightStore, AssemblesPiecesAndChecksTheSum) {
  WeightStore store;
  store.expect(kSpec);
  EXPECT_FALSE(store.receive(piece(0, 4)));
  EXPECT_FALSE(store.complete("w"));
  WeightChunk last = piece(4, 6);
  last.checksum = checksum(kContent);
  EXPECT_TRUE(store.receive(last));
  ASSERT_TRUE(store.complete("w"));
  EXPECT_EQ(std::memcmp(store.tensor("w").data.get(), kContent.data(), 10), 0);
}

TEST(WeightStore, RefusesADamagedWeight) {
  WeightStore store;
  store.expect(kSpec);
  WeightChunk whole = piece(0, 10);
  whole.checksum = checksum(kContent) + 1;
  EXPECT_THAT([&] { store.receive(whole); }, ThrowsMessage<WorldError>(HasSubstr("damaged")));
}

TEST(WeightStore, RefusesPiecesThatDoNotFollow) {
  WeightStore store;
  store.expect(kSpec);
  EXPECT_THROW(store.receive(piece(4, 6)), WorldError);
  store.receive(piece(0, 4));
  EXPECT_THROW(store.receive(piece(0, 4)), WorldError);
  WeightChunk too_long{1, "w", 4, make_bytes_tensor("0123456789", 7), 0};
  EXPECT_THROW(store.receive(too_long), WorldError);
  EXPECT_THROW(store.receive({1, "unknown", 0, make_bytes_tensor("x", 1), 0}), WorldError);
}

TEST(WeightStore, TakesWeightsWithoutContents) {
  WeightStore store;
  store.expect(kSpec);
  EXPECT_TRUE(store.receive({1, "w", 0, {DType::kUInt8, {10}, nullptr}, 0}));
  EXPECT_TRUE(store.complete("w"));
  EXPECT_FALSE(store.tensor("w").has_data());
}

TEST(WeightStore, KeepsWhatItHoldsWhenItIsExpectedAgain) {
  WeightStore store;
  store.expect(kSpec);
  WeightChunk whole = piece(0, 10);
  whole.checksum = checksum(kContent);
  store.receive(whole);
  store.expect(kSpec);
  EXPECT_TRUE(store.complete("w"));
  store.keep_only({});
  EXPECT_FALSE(store.complete("w"));
}

TEST(WeightStore, BeginsAnewWithAWeightThatIsExpectedAgainBeforeItIsComplete) {
  WeightStore store;
  store.expect(kSpec);
  store.receive(piece(0, 4));
  store.expect(kSpec);
  WeightChunk whole = piece(0, 10);
  whole.checksum = checksum(kContent);
  EXPECT_TRUE(store.receive(whole));
}

}  // namespace
}  // namespace lingua
