#include "runtime/base/cores.h"

#include <gmock/gmock.h>
#include <sched.h>

#include <fstream>
#include <future>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

class CoresTest : public ::testing::Test {
 protected:
  void say(const std::string& file, const std::vector<double>& of_each) const {
    for (std::size_t i = 0; i < of_each.size(); ++i) {
      const auto path = folder_.path() / ("cpu" + std::to_string(i)) / file;
      std::filesystem::create_directories(path.parent_path());
      std::ofstream(path) << of_each[i] << "\n";
    }
  }
  std::string big(const std::vector<int>& allowed = {0, 1, 2, 3, 4, 5, 6, 7}) const {
    return cores_text(chosen_cores(kBigCores, allowed, folder_.path()));
  }
  const TemporaryFolder folder_;
};

TEST_F(CoresTest, TheSlowestKindIsLeftOut) {
  EXPECT_EQ(big(), "0-7") << "nothing is known";
  const double little = 1'800'000;
  const double middle = 2'420'000;
  say("cpufreq/cpuinfo_max_freq",
      {little, little, little, little, middle, middle, middle, 2'840'000});
  EXPECT_EQ(big(), "4-7");
  EXPECT_EQ(big({0, 1, 2, 3}), "0-3") << "of those that may be run on";
  EXPECT_EQ(big({2, 3, 5}), "5");
  EXPECT_EQ(big({4, 5, 6, 7}), "7");
}

TEST_F(CoresTest, WhatACoreDoesCountsMoreThanItsClock) {
  say("cpufreq/cpuinfo_max_freq",
      {2'000'000, 2'000'000, 2'000'000, 2'000'000, 2'000'000, 2'000'000, 2'050'000, 2'050'000});
  EXPECT_EQ(big(), "0-7");
  say("cpu_capacity", {400, 400, 400, 400, 400, 400});
  EXPECT_EQ(big(), "0-7") << "it is not known of all";
  say("cpu_capacity", {400, 400, 400, 400, 400, 400, 1024, 1024});
  EXPECT_EQ(big(), "6-7");
}

TEST_F(CoresTest, KindsAreToldWithTheFastestFirst) {
  const Cores all = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto kinds = [&](const Cores& cores) { return core_kinds(cores, folder_.path()); };
  EXPECT_EQ(kinds(all), (std::vector<Cores>{all})) << "nothing is known";
  say("cpu_capacity", {1024, 400, 400, 790, 400, 400, 800, 1010});
  EXPECT_EQ(kinds(all), (std::vector<Cores>{{0, 7}, {3, 6}, {1, 2, 4, 5}}));
  EXPECT_EQ(kinds({1, 4, 6}), (std::vector<Cores>{{6}, {1, 4}}));
  EXPECT_EQ(kinds({2}), (std::vector<Cores>{{2}}));
}

TEST_F(CoresTest, OnesThatAreClockedALittleHigherAreOfTheSameKind) {
  say("cpufreq/cpuinfo_max_freq", {5'100'000, 5'100'000, 5'300'000, 5'300'000});
  EXPECT_EQ(big({0, 1, 2, 3}), "0-3");
}

TEST_F(CoresTest, AListIsTakenAsItIsWritten) {
  const std::vector<int> allowed = {0, 1, 2, 3, 6};
  EXPECT_EQ(chosen_cores("6,0-1,1", allowed), (std::vector<int>{0, 1, 6}));
  EXPECT_EQ(chosen_cores("all", allowed), allowed);
  EXPECT_EQ(listed_cores(cores_text(allowed)), allowed);
  EXPECT_EQ(listed_cores("0-1023")->size(), 1024U);
  for (const char* wish : {"0", "0-3,6", "big", "all", "1023"}) EXPECT_EQ(cores_problem(wish), "");
  for (const char* wish : {"", ",", "1,", "-1", "3-1", "a", "0-", "+1", "0x1", "1024", "0 1"})
    EXPECT_THAT(cores_problem(wish), HasSubstr("write a list as 0-3,6, or big, or all")) << wish;
  try {
    chosen_cores("3-4", allowed);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "`cpus` 3-4: this process may not run on core 4; write some of 0-3,6");
  }
}

// Also one that was there before.
TEST(Cores, AllThreadsKeepToThem) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  const std::vector<int> one = {allowed_cores().back()};
  std::promise<void> moved;
  auto older = std::async(std::launch::async, [&] {
    moved.get_future().wait();
    return allowed_cores();
  });
  compute_on(one);
  moved.set_value();
  EXPECT_EQ(allowed_cores(), one);
  EXPECT_EQ(older.get(), one);
  EXPECT_EQ(std::async(std::launch::async, allowed_cores).get(), one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_THROW(compute_on({1023}), WorldError) << "there is none";
}

}  // namespace
}  // namespace lingua
