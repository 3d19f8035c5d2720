#include "runtime/app/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lingua {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST(Version, IdHasTheCommitUnlessThereIsNone) {
  const ProgramVersion& version = program_version();
  EXPECT_THAT(version.number, MatchesRegex("[0-9]+\\.[0-9.]+"));
  EXPECT_THAT(version_id(), StartsWith(version.number));
  if (std::string(version.commit) == "unknown") {
    EXPECT_EQ(version_id(), version.number);
  } else {
    EXPECT_THAT(version_id(), MatchesRegex("[0-9.]+\\+[0-9a-f]{12,40}(\\+changes)?"));
  }
  EXPECT_THAT(version.commit_date, MatchesRegex("20[0-9]{2}-[0-9]{2}-[0-9]{2}"));
}

TEST(Version, TextHasALineForEachLibrary) {
  EXPECT_THAT(version_text(),
              MatchesRegex("lingua [^\n]+ \\(commit [^\n]+\\)\nLibTorch [0-9.]+\nSimGrid "
                           "([0-9.]+|none)\nCBC ([0-9.]+|none)"));
}

}  // namespace
}  // namespace lingua
