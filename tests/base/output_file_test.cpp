// What stands at a path before and after is asked of the operating system, not of our code.

#include "runtime/base/output_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

void write(const fs::path& path, const std::string& text) {
  write_file_atomically(path, [&](std::ostream& out) { out << text; });
}

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class OutputFile : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  std::ptrdiff_t count() const {
    return std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator());
  }
  void expect_refused(const fs::path& path, const std::string& why) const {
    EXPECT_THAT([&] { check_output_file(path); }, ThrowsMessage<InputError>(HasSubstr(why)));
    EXPECT_THAT([&] { write(path, "x"); }, ThrowsMessage<InputError>(HasSubstr(why)));
  }
  TemporaryFolder folder_;
};

TEST_F(OutputFile, ADeviceStaysADevice) {
  check_output_file("/dev/null");
  write("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  fs::create_symlink("/dev/null", at("link"));
  write(at("link"), "gone");
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(OutputFile, AFullDeviceIsSaid) {
  check_output_file("/dev/full");
  EXPECT_THAT([] { write("/dev/full", "x"); },
              ThrowsMessage<InputError>(HasSubstr("No space left on device")));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(OutputFile, APipeIsWrittenTo) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = content(at("pipe")); });
  write(at("pipe"), "through");
  reader.join();
  EXPECT_EQ(read, "through");
  EXPECT_TRUE(fs::is_fifo(at("pipe")));
}

TEST_F(OutputFile, LinksStayAndTheirTargetIsReplaced) {
  fs::create_directory(at("folder"));
  write(at("folder/target"), "old");
  fs::create_symlink("folder/target", at("link"));
  fs::create_symlink("link", at("link to link"));
  write(at("link to link"), "new");
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_TRUE(fs::is_symlink(at("link to link")));
  EXPECT_EQ(content(at("folder/target")), "new");
  EXPECT_EQ(output_target(at("link to link")), fs::canonical(at("folder/target")));
  fs::create_symlink("folder/fresh", at("dangling"));
  write(at("dangling"), "made");
  EXPECT_EQ(content(at("folder/fresh")), "made");
  fs::create_symlink("circle", at("circle"));
  expect_refused(at("circle"), "symbolic links");
}

TEST_F(OutputFile, ModesAreKeptAndNewFilesGetThoseOfTheUmask) {
  const mode_t before = ::umask(027);
  write(at("new"), "x");
  ::umask(before);
  EXPECT_EQ(fs::status(at("new")).permissions(), fs::perms(0640));
  fs::permissions(at("new"), fs::perms(0604));
  write(at("new"), "y");
  EXPECT_EQ(fs::status(at("new")).permissions(), fs::perms(0604));
}

TEST_F(OutputFile, DescriptorsAreWrittenToWhereTheyStand) {
  const int file = ::open(at("file").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::write(file, "first ", 6), 6);
  const fs::path path = "/dev/fd/" + std::to_string(file);
  check_output_file(path);
  write(path, "second");
  EXPECT_EQ(content(at("file")), "first second");
  write("/proc/self/fd/" + std::to_string(file), " third");
  ::close(file);
  EXPECT_EQ(content(at("file")), "first second third");
  expect_refused(path, "is not open");
  const int reading = ::open(at("file").c_str(), O_RDONLY);
  expect_refused("/dev/fd/" + std::to_string(reading), "reading only");
  ::close(reading);
}

TEST_F(OutputFile, WhatCannotBeIsRefusedBeforeTheWork) {
  expect_refused(at("missing/file"), "missing");
  expect_refused(folder_.path(), "is a folder");
  expect_refused(at("new/"), "is a folder");
  write(at("file"), "x");
  expect_refused(at("file/below"), "is no folder");
  expect_refused("", "empty path");
  expect_refused("/proc/new", "/proc");
  EXPECT_EQ(count(), 1) << "nothing was made";
}

TEST_F(OutputFile, NamesOfTheGreatestLengthAreWritten) {
  const std::string name(255, 'n');
  write(at(name), "x");
  EXPECT_EQ(content(at(name)), "x");
  EXPECT_EQ(count(), 1);
}

TEST_F(OutputFile, HalfOfOneIsNeverSeen) {
  write(at("file"), "old");
  const auto fail = [](std::ostream& out) {
    out << "half";
    throw WorldError("the world broke");
  };
  EXPECT_THROW(write_file_atomically(at("file"), fail), WorldError);
  EXPECT_EQ(content(at("file")), "old");
  EXPECT_EQ(count(), 1);
}

TEST(Temporary, NamesTmpdirWhenItIsNoPlace) {
  ::setenv("TMPDIR", "/nonexistent", 1);
  EXPECT_THAT([] { TemporaryFolder(); }, ThrowsMessage<InputError>(::testing::AllOf(
                                             HasSubstr("TMPDIR"), HasSubstr("/nonexistent"))));
  EXPECT_THROW(open_unnamed_file(), InputError);
  ::setenv("TMPDIR", "/dev/null", 1);
  EXPECT_THROW(TemporaryFolder(), InputError);
  ::unsetenv("TMPDIR");
  const TemporaryFolder folder;
  EXPECT_EQ(folder.path().parent_path(), "/tmp");
}

TEST_F(OutputFile, AHeldOneIsWrittenLater) {
  write(at("old"), "what stood there before");
  fs::create_symlink("old", at("link"));
  for (const char* name : {"link", "new"}) {
    HeldOutputFile file(at(name));
    EXPECT_EQ(content(at(name)), name == std::string("link") ? "what stood there before" : "");
    file.write("12\n");
    EXPECT_EQ(content(at(name)), "12\n");
  }
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_EQ(count(), 3);
}

TEST_F(OutputFile, AHeldDescriptorIsAddedTo) {
  const int log = ::open(at("log").c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(log, "one\n", 4), 4);
  HeldOutputFile("/proc/self/fd/" + std::to_string(log)).write("two\n");
  EXPECT_EQ(content(at("log")), "one\ntwo\n");
  ::close(log);
}

TEST_F(OutputFile, AHeldOneThatCannotBeWrittenIsRefusedAtOnce) {
  EXPECT_THAT([&] { HeldOutputFile file(at("none") / "file"); },
              ThrowsMessage<InputError>(HasSubstr("cannot be written: the folder")));
  EXPECT_THAT([&] { HeldOutputFile file(folder_.path()); },
              ThrowsMessage<InputError>(HasSubstr("is a folder")));
  EXPECT_THAT([] { HeldOutputFile("/dev/full").write("x"); },
              ThrowsMessage<InputError>(HasSubstr("No space left on device")));
}

}  // namespace
}  // namespace lingua
