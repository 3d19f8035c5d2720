#include "runtime/supply/supply.h"

#include <gmock/gmock.h>

#include <functional>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/device/network_layout.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ClusterSpec three() {
  ClusterSpec cluster;
  cluster.name = "three";
  cluster.header = "a";
  cluster.default_link = {1e6, Seconds(0.01)};
  cluster.links[{"a", "b"}] = {4e6, Seconds(0.002)};
  cluster.shared_bytes_per_s = 3e6;
  for (const char* name : {"a", "b", "c"}) {
    cluster.devices.push_back({name, 1e9, 1e10, 1e6});
    cluster.devices.back().overhead = Seconds(0.5);
  }
  return cluster;
}

struct Row {
  DeviceName device;
  double at_s;
  SupplyChange change;
};

// In the order of their times, some of one time.
std::vector<Row> random_rows(Rng& rng) {
  std::vector<Row> rows;
  double at_s = 0;
  for (int i = 0; i < 30; ++i) {
    if (rng.below(3) > 0) at_s += static_cast<double>(1 + rng.below(3));
    Row row{std::string(1, static_cast<char>('a' + rng.below(3))), at_s, {}};
    const auto some = [&] { return static_cast<double>(1 + rng.below(3)) / 2; };
    if (rng.below(2) > 0) row.change.speed = some();
    if (rng.below(2) > 0) row.change.bandwidth = some();
    if (rng.below(4) == 0) row.change.present = rng.below(2) > 0;
    if (rng.below(4) == 0) row.change.battery = rng.uniform();
    if (rng.below(4) == 0) row.change.temperature_c = some();
    rows.push_back(row);
  }
  return rows;
}

SupplyTrace supply_of(const std::vector<Row>& rows) {
  SupplyTrace supply;
  for (const Row& row : rows) supply.add(row.device, Seconds(row.at_s), row.change);
  return supply;
}

// Of each column the last value that a row gives until then.
DeviceState plain_state(const std::vector<Row>& rows, const DeviceName& device, double time_s) {
  DeviceState state;
  for (const Row& row : rows) {
    if (row.device != device || row.at_s > time_s) continue;
    if (row.change.speed) state.speed = *row.change.speed;
    if (row.change.bandwidth) state.bandwidth = *row.change.bandwidth;
    if (row.change.present) state.present = *row.change.present;
    if (row.change.battery) state.battery = *row.change.battery;
    if (row.change.temperature_c) state.temperature_c = *row.change.temperature_c;
  }
  return state;
}

class RandomSupply : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  Rng rng_{GetParam()};
  const std::vector<Row> rows_ = random_rows(rng_);
  const SupplyTrace supply_ = supply_of(rows_);
};

TEST_P(RandomSupply, StateIsTheLastValueOfEachColumn) {
  for (const char* device : {"a", "b", "c", "d"}) {
    for (double time_s = -1; time_s < 70; time_s += 0.5)
      ASSERT_EQ(supply_.state_at(device, Seconds(time_s)), plain_state(rows_, device, time_s))
          << device << " at " << time_s;
  }
}

TEST_P(RandomSupply, ChangesAtTheTimesAtWhichAStateDiffers) {
  std::vector<Seconds> expected;
  double before_s = -1;
  for (const Row& row : rows_) {
    bool differs = false;
    for (const char* device : {"a", "b", "c"}) {
      differs = differs ||
                plain_state(rows_, device, row.at_s) != plain_state(rows_, device, row.at_s - 0.5);
    }
    if (differs && row.at_s != before_s) expected.emplace_back(row.at_s);
    before_s = row.at_s;
  }
  EXPECT_EQ(change_times(supply_), expected);
}

