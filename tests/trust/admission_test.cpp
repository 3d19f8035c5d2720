#include "runtime/trust/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/temporary.h"
#include "tests/trust/sample_keys.h"

namespace lingua {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

class AdmissionTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string file_ = folder_.file("known_devices");
  const KeyPair self_ = sample_pair();
  const PublicKey anna_ = make_key_pair().public_key;
  const PublicKey eve_ = make_key_pair().public_key;
};

TEST_F(AdmissionTest, ANewDeviceNeedsATokenAndAKnownOneDoesNot) {
  Admission admission(self_, file_);
  EXPECT_THAT(admission.refusal(anna_, "anna", ""), HasSubstr("no token"));
  EXPECT_EQ(admission.refusal(anna_, "anna", admission.invite("anna", seconds(60))), "");
  EXPECT_FALSE(admission.knows("anna"));
  admission.remember(anna_, "anna");
  EXPECT_TRUE(admission.knows("anna"));
  EXPECT_EQ(Admission(self_, file_).refusal(anna_, "anna", ""), "");
}

TEST_F(AdmissionTest, ANameBelongsToItsKeyWhateverTokenIsThere) {
  Admission admission(self_, file_);
  const std::string token = admission.invite("anna", seconds(60));
  admission.remember(anna_, "anna");
  EXPECT_THAT(
      admission.refusal(eve_, "anna", token),
      AllOf(HasSubstr("'anna' has another key than the last time"), HasSubstr(eve_.fingerprint()),
            HasSubstr(anna_.fingerprint()), HasSubstr("lingua keys revoke 'anna'")));
}

TEST_F(AdmissionTest, ATokenIsNotForAnotherName) {
  const Admission admission(self_, file_);
  const std::string token = admission.invite("anna", seconds(60));
  EXPECT_NE(admission.refusal(eve_, "bob", token), "");
}

TEST_F(AdmissionTest, ARevokedDeviceNeedsANewKeyAndANewToken) {
  Admission admission(self_, file_);
  const std::string old = admission.invite("anna", seconds(3600));
  admission.remember(anna_, "anna");
  ASSERT_TRUE(KnownKeys(file_).revoke("anna", WallClock::now() + seconds(1)));
  const Admission later(self_, file_);
  const PublicKey next = make_key_pair().public_key;
  EXPECT_THAT(later.refusal(anna_, "anna", ""), HasSubstr("was revoked"));
  EXPECT_THAT(later.refusal(anna_, "bob", later.invite("bob", seconds(60))),
              HasSubstr("was revoked"));
  EXPECT_THAT(later.refusal(next, "anna", old), HasSubstr("made before it was revoked"));
  EXPECT_THAT(later.refusal(next, "anna", ""), HasSubstr("no token"));
  const std::string fresh = make_token(self_, "anna", WallClock::now() + seconds(3), seconds(60));
  EXPECT_EQ(later.refusal(next, "anna", fresh), "");
}

}  // namespace
}  // namespace lingua
