#include "runtime/measure/ways_to_compute.h"

#include <gmock/gmock.h>

namespace lingua {
namespace {

using Ways = std::vector<Computing>;

DeviceSpec phone(int cores, std::vector<Cores> kinds = {}) {
  DeviceSpec device;
  device.cores = cores;
  device.core_kinds = std::move(kinds);
  return device;
}

TEST(WaysToCompute, AreNumbersOfThreadsWhereAllCoresAreOfOneKind) {
  EXPECT_EQ(ways_to_compute(phone(1)), (Ways{{1}}));
  EXPECT_EQ(ways_to_compute(phone(4)), (Ways{{1}, {2}, {4}}));
  EXPECT_EQ(ways_to_compute(phone(6)), (Ways{{1}, {2}, {4}, {6}}));
  EXPECT_EQ(ways_to_compute(phone(8, {{0, 1, 2, 3, 4, 5, 6, 7}})), (Ways{{1}, {2}, {4}, {8}}));
}

TEST(WaysToCompute, AreThoseOfEachKindAndOfTheFastestTogether) {
  EXPECT_EQ(ways_to_compute(phone(8, {{7}, {4, 5, 6}, {0, 1, 2, 3}})),
            (Ways{{1, {7}},
                  {1, {4, 5, 6}},
                  {2, {4, 5, 6}},
                  {3, {4, 5, 6}},
                  {4, {4, 5, 6, 7}},
                  {1, {0, 1, 2, 3}},
                  {2, {0, 1, 2, 3}},
                  {4, {0, 1, 2, 3}},
                  {8, {0, 1, 2, 3, 4, 5, 6, 7}}}));
}

TEST(WaysToCompute, HaveTheThreadsThatTheDeviceHasChosen) {
  DeviceSpec device = phone(8, {{6, 7}, {0, 1, 2, 3, 4, 5}});
  device.computing.threads = 3;
  EXPECT_EQ(ways_to_compute(device),
            (Ways{{3, {6, 7}}, {3, {0, 1, 2, 3, 4, 5}}, {3, {0, 1, 2, 3, 4, 5, 6, 7}}}));
  device.core_kinds.clear();
  EXPECT_EQ(ways_to_compute(device), (Ways{{3}}));
}

TEST(WaysToCompute, AreFewHoweverManyKindsADeviceSays) {
  DeviceSpec device = phone(1000);
  for (int core = 0; core < 1000; ++core) device.core_kinds.push_back({core});
  EXPECT_LE(ways_to_compute(device).size(), 8U);
}

}  // namespace
}  // namespace lingua