// What a transfer alone gets is the least of the parts of the network that it uses.
TEST_P(RandomSupply, MakesTheClusterOfATimeWithTheLinksOfTheNetworkLayout) {
  const ClusterSpec cluster = three();
  for (double time_s = 0; time_s < 70; time_s += 3) {
    const ClusterSpec now = cluster_at(cluster, supply_, Seconds(time_s));
    NetworkLayout layout(cluster);
    for (const char* device : {"a", "b", "c"})
      layout.set_bandwidth(device, supply_.state_at(device, Seconds(time_s)).bandwidth);
    const NetworkLayout own(now);
    for (const DeviceSpec& from : now.devices) {
      for (const DeviceSpec& to : now.devices) {
        if (from.name == to.name) continue;
        const auto alone = [&](const NetworkLayout& network) {
          double least = 1e300;
          for (const NetworkPart& part : network.path(from.name, to.name))
            least = std::min(least, part.bytes_per_s);
          return least;
        };
        EXPECT_EQ(alone(layout), alone(own));
        EXPECT_EQ(now.link(from.name, to.name).latency, cluster.link(from.name, to.name).latency);
      }
      EXPECT_GT(now.link(kCoordinator, from.name).bytes_per_s, 0);
    }
  }
}

// By small pieces of time, each at the speed in force in its middle.
TEST_P(RandomSupply, WorkIsDoneWhenTheSpeedsAddUpToIt) {
  for (int i = 0; i < 2; ++i) {
    const double start_s = rng_.uniform(0, 40);
    const double work_s = rng_.uniform(0, 20);
    constexpr double kPiece = 2e-3;
    double left_s = work_s;
    double now_s = start_s;
    for (; left_s > 0; now_s += kPiece)
      left_s -= kPiece * plain_state(rows_, "a", now_s + kPiece / 2).speed;
    EXPECT_NEAR(end_of_work(supply_, "a", Seconds(start_s), Seconds(work_s)).count(), now_s, 0.05);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomSupply, ::testing::Range<std::uint64_t>(1, 21));

TEST(SupplyTrace, OfNothingIsNominal) {
  const SupplyTrace supply;
  EXPECT_EQ(supply.state_at("a", Seconds(3)), DeviceState());
  EXPECT_THAT(change_times(supply), IsEmpty());
  const ClusterSpec now = cluster_at(three(), supply, Seconds(3));
  EXPECT_EQ(now.default_link.bytes_per_s, 1e6);
  EXPECT_EQ(now.links.size(), 1U);
  EXPECT_EQ(end_of_work(supply, "a", Seconds(2), Seconds(3)), Seconds(5));
}

TEST(SupplyTrace, KeepsNothingOfWhatChangesNothing) {
  SupplyTrace supply;
  supply.add("a", Seconds(1), {.speed = 1});
  supply.add("a", Seconds(2), {.speed = 0.5});
  supply.add("a", Seconds(2), {.speed = 1});
  EXPECT_THAT(supply.devices(), IsEmpty());
}

TEST(SupplyTrace, GoesForwardsAndHasNoDeviceThatStandsStill) {
  SupplyTrace supply;
  supply.add("a", Seconds(2), {.speed = 0.5});
  EXPECT_THROW(supply.add("a", Seconds(1), {.speed = 0.7}), BugError);
  EXPECT_THROW(supply.add("a", Seconds(3), {.speed = 0}), BugError);
  EXPECT_THROW(supply.add("a", Seconds(3), {.bandwidth = -1}), BugError);
}

TEST(ClusterAt, IsTheClusterWithWhatHoldsThen) {
  SupplyTrace supply;
  supply.add("a", Seconds(20), {.present = false});
  supply.add("b", Seconds(10), {.speed = 0.5, .bandwidth = 0.25, .battery = 0.4});
  const ClusterSpec then = cluster_at(three(), supply, Seconds(10));
  EXPECT_EQ(then.header, "a");
  EXPECT_EQ(then.device("a").flops_per_s, 1e9);
  EXPECT_EQ(then.device("b").flops_per_s, 5e8);
  EXPECT_EQ(then.device("b").memory_bytes_per_s, 5e9);
  EXPECT_EQ(then.device("b").overhead, Seconds(1));
  EXPECT_EQ(then.device("b").charge, 0.4);
  EXPECT_EQ(then.link("a", "b").bytes_per_s, 1e6);
  EXPECT_EQ(then.link("b", kCoordinator).bytes_per_s, 25e4);
  EXPECT_EQ(then.link("a", "c").bytes_per_s, 1e6);
  EXPECT_EQ(then.shared_bytes_per_s, 3e6);
  const ClusterSpec later = cluster_at(three(), supply, Seconds(20));
  EXPECT_EQ(later.index_of("a"), -1);
  EXPECT_EQ(later.header, "");
  EXPECT_EQ(later.links.size(), 6U) << "of b, c and the coordinator";
  ClusterSpec other = three();
  other.devices.pop_back();
  supply.add("c", Seconds(30), {.speed = 2});
  EXPECT_THROW(cluster_at(other, supply, Seconds(0)), BugError);
}

TEST(EndOfWork, TakesTheNewSpeedFromTheMomentOfAChange) {
  SupplyTrace supply;
  supply.add("a", Seconds(4), {.speed = 0.5});
  supply.add("a", Seconds(8), {.speed = 0.125});
  supply.add("a", Seconds(16), {.speed = 1});
  // 4 + 4 x 0.5 + 8 x 0.125 done at 16 s, the other 3 at full speed.
  EXPECT_DOUBLE_EQ(end_of_work(supply, "a", Seconds(0), Seconds(10)).count(), 19);
  EXPECT_DOUBLE_EQ(end_of_work(supply, "a", Seconds(6), Seconds(0.5)).count(), 7);
  EXPECT_DOUBLE_EQ(end_of_work(supply, "a", Seconds(6), Seconds(1)).count(), 8) << "just in time";
  EXPECT_DOUBLE_EQ(end_of_work(supply, "a", Seconds(30), Seconds(2)).count(), 32);
  EXPECT_DOUBLE_EQ(end_of_work(supply, "b", Seconds(6), Seconds(1)).count(), 7);
}

TEST(Attendance, SaysWhoComesAndGoesWhen) {
  SupplyTrace supply;
  supply.source = "day.csv";
  supply.add("a", Seconds(4), {.present = false});
  supply.add("a", Seconds(5), {.speed = 0.5});
  supply.add("b", Seconds(3), {.speed = 0.5});
  EXPECT_THAT(attendance_of(supply).absent, IsEmpty());
  EXPECT_THAT(attendance_of(supply).changes,
              ElementsAre(Attendance::Change{Seconds(4), "a", false}));
  EXPECT_THAT(departures_only(supply), ElementsAre(std::pair(DeviceName("a"), Seconds(4))));
  supply.add("a", Seconds(7.5), {.present = true});
  supply.add("c", Seconds(0), {.present = false});
  supply.add("c", Seconds(2), {.speed = 2});
  EXPECT_THAT(departures_only(SupplyTrace()), IsEmpty());
  const auto refused = [&] {
    try {
      departures_only(supply);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("it was taken");
  };
  EXPECT_THAT(refused(), HasSubstr("day.csv: a comes back at 7.5 s"));
  supply.add("c", Seconds(4), {.present = true});
  supply.add("b", Seconds(4), {.present = false, .battery = 0.5});
  EXPECT_THAT(attendance_of(supply).absent, ElementsAre("c"));
  EXPECT_THAT(attendance_of(supply).changes,
              ElementsAre(Attendance::Change{Seconds(4), "a", false},
                          Attendance::Change{Seconds(4), "b", false},
                          Attendance::Change{Seconds(4), "c", true},
                          Attendance::Change{Seconds(7.5), "a", true}));
  EXPECT_THAT(refused(), HasSubstr("day.csv: c comes at 4 s"));
}

TEST(Attendance, IsThatOfStatesAtAnyTime) {
  Rng rng(3);
  for (int draw = 0; draw < 200; ++draw) {
    const SupplyTrace supply = supply_of(random_rows(rng));
    const Attendance attendance = attendance_of(supply);
    for (double at_s = 0; at_s < 100; at_s += 0.5) {
      for (const char* device : {"a", "b", "c"}) {
        bool present = !attendance.absent.contains(device);
        for (const Attendance::Change& change : attendance.changes) {
          if (change.device == device && change.when <= Seconds(at_s)) present = change.comes;
        }
        ASSERT_EQ(present, supply.state_at(device, Seconds(at_s)).present) << device << at_s;
      }
    }
  }
}

}  // namespace
}  // namespace lingua
