#include "runtime/base/files.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Files : public ::testing::Test {
 protected:
  Files()
      : folder_(fs::path(::testing::TempDir()) /
                (std::string("files_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Files() override { fs::remove_all(folder_); }

  std::ptrdiff_t count() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  fs::path folder_;
};

void write(const fs::path& path, const std::string& text) {
  write_file_atomically(path, [&](std::ostream& out) { out << text; });
}

std::string error_of_reading(const fs::path& path, std::uint64_t max_bytes) {
  try {
    read_file(path, max_bytes);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(Files, AreReadAsTheyWereWritten) {
  std::string bytes("\0\r\n\xff", 4);
  bytes += std::string(200'000, 'x');
  write(folder_ / "a", bytes);
  EXPECT_EQ(read_file(folder_ / "a"), bytes);
  write(folder_ / "a", "");
  EXPECT_EQ(read_file(folder_ / "a"), "");
  EXPECT_EQ(count(), 1);
}

TEST_F(Files, LeaveNothingBehindWhenTheWriterThrows) {
  const auto fail = [](std::ostream& out) {
    out << "half";
    throw WorldError("the world broke");
  };
  EXPECT_THROW(write_file_atomically(folder_ / "new", fail), WorldError);
  EXPECT_EQ(count(), 0);
  write(folder_ / "old", "whole");
  EXPECT_THROW(write_file_atomically(folder_ / "old", fail), WorldError);
  EXPECT_EQ(read_file(folder_ / "old"), "whole");
  EXPECT_EQ(count(), 1);
}

TEST_F(Files, LeaveNothingBehindWhenTheStreamFails) {
  const auto fail = [](std::ostream& out) { out.setstate(std::ios::failbit); };
  EXPECT_THROW(write_file_atomically(folder_ / "new", fail), InputError);
  EXPECT_EQ(count(), 0);
}

TEST_F(Files, CannotTakeThePlaceOfAFolder) {
  fs::create_directories(folder_ / "folder" / "inside");
  EXPECT_THROW(write(folder_ / "folder", "x"), InputError);
  EXPECT_EQ(count(), 1);
}

TEST_F(Files, InAFolderThatIsNotThereAreRefusedByName) {
  const fs::path path = folder_ / "missing" / "a";
  EXPECT_THROW(write(path, "x"), InputError);
  EXPECT_THAT(error_of_reading(path, 10), HasSubstr(path.string()));
}

TEST_F(Files, OverTheLimitAreRefusedAndAtTheLimitRead) {
  write(folder_ / "a", std::string(100, 'x'));
  EXPECT_EQ(read_file(folder_ / "a", 100).size(), 100u);
  EXPECT_THAT(error_of_reading(folder_ / "a", 99), HasSubstr("larger than 99 bytes"));
  EXPECT_THAT(error_of_reading("/dev/zero", 1 << 20), HasSubstr("larger than"));
}

TEST_F(Files, ThatAreFoldersAreRefused) {
  EXPECT_THAT(error_of_reading(folder_, 10), HasSubstr("is a folder"));
}

TEST(Checksum, IsXxh3OfTheBytes) {
  EXPECT_EQ(checksum(""), 0x2d06800538d394c2ULL);  // from the specification of XXH3, seed 0
  EXPECT_EQ(checksum128(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(checksum128("a"), checksum128("b"));
  EXPECT_NE(checksum("a"), checksum("b"));
}

TEST(Checksum, DoesNotDependOnThePieces) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * 7);
  for (std::size_t piece : {1u, 63u, 64u, 1000u, 5000u}) {
    Checksum sum;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      sum.update(bytes.data() + at, std::min(piece, bytes.size() - at));
    }
    EXPECT_EQ(sum.value(), checksum(bytes)) << piece;
  }
}

}  // namespace
}  // namespace lingua
