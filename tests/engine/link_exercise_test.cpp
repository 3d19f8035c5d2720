#include "runtime/engine/link_exercise.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

class LinkExerciseTest : public ::testing::Test {
 protected:
  static Message from(const DeviceName& name, double arrived_s = 0) {
    return {name, Stop{}, Seconds(0), Seconds(arrived_s), 40};
  }
  template <class Body>
  void hear(const DeviceName& name, const Body& body, double now_s) {
    effects_ = {};
    link_.take(body, from(name, now_s), Seconds(now_s), effects_);
  }
  // The only thing that it asks for.
  template <class Body>
  Body sent(const DeviceName& to) {
    EXPECT_EQ(effects_.letters.size(), 1U);
    if (effects_.letters.empty()) return {};
    EXPECT_EQ(effects_.letters[0].to, to);
    return std::get<Body>(effects_.letters[0].body);
  }
  bool is_silent() const { return effects_.letters.empty(); }

  LinkExercise link_;
  Effects effects_;
};

TEST_F(LinkExerciseTest, SendsEachEchoWhenTheOneBeforeIsBackAndSaysHowLongTheyTook) {
  hear(kCoordinator, ExerciseLink{8, "b", 0, 1, 2}, 1);
  EXPECT_EQ(sent<Echo>("b").index, 0);
  hear("b", Echo{8, 0, true}, 1.25);
  EXPECT_EQ(sent<Echo>("b").index, 1);
  hear("b", Echo{8, 1, true}, 1.75);
  const auto times = sent<LinkTimes>(kCoordinator);
  EXPECT_EQ(times.number, 8);
  EXPECT_EQ(times.peer, "b");
  EXPECT_EQ(times.echoes_s, (std::vector<double>{0.25, 0.5}));
  EXPECT_EQ(times.message_bytes, 40);
}

TEST_F(LinkExerciseTest, AnswersEchoes) {
  hear("a", Echo{3, 5, false}, 1);
  const auto echo = sent<Echo>("a");
  EXPECT_EQ(echo.number, 3);
  EXPECT_EQ(echo.index, 5);
  EXPECT_TRUE(echo.is_back);
}

TEST_F(LinkExerciseTest, IgnoresEchoesThatItDidNotSend) {
  hear("b", Echo{8, 0, true}, 1);
  EXPECT_TRUE(is_silent());
  hear(kCoordinator, ExerciseLink{8, "b", 0, 1, 2}, 1);
  for (const auto& [name, echo] :
       {std::pair{"c", Echo{8, 0, true}}, {"b", Echo{7, 0, true}}, {"b", Echo{8, 1, true}}}) {
    hear(name, echo, 2);
    EXPECT_TRUE(is_silent());
  }
}

TEST_F(LinkExerciseTest, SendsBlocksOfZeros) {
  hear(kCoordinator, ExerciseLink{8, "b", 3, 1000, 0}, 1);
  ASSERT_EQ(effects_.letters.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    const auto& block = std::get<Bulk>(effects_.letters[static_cast<std::size_t>(i)].body);
    EXPECT_EQ(block.index, i);
    EXPECT_EQ(block.data.bytes(), 1000);
    for (int b = 0; b < 1000; ++b) ASSERT_EQ(block.data.data.get()[b], std::byte{0});
  }
}

TEST_F(LinkExerciseTest, SaysWhenBlocksCame) {
  hear("a", Bulk{8, 0, 2, {}}, 3);
  EXPECT_TRUE(is_silent());
  hear("c", Bulk{9, 0, 1, {}}, 3.5);  // another's between
  EXPECT_EQ(sent<LinkTimes>(kCoordinator).peer, "c");
  hear("a", Bulk{8, 1, 2, {}}, 4);
  const auto times = sent<LinkTimes>(kCoordinator);
  EXPECT_EQ(times.number, 8);
  EXPECT_EQ(times.arrivals_s, (std::vector<double>{3, 4}));
}

TEST_F(LinkExerciseTest, IgnoresBlocksOutOfTurn) {
  hear("a", Bulk{8, 1, 2, {}}, 3);
  EXPECT_TRUE(is_silent());
  hear("a", Bulk{8, 0, 3, {}}, 3);
  hear("a", Bulk{8, 2, 3, {}}, 4);
  EXPECT_TRUE(is_silent());
  hear("a", Bulk{9, 1, 3, {}}, 4);
  EXPECT_TRUE(is_silent());
}

}  // namespace
}  // namespace lingua
