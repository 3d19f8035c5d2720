#include "runtime/cache/cache_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "runtime/base/errors.h"
#include "runtime/device/tensor.h"
#include "runtime/trust/confine.h"
#include "tests/cache/cache_files.h"

namespace lingua {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace lingua::testing;

std::shared_ptr<std::byte> bytes_of(const std::string& content) {
  auto data = allocate_bytes(static_cast<std::int64_t>(content.size()));
  std::memcpy(data.get(), content.data(), content.size());
  return data;
}

class CacheProcessTest : public ::testing::Test {
 protected:
  ContentFolder::Options options(const std::string& owner = "anna") const {
    return {root_, owner, 16 << 20};
  }
  // In a run of its own.
  void keep(const std::vector<std::string>& contents) const {
    CacheProcess cache(options());
    for (const std::string& content : contents)
      cache.keep(bytes_of(content), static_cast<std::int64_t>(content.size()));
  }
  static std::string found(WeightCache& cache, const std::string& content) {
    const auto size = static_cast<std::int64_t>(content.size());
    const auto data = cache.find(digest_of(content), size);
    return data ? std::string(reinterpret_cast<const char*>(data.get()), content.size()) : "none";
  }

  TemporaryFolder folder_;
  const fs::path root_ = folder_.path() / "weights";
  const std::string large_ = std::string(3 << 20, 'x') + "end";
};

TEST_F(CacheProcessTest, KeepsForTheNextRun) {
  keep({"weights", large_, "more"});
  CacheProcess cache(options());
  EXPECT_EQ(found(cache, "weights"), "weights");
  EXPECT_EQ(found(cache, large_), large_);
  EXPECT_EQ(found(cache, "never seen"), "none");
  EXPECT_EQ(found(cache, "more"), "more");
}

TEST_F(CacheProcessTest, HasNothingForAnotherCoordinator) {
  keep({"weights"});
  CacheProcess cache(options("bert"));
  EXPECT_EQ(found(cache, "weights"), "none");
}

TEST_F(CacheProcessTest, ADamagedFileIsNotThereAndGoes) {
  keep({"weights", large_});
  for (const fs::path& file : files_in(root_)) spoil(file);
  {
    CacheProcess cache(options());
    EXPECT_EQ(found(cache, "weights"), "none");
    EXPECT_EQ(found(cache, large_), "none");
  }
  EXPECT_THAT(files_in(root_), IsEmpty());
  keep({"weights"});
  CacheProcess cache(options());
  EXPECT_EQ(found(cache, "weights"), "weights");
}

TEST_F(CacheProcessTest, WhereNothingCanBeKeptItSaysSoOnceAndGoesOn) {
  const std::string log = folder_.file("log");
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen(log.c_str(), "w", stderr) == nullptr) _exit(2);
    CacheProcess cache(
        options(), [](const std::string& line) { ::dprintf(STDERR_FILENO, "%s\n", line.c_str()); });
    fs::remove_all(root_);
    cache.keep(bytes_of(large_), static_cast<std::int64_t>(large_.size()));
    cache.keep(bytes_of("more"), 4);
    const bool nothing = found(cache, "more") == "none";
    cache.~CacheProcess();
    _exit(nothing ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const std::string said = read_file(log);
  EXPECT_THAT(said, ::testing::HasSubstr("not all weights are kept for the next run"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_F(CacheProcessTest, AConfinedProcessFindsAndKeeps) {
  keep({"weights"});
  const pid_t child = ::fork();
  if (child == 0) {
    auto* cache = new CacheProcess(options());
    confine_process();
    const bool all = found(*cache, "weights") == "weights" && found(*cache, "other") == "none";
    cache->keep(bytes_of("other"), 5);
    delete cache;
    _exit(all ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  CacheProcess cache(options());
  EXPECT_EQ(found(cache, "other"), "other");
}

TEST_F(CacheProcessTest, EndsWithAWorkerThatIsKilledAndLeavesNoHalf) {
  std::array<int, 2> alive{};
  ASSERT_EQ(::pipe(alive.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    CacheProcess cache(options());
    cache.keep(bytes_of(large_), static_cast<std::int64_t>(large_.size()));
    ::kill(::getpid(), SIGKILL);
  }
  ::close(alive[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  char byte = 0;
  EXPECT_EQ(::read(alive[0], &byte, 1), 0) << "whoever has the other end has ended";
  ::close(alive[0]);
  for (const fs::path& file : files_in(root_)) EXPECT_EQ(file.filename(), digest_of(large_).text());
}

TEST_F(CacheProcessTest, SaysWhichFolderCannotBeMade) {
  std::ofstream(root_) << "a file";
  EXPECT_THROW(CacheProcess{options()}, InputError);
}

}  // namespace
}  // namespace lingua
