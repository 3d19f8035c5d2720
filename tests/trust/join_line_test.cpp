#include "runtime/trust/join_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/trust/sample_keys.h"

namespace lingua {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::HasSubstr;

const WallClock::time_point kNow{seconds(1'800'000'000)};

JoinLine sample_line(const std::string& device = "phone1") {
  return {"tcp://192.168.1.5:5555", device, sample_pair().public_key,
          make_token(sample_pair(), device, kNow, seconds(60))};
}

std::string refusal(const std::string& text) {
  try {
    parse_join_line(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string judge(const std::string& token, const std::string& device = "phone1",
                  WallClock::time_point now = kNow, const KeyPair& self = sample_pair()) {
  Token said;
  return refuse_token(self, device, token, now, &said);
}

TEST(JoinLine, IsTextAndBack) {
  for (const std::string device : {"phone1", "Anna's phone", "a/b%2F", "тест", "x y", "..", "%"}) {
    const JoinLine line = sample_line(device);
    const std::string text = line.text();
    EXPECT_EQ(text.find_first_of(" '\"$&;|<>*?!`\\()"), std::string::npos) << text;
    for (const std::string& given : {text, "  " + text + "\n"}) {
      const JoinLine read = parse_join_line(given);
      EXPECT_EQ(read.address, line.address);
      EXPECT_EQ(read.device, line.device);
      EXPECT_EQ(read.coordinator, line.coordinator);
      EXPECT_EQ(read.token, line.token);
    }
  }
}

TEST(JoinLine, SaysThatItWasCutOrMistyped) {
  const std::string text = sample_line().text();
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_THAT(refusal(text.substr(0, size)), HasSubstr("the join line")) << size;
  }
  EXPECT_THAT(refusal(text.substr(0, text.size() / 2)), HasSubstr("is cut or mistyped"));
  for (std::size_t at = 9; at < text.size(); ++at) {
    std::string wrong = text;
    wrong[at] = wrong[at] == 'x' ? 'y' : 'x';
    EXPECT_NE(refusal(wrong), "no error") << at;
  }
  EXPECT_THAT(refusal("tcp://192.168.1.5:5555"), HasSubstr("begins with 'tcp://192.16"));
  EXPECT_NE(refusal(text + "x"), "no error");
  EXPECT_THAT(refusal("lingua://" + std::string(3000, 'x')), HasSubstr("too long"));
}

TEST(Token, LetsItsDeviceInUntilItEnds) {
  const std::string token = sample_line().token;
  EXPECT_EQ(judge(token), "");
  EXPECT_EQ(judge(token, "phone1", kNow + seconds(59)), "");
  EXPECT_THAT(judge(token, "phone1", kNow + seconds(61)), HasSubstr("ended 1 seconds ago"));
  EXPECT_THAT(judge(token, "phone1", kNow + hours(24)), HasSubstr("ended"));
}

TEST(Token, IsForOneDeviceAndOneCoordinator) {
  const std::string token = sample_line().token;
  EXPECT_THAT(judge(token, "phone2"), HasSubstr("not one that this coordinator made"));
  EXPECT_THAT(judge(token, "phone1", kNow, make_key_pair()), HasSubstr("not one that"));
  EXPECT_THAT(judge(""), HasSubstr("no token"));
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string wrong = token;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    EXPECT_THAT(judge(wrong), HasSubstr("not one that")) << i;
    EXPECT_NE(judge(token.substr(0, i)), "") << i;
  }
}

TEST(Token, OfATimeToComeTellsOfAClockThatWasSetBack) {
  EXPECT_THAT(judge(sample_line().token, "phone1", kNow - hours(24)), HasSubstr("set back"));
}

}  // namespace
}  // namespace lingua
