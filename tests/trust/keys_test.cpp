#include "runtime/trust/keys.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"
#include "runtime/trust/key_folder.h"
#include "tests/trust/sample_keys.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const std::string& file) {
  try {
    read_key_file(file);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

class KeyFile : public ::testing::Test {
 protected:
  std::string put(const std::string& text, mode_t mode = 0600) {
    const std::string file = folder_.file("key");
    std::ofstream(file) << text;
    chmod(file.c_str(), mode);
    return file;
  }
  TemporaryFolder folder_;
};

TEST(PublicKey, IsTextAndBack) {
  const auto key = parse_public_key(kSamplePublicText);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->text(), kSamplePublicText);
  EXPECT_EQ(key->bytes[0], 0x8f);
  // Python: hashlib.blake2b(key, digest_size=32)
  EXPECT_EQ(key->fingerprint(), "57ad-dcd5-6cef");
  const std::string text = kSamplePublicText;
  for (const std::string& wrong : {text.substr(1), text + "A", text.substr(0, 42) + "+", text + "=",
                                   std::string(), std::string(43, ' ')}) {
    EXPECT_FALSE(parse_public_key(wrong)) << wrong;
  }
}

TEST_F(KeyFile, HoldsAPairAndOnlyItsOwnerReadsIt) {
  const std::string file = folder_.file("a/b/key");
  const KeyPair pair = make_key_pair();
  EXPECT_TRUE(write_key_file(file, pair));
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  const KeyPair read = read_key_file(file);
  EXPECT_EQ(read.public_key, pair.public_key);
  EXPECT_EQ(read.secret, pair.secret);
  EXPECT_FALSE(write_key_file(file, make_key_pair()));
  EXPECT_EQ(read_key_file(file).public_key, pair.public_key);
  EXPECT_NE(make_key_pair().public_key, make_key_pair().public_key);
}

TEST_F(KeyFile, GivesThePublicKeyOfItsSecretOne) {
  const std::string file = put(fmt::format("lingua secret key 1\n{}\n", kSampleSecretText));
  EXPECT_EQ(read_key_file(file).public_key.text(), kSamplePublicText);
}

TEST_F(KeyFile, IsRefusedWhenOthersCanReadIt) {
  const std::string text = fmt::format("lingua secret key 1\n{}\n", kSampleSecretText);
  for (const mode_t mode : {0640, 0604, 0644, 0660, 0606, 0610}) {
    EXPECT_THAT(refusal(put(text, mode)),
                AllOf(HasSubstr("others can read this key"), HasSubstr("chmod 600")));
  }
  EXPECT_EQ(refusal(put(text, 0400)), "no error");
}

TEST_F(KeyFile, IsRefusedWhenItIsCutOrSomethingElse) {
  const std::string head = "lingua secret key 1\n";
  const std::string text = kSampleSecretText;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_NE(refusal(put(head + text.substr(0, size))), "no error") << size;
  }
  EXPECT_THAT(refusal(put(head + text.substr(0, 40))), HasSubstr("cut or damaged"));
  EXPECT_THAT(refusal(put(head + text + "AAAA")), HasSubstr("cut or damaged"));
  EXPECT_THAT(refusal(put("-----BEGIN OPENSSH PRIVATE KEY-----\n")),
              HasSubstr("is no key of lingua"));
  EXPECT_THAT(refusal(put("")), HasSubstr("is no key of lingua"));
  EXPECT_THAT(refusal(put(std::string(5000, 'x'))), HasSubstr("is no key of lingua"));
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("is no regular file"));
  EXPECT_THAT(refusal(folder_.file("none")), HasSubstr("No such file"));
  // The secret itself is in no message.
  EXPECT_THAT(refusal(put(head + text.substr(0, 40))),
              ::testing::Not(HasSubstr(text.substr(0, 12))));
}

TEST_F(KeyFile, IsMadeOnceAndReplacedOnlyWhenThatIsMeant) {
  const KeyFolder folder(folder_.file("keys"));
  EXPECT_FALSE(folder.has_key());
  bool made = false;
  const PublicKey first = folder.own_key(&made).public_key;
  EXPECT_TRUE(made);
  EXPECT_EQ(folder.own_key(&made).public_key, first);
  EXPECT_FALSE(made);
  const PublicKey second = folder.replace_key().public_key;
  EXPECT_NE(second, first);
  EXPECT_EQ(folder.own_key().public_key, second);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file :
       std::filesystem::directory_iterator(folder_.file("keys"))) {
    ++files;
  }
  EXPECT_EQ(files, 1U);
}

}  // namespace
}  // namespace lingua
