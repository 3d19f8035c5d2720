#include "runtime/cli/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "runtime/events/report.h"

namespace lingua {
namespace {

// What arrives at `reader` when `text` is shown with `writer` as standard output.
std::string shown(const std::string& text, int writer, int reader) {
  std::fflush(stdout);  // what the test framework has printed so far
  const int before = ::dup(STDOUT_FILENO);
  ::dup2(writer, STDOUT_FILENO);
  show(text);
  ::dup2(before, STDOUT_FILENO);
  ::close(before);
  std::array<char, 256> buffer{};
  const ssize_t got = ::read(reader, buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

TEST(Show, EscapesOnATerminalAndKeepsEveryByteInAPipe) {
  const std::string text = "a\x1b[2J\xc2\x9b\xe2\x80\xae\xff";
  int terminal = -1;
  int behind = -1;
  ASSERT_EQ(::openpty(&terminal, &behind, nullptr, nullptr, nullptr), 0);
  EXPECT_EQ(shown(text, behind, terminal), "a\\x1b[2J\\x9b\\u202e\xef\xbf\xbd");
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  EXPECT_EQ(shown(text, pipe[1], pipe[0]), text);
}

TEST(Tell, IsPrintableAndNamesSettingsAsOptions) {
  ::testing::internal::CaptureStderr();
  tell("no \x1b[2J `max-tokens` {}, `lingua trace`, `a\n", 3);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "no \\x1b[2J --max-tokens 3, `lingua trace`, `a\n");
}

TEST(JsonText, TakesWhatIsNoUtf8AndMeansTheSame) {
  const nlohmann::json json = {{"who", "x\xff\x1b\xe2\x80\xae"}, {"n", 1}};
  const std::string text = json_text(json);
  EXPECT_EQ(text.find_first_of("\xff\x1b"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(text)["who"], "x\xef\xbf\xbd\x1b\xe2\x80\xae");
}

}  // namespace
}  // namespace lingua
