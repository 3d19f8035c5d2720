#include "runtime/trust/known_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"
#include "tests/trust/sample_keys.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Known : public ::testing::Test {
 protected:
  std::string refusal(const std::string& text) const {
    std::ofstream(file_) << text;
    try {
      KnownKeys known(file_);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  const std::string file_ = folder_.file("known");
  const PublicKey key_ = sample_pair().public_key;
};

TEST_F(Known, NamesAreRememberedWithTheirKeys) {
  KnownKeys(file_).add("Anna's phone", key_);
  KnownKeys(file_).add("b", make_key_pair().public_key);
  const KnownKeys known(file_);
  EXPECT_EQ(known.find("Anna's phone"), key_);
  EXPECT_EQ(known.find("a"), std::nullopt);
  EXPECT_EQ(known.names().size(), 2U);
}

TEST_F(Known, ANameHasOneKey) {
  KnownKeys known(file_);
  known.add("a", key_);
  KnownKeys(file_).add("a", key_);
  EXPECT_THROW(KnownKeys(file_).add("a", make_key_pair().public_key), InputError);
  EXPECT_EQ(KnownKeys(file_).find("a"), key_);
}

TEST_F(Known, ARevokedKeyIsNeverTakenAgainAndItsNameIsFree) {
  const auto when = std::chrono::system_clock::now();
  KnownKeys known(file_);
  EXPECT_FALSE(known.revoke("a", when));
  known.add("a", key_);
  EXPECT_TRUE(known.revoke("a", when));
  const KnownKeys later(file_);
  EXPECT_EQ(later.find("a"), std::nullopt);
  EXPECT_TRUE(later.is_revoked(key_));
  EXPECT_FALSE(later.is_revoked(make_key_pair().public_key));
  EXPECT_LE(std::chrono::abs(*later.revoked_at("a") - when), std::chrono::seconds(1));
  EXPECT_EQ(later.revoked_at("b"), std::nullopt);
}

TEST_F(Known, AForgottenNameIsAsNew) {
  KnownKeys known(file_);
  known.add("a", key_);
  EXPECT_TRUE(known.forget("a"));
  EXPECT_FALSE(known.forget("a"));
  EXPECT_FALSE(KnownKeys(file_).is_revoked(key_));
}

TEST_F(Known, OtherProcessesLoseNothing) {
  constexpr int kProcesses = 8;
  constexpr int kEach = 20;
  for (int p = 0; p < kProcesses; ++p) {
    if (fork() != 0) continue;
    try {
      for (int i = 0; i < kEach; ++i) {
        KnownKeys(file_).add(std::to_string(p) + "." + std::to_string(i), key_);
      }
    } catch (const std::exception&) {
      _exit(1);
    }
    _exit(0);
  }
  for (int status = 0; wait(&status) > 0;) EXPECT_EQ(status, 0);
  EXPECT_EQ(KnownKeys(file_).names().size(), kProcesses * kEach);
}

TEST_F(Known, LinesThatAreNoneAreNamed) {
  const std::string key = kSamplePublicText;
  for (const std::string& line : std::vector<std::string>{
           "known a", "known a " + key.substr(1), "known " + key, "known %zz " + key,
           "known % " + key, "known a " + key + " b", "revoked a " + key, "trusted a " + key,
           "\x1b[2J", "revoked a " + key + " -1", "revoked a " + key + " 9223372036854775807"}) {
    EXPECT_THAT(refusal("# devices\nknown b " + key + "\n" + line + "\n"),
                AllOf(HasSubstr(file_ + ": line 3: "), ::testing::Not(HasSubstr("\x1b"))))
        << line;
  }
  EXPECT_THAT(refusal("known a " + key + "\nknown a " + key + "\n"),
              HasSubstr("has a key already"));
}

}  // namespace
}  // namespace lingua
