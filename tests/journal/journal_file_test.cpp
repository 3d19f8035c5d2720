#include "runtime/journal/journal_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const JournalFacts kFacts = {{"the model", "toy"}, {"its weights", "0123"}};
const RequestName kFirst("client:1", 0);
const RequestName kSecond("client:1", 1);

RequestContent content(std::int64_t max_tokens) {
  RequestContent content;
  content.inputs = digest_of("a prompt");
  content.max_tokens = max_tokens;
  content.stop_tokens = {9, 7};
  content.sampling = {0.5, 4, 0.75, 1.25, 32, ~0ULL};
  return content;
}

// The first runs, the second is over since its client said so, a third has stopped.
const std::vector<JournalEntry> kEntries = {
    RequestBegun{kFirst, content(3)},
    TokenNoted{kFirst, 0, 5},
    RequestBegun{kSecond, content(8)},
    TokenNoted{kSecond, 0, 1},
    TokenNoted{kFirst, 1, 6},
    RequestCancelled{kSecond},
    RequestBegun{{"client:2", 0}, content(8)},
    TokenNoted{{"client:2", 0}, 0, 7},
};

RequestHistory history_of(std::size_t count) {
  RequestHistory history;
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(history.take(kEntries[i]), "");
  return history;
}

void expect_same(const RequestHistory& history, const RequestHistory& expected) {
  for (const RequestName& name : {kFirst, kSecond, RequestName("client:2", 0)}) {
    const auto* is = history.find(name);
    const auto* should = expected.find(name);
    ASSERT_EQ(is == nullptr, should == nullptr) << name.first << " " << name.second;
    if (is == nullptr) continue;
    EXPECT_EQ(is->content, should->content);
    EXPECT_EQ(is->tokens, should->tokens);
    EXPECT_EQ(is->ending, should->ending);
  }
}

class JournalFileTest : public ::testing::Test {
 protected:
  JournalFileTest() {
    JournalFile file(path_, kFacts);
    ends_.push_back(read().size());
    for (const JournalEntry& entry : kEntries) {
      file.append({entry});
      ends_.push_back(read().size());
    }
    whole_ = read();
  }
  std::string read() const { return read_file(path_); }
  void write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  // How many entries stand whole in so many bytes.
  std::size_t entries_in(std::size_t bytes) const {
    std::size_t count = 0;
    while (count < kEntries.size() && ends_[count + 1] <= bytes) ++count;
    return count;
  }
  // It has the first `count` entries, and the others when they are noted again.
  void expect_goes_on(std::size_t count, bool left_out) const {
    {
      JournalFile file(path_, kFacts);
      EXPECT_EQ(!file.left_out().empty(), left_out) << file.left_out();
      EXPECT_EQ(file.left_out().find('\n'), std::string::npos);
      expect_same(file.history(), history_of(count));
      file.append({kEntries.begin() + static_cast<std::ptrdiff_t>(count), kEntries.end()});
    }
    EXPECT_EQ(read(), whole_);
  }
  // With a message that has these words, and the file as it is.
  void expect_refused(const std::string& bytes, const std::string& words) const {
    write(bytes);
    EXPECT_THAT(
        [&] { JournalFile(path_, kFacts); },
        ThrowsMessage<InputError>(AllOf(HasSubstr(path_.string() + ": "), HasSubstr(words))));
    EXPECT_EQ(read(), bytes);
  }

  TemporaryFolder folder_;
  const fs::path path_ = folder_.file("journal");
  std::string whole_;
  std::vector<std::size_t> ends_;  // of the facts, and of each entry
};

TEST_F(JournalFileTest, KnowsWhatWasNoted) {
  EXPECT_TRUE(whole_.starts_with("lingua journal 1\n"));
  const JournalFile file(path_, kFacts);
  EXPECT_EQ(file.left_out(), "");
  expect_same(file.history(), history_of(kEntries.size()));
  EXPECT_EQ(file.history().find(kFirst)->ending, std::nullopt);
  EXPECT_EQ(file.history().find(kSecond)->ending, Ending::kCancelled);
  EXPECT_EQ(file.history().find({"client:2", 0})->ending, Ending::kStop);
  EXPECT_EQ(file.history().find({"client:2", 1}), nullptr);
}

TEST_F(JournalFileTest, CutShortAnywhereItGoesOnAfterTheLastWholeRecord) {
  for (std::size_t size = 0; size < whole_.size(); ++size) {
    SCOPED_TRACE(size);
    write(whole_.substr(0, size));
    const bool at_end = size == 0 || std::find(ends_.begin(), ends_.end(), size) != ends_.end();
    expect_goes_on(entries_in(size), !at_end);
  }
}

// As a power cut leaves it where the length of a file is written before its contents.
TEST_F(JournalFileTest, ZerosAtTheEndAreNoRecords) {
  for (const std::size_t count : {1U, 11U, 12U, 13U, 5000U}) {
    write(whole_.substr(0, ends_[4]) + std::string(count, '\0'));
    expect_goes_on(4, true);
  }
}

