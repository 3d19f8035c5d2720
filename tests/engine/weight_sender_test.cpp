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
      ASSERT_NE(chunk, nullptr);
      free_ =
          std::max(free_, now_) + Seconds(static_cast<double>(chunk->bytes.bytes()) / bytes_per_s_);
      under_way.push_back(
          {WeightAck{chunk->epoch, chunk->weight, chunk->offset}, free_, chunk->bytes.bytes()});
      bytes_under_way_ += chunk->bytes.bytes();
      most = std::max(most, bytes_under_way_);
      largest = std::max(largest, chunk->bytes.bytes());
      longest = std::max(longest, free_ - now_);
      bytes += chunk->bytes.bytes();
      ++pieces;
    }
    effects.letters.clear();
  }

  void wait_until(Seconds when) { now_ = when; }
  WeightAck next_answer() {
    const auto [ack, when, size] = under_way.front();
    under_way.pop_front();
    bytes_under_way_ -= size;
    now_ = when + Seconds(0.01);
    return ack;
  }

  struct Piece {
    WeightAck answer;
    Seconds arrives;
    std::int64_t bytes = 0;
  };
  std::deque<Piece> under_way;
  std::int64_t bytes = 0;  // that were sent
  int pieces = 0;
  std::int64_t largest = 0;
  std::int64_t most = 0;  // bytes under way
  Seconds longest{0};     // that anything else would have waited behind weights

 private:
  std::int64_t bytes_under_way_ = 0;
  double bytes_per_s_;
  Seconds now_{0};
  Seconds free_{0};
};

constexpr std::int64_t kPiece = 64 << 10;
constexpr std::int64_t kWindow = 128;

std::shared_ptr<const std::byte> read(const WeightSpec& weight, std::int64_t offset,
                                      std::int64_t bytes) {
  auto memory = allocate_bytes(bytes);
  testing::ToySource().read(weight, offset, bytes, memory.get());
  return memory;
}

Link sent_over(double link_bytes_per_s, double bytes_per_s = 0) {
  Link link(link_bytes_per_s);
  WeightSender sender({1, "phone", {}, kPiece, kWindow, bytes_per_s}, read);
  for (const char* name : {"a", "b"}) sender.add({name, DType::kUInt8, {10 << 20}});
  EXPECT_EQ(sender.bytes_left(), 20 << 20);
  Effects effects;
  sender.go_on(link.now(), effects);
  link.send(effects);
  while (!sender.done()) {
    if (link.under_way.empty()) {
      link.wait_until(sender.next());
      sender.go_on(link.now(), effects);
    } else {
      const WeightAck ack = link.next_answer();
      EXPECT_TRUE(sender.acknowledge(ack, link.now(), effects));
    }
    link.send(effects);
  }
  EXPECT_EQ(sender.bytes_left(), 0);
  EXPECT_EQ(sender.next(), kNever);
  EXPECT_EQ(link.bytes, 20 << 20);
  return link;
}

TEST(WeightSender, FillsAFastLinkToTheWindowWithFewPieces) {
  const Link link = sent_over(100e6);
  EXPECT_GE(link.most, kWindow * kPiece);
  EXPECT_LT(link.most, kWindow * kPiece + link.largest);
  EXPECT_EQ(link.largest, kWindow * kPiece / 16);
  EXPECT_LT(link.pieces, 120) << "of 320 of the first size";
}

TEST(WeightSender, PiecesStaySmallOnASlowLinkAndAtARate) {
  EXPECT_EQ(sent_over(0.5e6 / 8).largest, kPiece);
  EXPECT_EQ(sent_over(100e6, 1e6).largest, kPiece);
}

TEST(WeightSender, LetsNothingElseWaitLongOnASlowLink) {
  for (const double bit_per_s : {0.5e6, 1e6, 4e6, 10e6}) {
    const Link link = sent_over(bit_per_s / 8);
    EXPECT_LT(link.longest, Seconds(2.5)) << bit_per_s;
    EXPECT_GE(link.longest, Seconds(0.8)) << "the link is kept busy";
  }
}

TEST(WeightSender, KeepsToItsRate) {
  const double bytes_per_s = 1e6;
  EXPECT_NEAR(sent_over(100e6, bytes_per_s).now().count(), (20 << 20) / bytes_per_s, 1);
}

TEST(WeightSender, AnAnswerThatIsNotThatToTheNextPieceIsNone) {
  for (const WeightAck& wrong :
       {WeightAck{2, "a", 0}, WeightAck{1, "b", 0}, WeightAck{1, "a", 8}, WeightAck{1, "c", 0}}) {
    WeightSender sender({1, "phone", {}, kPiece, kWindow, 0}, read);
    for (const char* name : {"a", "b"}) sender.add({name, DType::kUInt8, {2 * kPiece}});
    Effects effects;
    EXPECT_FALSE(sender.acknowledge({1, "a", 0}, Seconds(0), effects)) << "nothing is under way";
    sender.go_on(Seconds(0), effects);
    EXPECT_FALSE(sender.acknowledge(wrong, Seconds(1), effects));
    EXPECT_TRUE(sender.acknowledge({1, "a", 0}, Seconds(1), effects));
  }
}

TEST(WeightSender, WhatIsLeftOutIsNotSentAnyFurther) {
  WeightSender sender({1, "phone", {}, kPiece, 1, 0}, read);
  for (const char* name : {"a", "b", "c"}) sender.add({name, DType::kUInt8, {2 * kPiece}});
  Effects effects;
  sender.go_on(Seconds(0), effects);
  sender.leave_out("a");
  sender.leave_out("b");
  sender.leave_out("unknown");
  EXPECT_EQ(sender.bytes_left(), 2 * kPiece);
  EXPECT_FALSE(sender.acknowledge({1, "a", 0}, Seconds(0), effects)->ends_weight);
  EXPECT_FALSE(sender.acknowledge({1, "c", 0}, Seconds(0), effects)->ends_weight);
  EXPECT_TRUE(sender.acknowledge({1, "c", kPiece}, Seconds(0), effects)->ends_weight);
  EXPECT_TRUE(sender.done());
}

}  // namespace
}  // namespace lingua
