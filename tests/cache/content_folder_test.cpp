#include "runtime/cache/content_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

#include "runtime/base/errors.h"
#include "tests/cache/cache_files.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;
using namespace lingua::testing;

class ContentFolderTest : public ::testing::Test {
 protected:
  ContentFolder of(const std::string& owner, std::int64_t most = 1000) const {
    return ContentFolder({root_, owner, most});
  }
  // As if it had been used so long ago.
  void age(const ContentFolder& folder, const std::string& content, int hours) const {
    const fs::path file = folder.folder() / digest_of(content).text();
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  }

  TemporaryFolder folder_;
  const fs::path root_ = folder_.path() / "kept/here";
};

TEST_F(ContentFolderTest, GivesWhatWasWritten) {
  ContentFolder folder = of("anna");
  put(folder, "weights");
  const int file = folder.open(digest_of("weights"), 7);
  ASSERT_GE(file, 0);
  std::string read(7, ' ');
  EXPECT_EQ(::pread(file, read.data(), 7, 0), 7);
  EXPECT_EQ(read, "weights");
  ::close(file);
  EXPECT_EQ(fs::status(folder.folder()).permissions(), fs::perms::owner_all);
}

TEST_F(ContentFolderTest, HasNothingOfAnotherOwnerNorOfAnotherSize) {
  ContentFolder anna = of("anna");
  put(anna, "weights");
  EXPECT_EQ(of("bert").open(digest_of("weights"), 7), -1);
  EXPECT_EQ(anna.open(digest_of("other"), 5), -1);
  EXPECT_EQ(anna.open(digest_of("weights"), 8), -1);
  EXPECT_FALSE(holds(anna, "weights")) << "it was damaged";
}

TEST_F(ContentFolderTest, FollowsNoLink) {
  ContentFolder folder = of("anna");
  std::ofstream(folder_.file("secret")) << "weights";
  fs::create_symlink(folder_.file("secret"), folder.folder() / digest_of("weights").text());
  EXPECT_EQ(folder.open(digest_of("weights"), 7), -1);
}

TEST_F(ContentFolderTest, WhatIsNotFinishedLeavesNothing) {
  ContentFolder folder = of("anna");
  {
    ContentWriter writer(folder);
    writer.append("wei", 3);
    EXPECT_THAT(files_in(root_), SizeIs(1));
  }
  EXPECT_THAT(files_in(root_), IsEmpty());
}

TEST_F(ContentFolderTest, WhatWasUsedLongestAgoMakesRoomWhoeverHasLeftIt) {
  ContentFolder anna = of("anna", 30);
  ContentFolder bert = of("bert", 30);
  put(anna, "anna's old");
  put(bert, "bert's too");
  put(anna, "anna's new");
  age(anna, "anna's old", 3);
  age(bert, "bert's too", 2);
  ::close(anna.open(digest_of("anna's old"), 10));  // is used again
  ContentFolder later = of("anna", 30);
  put(later, "one more ..");
  EXPECT_FALSE(holds(bert, "bert's too"));
  EXPECT_FALSE(holds(anna, "anna's new")) << "11 bytes need the room of two";
  EXPECT_TRUE(holds(anna, "anna's old"));
  EXPECT_TRUE(holds(anna, "one more .."));
}

TEST_F(ContentFolderTest, WhatIsAnnouncedAndNeverWrittenTakesNobodysRoom) {
  ContentFolder anna = of("anna", 30);
  put(anna, "anna's");
  ContentFolder bert = of("bert", 30);
  {
    ContentWriter writer(bert);  // of 30 bytes, it was said
    writer.append("half", 4);
  }
  EXPECT_TRUE(holds(anna, "anna's"));
}

TEST_F(ContentFolderTest, DigestsAreNoContentAndAreNotTakenForAnOwners) {
  ContentFolder anna = of("anna", 30);
  const fs::path index = root_ / kDigestsFolder / digest_of("a model").text();
  fs::create_directories(index.parent_path());
  std::ofstream(index) << "20 bytes of an index";
  fs::last_write_time(index, fs::file_time_type::clock::now() - std::chrono::hours(2));
  put(anna, "twenty-five bytes or so ..");
  EXPECT_TRUE(fs::exists(index));
}

TEST_F(ContentFolderTest, NeverHoldsMoreThanItsBound) {
  ContentFolder folder = of("anna", 95);
  for (int i = 0; i < 40; ++i) {
    put(folder, std::string(static_cast<std::size_t>(1 + i % 20), static_cast<char>('a' + i)));
    std::uintmax_t bytes = 0;
    for (const fs::path& file : files_in(root_)) bytes += fs::file_size(file);
    ASSERT_LE(bytes, 95U) << i;
  }
  EXPECT_FALSE(folder.fits(96));
  EXPECT_TRUE(folder.fits(95));
}

TEST_F(ContentFolderTest, WhatAKilledProcessLeftGoesAndOtherFilesStay) {
  ContentFolder folder = of("anna", 20);
  const fs::path left = folder.folder() / "unfinished-1-1";
  const fs::path of_others = folder.folder() / "notes.txt";
  for (const fs::path& file : {left, of_others}) {
    std::ofstream(file) << "half";
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  put(folder, "weights");
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(of_others));
}

TEST_F(ContentFolderTest, SaysWhereNothingCanBeKept) {
  std::ofstream(folder_.file("file")) << "x";
  EXPECT_THAT(
      [&] {
        ContentFolder({folder_.path() / "file", "anna", 10});
      },
      ThrowsMessage<InputError>(HasSubstr("file/anna: cannot be made a folder")));
  ContentFolder folder = of("anna");
  fs::remove_all(folder.folder());
  EXPECT_THAT([&] { put(folder, "weights"); },
              ThrowsMessage<InputError>(HasSubstr("anna: nothing can be kept there: No such")));
}

}  // namespace
}  // namespace lingua
