#include "runtime/engine/send_window.h"

#include <gtest/gtest.h>

#include <vector>

namespace lingua {
namespace {

constexpr std::int64_t kPiece = 1000;
constexpr double kPieceBytes = 1000;

// As many as may go at once.
int fill(SendWindow& window, Seconds now) {
  int pieces = 0;
  for (; window.may_send(now); ++pieces) window.sent(kPieceBytes, now);
  return pieces;
}

TEST(SendWindow, BeginsWithOnePieceAndGrowsByOneForEachPromptAnswer) {
  SendWindow window(kPiece, 4, 0);
  std::vector<int> sent = {fill(window, Seconds(0))};
  for (int i = 1; i <= 5; ++i) {
    window.acknowledged(Seconds(0.1 * i));
    sent.push_back(fill(window, Seconds(0.1 * i)));
  }
  // One answered and one more; the fourth and later answers only replace.
  EXPECT_EQ(sent, (std::vector<int>{1, 2, 2, 2, 1, 1}));
}

TEST(SendWindow, ALateAnswerHalvesWhatMayBeUnderWay) {
  SendWindow window(kPiece, 8, 0);
  fill(window, Seconds(0));
  for (int i = 0; i < 7; ++i) {
    window.acknowledged(Seconds(0));
    fill(window, Seconds(0));
  }
  for (int i = 0; i < 4; ++i) {  // of 8: a window of 4, 2, 1, 0.5
    EXPECT_FALSE(window.may_send(Seconds(3)));
    window.acknowledged(Seconds(3));
  }
  for (int i = 0; i < 3; ++i) window.acknowledged(Seconds(3));
  EXPECT_FALSE(window.may_send(Seconds(3)));
  window.acknowledged(Seconds(3));
  EXPECT_EQ(fill(window, Seconds(3)), 1) << "one may always be";
}

TEST(SendWindow, AnAnswerWithinOneToTwoSecondsChangesNothing) {
  SendWindow window(kPiece, 8, 0);
  fill(window, Seconds(0));
  window.acknowledged(Seconds(1.5));
  EXPECT_EQ(fill(window, Seconds(1.5)), 1);
}

TEST(SendWindow, WhileItIsFullOnlyAnAnswerLetsTheNextGo) {
  SendWindow window(kPiece, 1, 100);
  EXPECT_TRUE(window.may_send(Seconds(-5)));
  fill(window, Seconds(0));
  EXPECT_EQ(window.next(), kNever);
  window.acknowledged(Seconds(1));
  EXPECT_EQ(window.next(), Seconds(10));
  EXPECT_TRUE(window.all_acknowledged());
}

// The bound itself, of any two moments, against what was sent between them.
TEST(SendWindow, TheRateBoundsWhatIsSentInAnyTimeHoweverOddlyTheSenderLooks) {
  const double rate = 5000;
  SendWindow window(kPiece, 100, rate);
  std::vector<Seconds> sent;
  Seconds now{0};
  for (int i = 0; i < 2000; ++i) {
    now += Seconds(i % 100 == 0 ? 7.0 : 0.003 * (i % 40));
    while (window.may_send(now)) {
      window.sent(kPieceBytes, now);
      sent.push_back(now);
      window.acknowledged(now);
    }
  }
  for (std::size_t first = 0; first < sent.size(); ++first) {
    for (std::size_t last = first; last < sent.size(); ++last) {
      const double bytes = static_cast<double>(last - first + 1) * kPieceBytes;
      ASSERT_LE(bytes, rate * ((sent[last] - sent[first]).count() + 1) + kPieceBytes + 1e-6);
    }
  }
}

TEST(SendWindow, ASenderThatLooksSeldomStillReachesTheRate) {
  SendWindow window(kPiece, 100, 5000);
  double bytes = 0;
  for (Seconds now{0}; now < Seconds(100); now += Seconds(0.9)) {
    while (window.may_send(now)) {
      window.sent(kPieceBytes, now);
      window.acknowledged(now);
      bytes += kPieceBytes;
    }
  }
  EXPECT_NEAR(bytes, 5000 * 100, 5000);
}

}  // namespace
}  // namespace lingua
