#include "runtime/base/digest.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

// Source: RFC 7693, and `b2sum -l 256`.
TEST(Digest, IsBlake2b) {
  EXPECT_EQ(digest_of("").text(),
            "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(digest_of("abc").text(),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Digest, IsTheSameOfBytesThatComeInPieces) {
  const std::string all(1000, 'x');
  for (const std::size_t piece : {1, 64, 127, 128, 129, 999}) {
    Hasher hasher;
    for (std::size_t at = 0; at < all.size(); at += piece)
      hasher.update(all.data() + at, std::min(piece, all.size() - at));
    EXPECT_EQ(hasher.value(), digest_of(all)) << piece;
  }
}

TEST(Digest, IsReadAsItIsWritten) {
  const Digest digest = digest_of("weights");
  EXPECT_EQ(parse_digest(digest.text()), digest);
  const std::string bytes(digest.bytes.begin(), digest.bytes.end());
  EXPECT_EQ(digest_from(bytes), digest);
  for (const std::string& wrong :
       {std::string(), std::string("../../etc/passwd"), digest.text().substr(1),
        digest.text() + "0", std::string(64, 'g'), std::string(64, 'A'),
        std::string(63, '0') + "/"})
    EXPECT_EQ(parse_digest(wrong), std::nullopt) << wrong;
  EXPECT_EQ(digest_from(bytes.substr(1)), std::nullopt);
}

}  // namespace
}  // namespace lingua
