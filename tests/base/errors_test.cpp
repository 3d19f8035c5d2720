#include "runtime/base/errors.h"

#include <gmock/gmock.h>

namespace lingua {
namespace {

using ::testing::HasSubstr;

TEST(Errors, HaveTheExitCodesThatTheReadmePromises) {
  EXPECT_EQ(static_cast<int>(ExitCode::kOk), 0);
  EXPECT_EQ(static_cast<int>(BugError("x").exit_code()), 1);
  EXPECT_EQ(static_cast<int>(UsageError("x").exit_code()), 2);
  EXPECT_EQ(static_cast<int>(InputError("x").exit_code()), 3);
  EXPECT_EQ(static_cast<int>(InfeasibleError("x").exit_code()), 4);
  EXPECT_EQ(static_cast<int>(WorldError("x").exit_code()), 5);
}

TEST(Errors, AreCaughtAsOneFamilyWithTheirMessage) {
  try {
    throw InfeasibleError("needs 3 GB");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "needs 3 GB");
    EXPECT_EQ(error.exit_code(), ExitCode::kInfeasible);
  }
}

TEST(Check, SaysWhatDoesNotHoldWhereAndWithWhichValues) {
  const int have = 2;
  try {
    LINGUA_CHECK(have == 3, "have {} of {}", have, "three");
    FAIL() << "the check passed";
  } catch (const BugError& error) {
    EXPECT_THAT(error.what(), HasSubstr("errors_test.cpp:"));
    EXPECT_THAT(error.what(), HasSubstr("have == 3 does not hold: have 2 of three"));
  }
}

TEST(Check, NeedsNoDetailAndStaysOnInReleaseBuilds) {
  EXPECT_THROW(LINGUA_CHECK(false), BugError);
  EXPECT_NO_THROW(LINGUA_CHECK(true, "unused {}", 1));
}

TEST(Check, EvaluatesItsConditionOnce) {
  int count = 0;
  LINGUA_CHECK(++count == 1);
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace lingua
