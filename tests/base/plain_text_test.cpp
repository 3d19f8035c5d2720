#include "runtime/base/plain_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lingua {
namespace {

TEST(PlainText, KeepsWhatPeopleRead) {
  for (const char* text :
       {"", "phone-1", "Телефон", "電話", "हिन्दी", "👩‍💻 ≤ 3", "a\\b", "é"}) {
    EXPECT_EQ(printable(text), text);
    EXPECT_EQ(one_line(text), text);
    EXPECT_EQ(escaped_json(text), text);
  }
}

// The codes are those of ECMA-48 (C0, C1) and of Unicode's Bidi_Control property.
TEST(PlainText, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(printable("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m")
      << "CSI as one C1 character";
  EXPECT_EQ(printable("a\rb\nc\td"), "a\\x0db\nc\td");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  for (const char* bidi : {"\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xaa",
                           "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",
                           "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9"}) {
    EXPECT_THAT(printable(bidi), ::testing::StartsWith("\\u")) << printable(bidi);
  }
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\u202e");
  EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\ue0041") << "a tag character";
}

// The replacements are those that Python's bytes.decode("utf-8", "replace") makes.
TEST(PlainText, ReplacesWhatIsNoUtf8) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(printable("a\xff"
                      "b"),
            "a" + r + "b");
  EXPECT_EQ(printable("\xe2\x82"), r);
  EXPECT_EQ(printable("\xe2\x82"
                      "x"),
            r + "x");
  EXPECT_EQ(printable("\xc0\xaf"), r + r) << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), r + r + r) << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), r + r + r + r) << "above U+10FFFF";
  EXPECT_EQ(printable("\xf0\x9f\x98"), r);
}

TEST(PlainText, OneLineIsOneLineAndBounded) {
  EXPECT_EQ(one_line("a\r\nb\tc"), "a  b c");
  EXPECT_EQ(one_line("abcdef", 4), "abcd...");
  EXPECT_EQ(one_line("abc\xe2\x82\xac", 4), "abc...") << "no part of a character";
  EXPECT_LE(one_line(std::string(100'000, '\x1b')).size(), 503U);
}

TEST(PlainText, JsonKeepsItsMeaning) {
  EXPECT_EQ(escaped_json("{\n \"a\": \"\xc2\x9b\xe2\x80\xae\x7f\"}"),
            "{\n \"a\": \"\\u009b\\u202e\\u007f\"}");
  EXPECT_EQ(escaped_json("\"\xf3\xa0\x81\x81\""), "\"\\udb40\\udc41\"");
}

TEST(FewLines, TellsTheFirstAndThenHowManyThereAre) {
  std::vector<std::string> said;
  FewLines lines("refusals", [&](const std::string& line) { said.push_back(line); });
  for (int i = 0; i < 100'000; ++i) lines.tell("no");
  EXPECT_LT(said.size(), 25U);
  EXPECT_EQ(said.front(), "no");
  EXPECT_EQ(said.back(), "65536 refusals so far; the last: no");
}

}  // namespace
}  // namespace lingua