TEST_F(JournalFileTest, NothingBehindAFlippedBitCounts) {
  for (std::size_t at = 0; at < whole_.size(); ++at) {
    SCOPED_TRACE(at);
    std::string flipped = whole_;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    if (at < ends_[0]) {
      expect_refused(flipped, at < 17 ? "journal" : "is damaged where it says");
      continue;
    }
    write(flipped);
    expect_goes_on(entries_in(at), true);
  }
}

TEST_F(JournalFileTest, OfAnotherRunOrFormatIsRefusedAndStays) {
  expect_refused("no journal", "is no journal");
  expect_refused("lingua journal 12\nwhat comes", "is a journal of format 12; this program has");
  expect_refused("lingua journal 1\n#" + whole_.substr(18), "is damaged where it says");
  for (const auto& [facts, words] : std::vector<std::pair<JournalFacts, std::string>>{
           {{{"the model", "boy"}, kFacts[1]}, "the model is 'boy' there and 'toy' here"},
           {{kFacts[0], {"its weights", "x\n"}}, "its weights is 'x ' there and '0123' here"},
           {{kFacts[0]}, "its weights is '' there"},
           {{kFacts[0], kFacts[1], {"more", "y"}}, "more is 'y' there and '' here"}}) {
    expect_refused("lingua journal 1\n" + encode(facts) + whole_.substr(ends_[0]), words);
  }
}

TEST_F(JournalFileTest, WhatIsNoFileIsRefused) {
  const auto refused = [](const fs::path& path, const std::string& words) {
    EXPECT_THAT([&] { JournalFile(path, kFacts); }, ThrowsMessage<InputError>(HasSubstr(words)))
        << path;
  };
  refused(folder_.path(), "Is a directory");
  refused(folder_.path() / "none" / "journal", "No such file");
  refused("/dev/null", "is no file that a journal can be kept in");
  const fs::path pipe = folder_.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  refused(pipe, "is no file that a journal can be kept in");
  refused("/proc/version", "/proc/version: ");
}

TEST_F(JournalFileTest, IsOpenInOneProcessOnly) {
  const JournalFile file(path_, kFacts);
  EXPECT_THAT([&] { JournalFile(path_, kFacts); },
              ThrowsMessage<WorldError>(HasSubstr("is the journal of a run that is under way")));
}

TEST_F(JournalFileTest, WhatIsWholeAndMakesNoSenseEndsIt) {
  const auto cancelled = [](const RequestName& name) {
    return JournalEntry(RequestCancelled{name});
  };
  const auto token = [](const RequestName& name, std::int64_t index) {
    return JournalEntry(TokenNoted{name, index, 4});
  };
  for (const JournalRecord& record : std::vector<JournalRecord>{
           token({"client:3", 0}, 0), token(kFirst, 1), token(kFirst, 3), token(kSecond, 1),
           token({"client:2", 0}, 1), cancelled(kSecond), cancelled({"client:3", 0}),
           JournalEntry(RequestBegun{kFirst, content(3)}),
           JournalEntry(RequestBegun{{"client:3", 0}, content(0)}), kFacts}) {
    write(whole_ + encode(record) + encode(token(kFirst, 2)));
    {
      const JournalFile file(path_, kFacts);
      EXPECT_THAT(file.left_out(), HasSubstr("a record makes no sense there"));
      expect_same(file.history(), history_of(kEntries.size()));
    }
    EXPECT_EQ(read(), whole_);
  }
}

// Behind what is whole: noise, half of it as the contents of a record, under a length and checksum that are right.
TEST_F(JournalFileTest, BytesThatAreNoneOfOursEndIt) {
  Rng rng(7);
  for (int i = 0; i < 2000; ++i) {
    std::string noise(1 + rng.below(80), '\0');
    for (char& byte : noise) byte = static_cast<char>(rng.below(i % 4 < 2 ? 256 : 5));
    std::string record = noise;
    if (i % 2 == 0) {
      record.clear();
      for (int b = 0; b < 4; ++b) record += static_cast<char>(noise.size() >> (8 * b) & 0xff);
      for (int b = 0; b < 8; ++b) record += static_cast<char>(checksum(noise) >> (8 * b) & 0xff);
      record += noise;
    }
    write(whole_ + record);
    EXPECT_NE(JournalFile(path_, kFacts).left_out(), "") << i;
    ASSERT_EQ(read(), whole_) << i;
  }
}

[[noreturn]] void append_with_room_for(std::size_t bytes, const fs::path& path) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  try {
    JournalFile file(path, kFacts);
    file.append({kEntries.begin() + 2, kEntries.end()});
  } catch (const InputError& error) {
    std::fputs(error.what(), stderr);
    _exit(3);
  }
  _exit(0);
}

TEST_F(JournalFileTest, ADiskThatIsFullIsAnErrorAndLeavesWhatWasWhole) {
  write(whole_.substr(0, ends_[2]));
  EXPECT_EXIT(append_with_room_for(ends_[4] + 5, path_), ::testing::ExitedWithCode(3),
              "cannot be written whole: File too large");
  expect_goes_on(4, true);
}

}  // namespace
}  // namespace lingua
