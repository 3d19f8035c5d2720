#include "runtime/text/text_stream.h"

#include <gtest/gtest.h>

#include "runtime/base/random.h"
#include "runtime/text/utf8.h"

namespace lingua {
namespace {

// Each id is an index of the pieces it was made with; the id beyond them is a special token.
class Pieces : public Tokenizer {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  std::vector<TokenId> encode(std::string_view, bool, bool) const override { return {}; }
  std::string decode(const std::vector<TokenId>&, bool) const override { return ""; }
  std::string token_bytes(TokenId id) const override {
    return id < size() ? pieces_[static_cast<std::size_t>(id)] : "";
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(pieces_.size()); }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::vector<TokenId> stop_tokens() const override { return {}; }
  std::optional<TokenId> special(const std::string&) const override { return std::nullopt; }

 private:
  std::vector<std::string> pieces_;
};

struct Said {
  std::vector<std::string> pushed;
  std::string finished;
  bool stopped = false;
  std::string all() const {
    std::string text;
    for (const std::string& part : pushed) text += part;
    return text + finished;
  }
};

Said stream(const std::vector<std::string>& pieces, const std::vector<std::string>& stops = {}) {
  const Pieces tokenizer(pieces);
  TextStream text(tokenizer, stops);
  Said said;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    said.pushed.push_back(text.push(static_cast<TokenId>(i)));
  }
  said.finished = text.finish();
  said.stopped = text.stopped();
  return said;
}

using Parts = std::vector<std::string>;

TEST(TextStream, GivesWholeCharactersAsSoonAsTheyAre) {
  const Said said = stream({"a\xF0\x9F", "\x98", "\x80", "b"});
  EXPECT_EQ(said.pushed, (Parts{"a", "", "\xF0\x9F\x98\x80", "b"}));
  EXPECT_EQ(said.finished, "");
}

TEST(TextStream, KeepsTheSpaceOfTheFirstToken) {
  EXPECT_EQ(stream({" Paris", "."}).pushed, (Parts{" Paris", "."}));
}

TEST(TextStream, ReplacesBytesThatCannotBecomeACharacter) {
  EXPECT_EQ(stream({"\xFF", "a"}).pushed, (Parts{"\xEF\xBF\xBD", "a"}));
  EXPECT_EQ(stream({"\xE2\x82", "a"}).pushed, (Parts{"",
                                                     "\xEF\xBF\xBD"
                                                     "a"}));
  EXPECT_EQ(stream({"\xE2\x82"}).finished, "\xEF\xBF\xBD");
}

TEST(TextStream, HoldsBackWhatMayBeginAStopString) {
  const Said said = stream({"one\n", "\n", "two\nU", "ser", ":", " x"}, {"\nUser:"});
  EXPECT_EQ(said.pushed, (Parts{"one", "\n", "\ntwo", "", "", ""}));
  EXPECT_EQ(said.finished, "");
  EXPECT_TRUE(said.stopped);
}

TEST(TextStream, GivesWhatWasHeldBackWhenItEnds) {
  const Said said = stream({"a", "EN"}, {"END"});
  EXPECT_EQ(said.pushed, (Parts{"a", ""}));
  EXPECT_EQ(said.finished, "EN");
  EXPECT_FALSE(said.stopped);
}

TEST(TextStream, FindsAStopStringThatBeginsInsideItsOwnBeginning) {
  EXPECT_EQ(stream({"x", "a", "a", "b", "y"}, {"aab"}).all(), "x");
  EXPECT_EQ(stream({"aaab"}, {"aab"}).all(), "a");
}

TEST(TextStream, SaysNothingOfSpecialTokens) {
  const Pieces tokenizer({"a"});
  TextStream text(tokenizer, {});
  EXPECT_EQ(text.push(1), "");
  EXPECT_EQ(text.push(0), "a");
}

// The rule itself, on the whole of the bytes.
std::string plainly(const std::string& bytes, const Parts& stops) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Piece piece = utf8_piece(bytes, at);
    text += piece.kind == Utf8Piece::Kind::kCharacter ? bytes.substr(at, piece.bytes)
                                                      : std::string(kReplacementCharacter);
    at += piece.bytes;
  }
  for (std::size_t end = 0; end <= text.size(); ++end) {
    std::size_t start = std::string::npos;
    for (const std::string& stop : stops) {
      if (end >= stop.size() && text.compare(end - stop.size(), stop.size(), stop) == 0) {
        start = std::min(start, end - stop.size());
      }
    }
    if (start != std::string::npos) return text.substr(0, start);
  }
  return text;
}

TEST(TextStream, DoesNotDependOnHowBytesAreCutIntoTokens) {
  Rng rng(11);
  const Parts atoms = {"a", "b", "c", "\xE2", "\x82", "\xAC", "\xF0", "\xFF", "\xE2\x82\xAC"};
  const Parts stops = {"abc", "bb", "c\xE2\x82\xAC", "b\xEF\xBF\xBD"};
  int stopped = 0;
  for (int round = 0; round < 3000; ++round) {
    Parts pieces(1);
    for (std::uint64_t i = 1 + rng.below(14); i > 0; --i) {
      pieces.back() += atoms[rng.below(atoms.size())];
      if (rng.below(2) == 0) pieces.emplace_back();
    }
    std::string bytes;
    for (const std::string& piece : pieces) bytes += piece;
    const Said said = stream(pieces, stops);
    ASSERT_EQ(said.all(), plainly(bytes, stops)) << "round " << round;
    stopped += said.stopped ? 1 : 0;
  }
  EXPECT_GT(stopped, 300);
}

TEST(Utf8, KnowsEveryCodePointAndNothingElse) {
  for (std::uint32_t c = 0; c <= 0x10FFFF; c += c < 0x11000 ? 1 : 257) {
    std::string text;
    if (c < 0x80) {
      text = {static_cast<char>(c)};
    } else if (c < 0x800) {
      text = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    } else if (c < 0x10000) {
      text = {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
              static_cast<char>(0x80 | (c & 63))};
    } else {
      text = {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
              static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
    }
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    const Utf8Piece piece = utf8_piece(text, 0);
    ASSERT_EQ(piece.kind == Utf8Piece::Kind::kCharacter, !surrogate) << c;
    if (surrogate) continue;
    ASSERT_EQ(piece.code_point, c);
    ASSERT_EQ(piece.bytes, text.size());
    if (text.size() == 1) continue;
    ASSERT_EQ(utf8_piece(text.substr(0, text.size() - 1), 0).kind, Utf8Piece::Kind::kUnfinished);
  }
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2(", "\xED\xA0\x80"}) {
    EXPECT_EQ(utf8_piece(bad, 0).kind, Utf8Piece::Kind::kInvalid) << bad;
  }
}

}  // namespace
}  // namespace lingua
