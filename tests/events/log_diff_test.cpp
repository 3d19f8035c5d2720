#include "runtime/events/log_diff.h"

#include <gmock/gmock.h>

#include "runtime/base/random.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

EventRow row(const char* who, const char* what, std::int64_t step, double start, double end,
             double bytes = 0) {
  return {who, what, 0, 0, step, Seconds(start), Seconds(end), bytes};
}

EventLog log_of(std::vector<EventRow> rows) {
  EventLog log;
  log.add(std::move(rows));
  return log;
}

std::vector<EventRow> two_devices() {
  return {row("a", event::kLoad, -1, 0, 1, 100), row("b", event::kLoad, -1, 0, 1, 100),
          row("a", event::kCompute, 0, 1, 2),    row("a->b", event::kTransfer, 0, 2, 3, 64),
          row("b", event::kCompute, 0, 3, 4),    row("b->a", event::kResult, 0, 4, 5, 8),
          row("a", event::kCompute, 1, 5, 6),    row("a->b", event::kTransfer, 1, 6, 7, 64)};
}

constexpr LogComparison kExact{};
constexpr LogComparison kNoTimes{false, Seconds(0), 3};

TEST(LogDiff, OfEqualLogsIsNothingInWhateverOrderTheRowsStand) {
  std::vector<EventRow> reversed = two_devices();
  std::reverse(reversed.begin(), reversed.end());
  for (const LogComparison& how : {kExact, kNoTimes}) {
    EXPECT_FALSE(first_difference(log_of(two_devices()), log_of(reversed), how));
    EXPECT_FALSE(first_difference({}, {}, how));
  }
}

TEST(LogDiff, NamesTheColumnAndBothRowsAndWhatCameBefore) {
  std::vector<EventRow> other = two_devices();
  other[4].end = Seconds(4.5);
  const auto found = first_difference(log_of(two_devices()), log_of(other), kExact);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->column, "end");
  EXPECT_EQ(found->a.row->who, "b");
  EXPECT_EQ(found->a.row->end, Seconds(4));
  EXPECT_EQ(found->b.row->end, Seconds(4.5));
  EXPECT_THAT(found->a.before, ElementsAre(Field(&EventRow::what, event::kLoad),
                                           Field(&EventRow::what, event::kCompute),
                                           Field(&EventRow::what, event::kTransfer)));
  EXPECT_THAT(found->b.before, SizeIs(3));
}

TEST(LogDiff, IsTheEarliestOfSeveral) {
  std::vector<EventRow> other = two_devices();
  other[7].bytes = 65;
  other[5].bytes = 9;
  other[6].start = Seconds(5.5);
  const auto found = first_difference(log_of(two_devices()), log_of(other), kExact);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->column, "bytes");
  EXPECT_EQ(found->a.row->who, "b->a");
  EXPECT_EQ(found->b.row->bytes, 9);
}

TEST(LogDiff, NamesAnEventThatOneLogLacksAndWhereItWouldStand) {
  std::vector<EventRow> fewer = two_devices();
  fewer.erase(fewer.begin() + 3);
  const auto found = first_difference(log_of(two_devices()), log_of(fewer), kExact);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->column, "");
  EXPECT_EQ(found->a.row->who, "a->b");
  EXPECT_FALSE(found->b.row);
  ASSERT_THAT(found->b.before, SizeIs(3));
  EXPECT_EQ(found->b.before.back().who, "a");
  const auto turned = first_difference(log_of(fewer), log_of(two_devices()), kExact);
  EXPECT_FALSE(turned->a.row);
  EXPECT_EQ(turned->b.row->who, "a->b");
}

TEST(LogDiff, TellsTheSecondOfTheSameEventFromTheFirst) {
  std::vector<EventRow> twice = two_devices();
  twice.push_back(row("b", event::kCompute, 0, 8, 9));
  EXPECT_FALSE(first_difference(log_of(twice), log_of(twice), kExact));
  const auto found = first_difference(log_of(twice), log_of(two_devices()), kExact);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->a.row->start, Seconds(8));
  EXPECT_FALSE(found->b.row);
}

TEST(LogDiff, LetsTimesDifferByTheToleranceEvenWhereThatTurnsTheirOrder) {
  std::vector<EventRow> other = two_devices();
  other[0].start = Seconds(0.001);  // a after b
  other[2].end = Seconds(2.001);
  EXPECT_FALSE(first_difference(log_of(two_devices()), log_of(other), {true, Seconds(0.0011), 3}));
  const auto found =
      first_difference(log_of(two_devices()), log_of(other), {true, Seconds(0.0009), 3});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->column, "start");
}

TEST(LogDiff, WithoutTimesComparesWhatEachDeviceAndLinkDidInItsOrder) {
  std::vector<EventRow> slower = two_devices();
  for (EventRow& one : slower) {
    one.start *= 3;
    one.end *= 4;
  }
  slower[1].start = Seconds(2.5);  // b loads after a has computed
  EXPECT_FALSE(first_difference(log_of(two_devices()), log_of(slower), kNoTimes));
  EXPECT_TRUE(first_difference(log_of(two_devices()), log_of(slower), kExact));
  std::swap(slower[2].step, slower[6].step);  // a computes step 1 first
  const auto found = first_difference(log_of(two_devices()), log_of(slower), kNoTimes);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->column, "step");
  EXPECT_EQ(found->a.row->step, 0);
  EXPECT_EQ(found->b.row->step, 1);
  EXPECT_THAT(found->a.before, ElementsAre(Field(&EventRow::who, "a"))) << "of a alone";
}

TEST(LogDiff, WithoutTimesSeesBytesAndAnEndThatIsMissing) {
  std::vector<EventRow> other = two_devices();
  other[7].bytes = 63;
  EXPECT_EQ(first_difference(log_of(two_devices()), log_of(other), kNoTimes)->column, "bytes");
  other.pop_back();
  const auto found = first_difference(log_of(two_devices()), log_of(other), kNoTimes);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->b.row);
  EXPECT_THAT(found->b.before, ElementsAre(Field(&EventRow::step, 0))) << "what a->b did before";
}

TEST(LogDiff, ShowsAsManyEventsBeforeAsItIsAskedFor) {
  std::vector<EventRow> other = two_devices();
  other[6].bytes = 1;
  const auto before = [&](std::size_t count) {
    return first_difference(log_of(two_devices()), log_of(other), {true, Seconds(0), count})
        ->a.before;
  };
  EXPECT_THAT(before(0), IsEmpty());
  EXPECT_THAT(before(4), SizeIs(4));
  EXPECT_THAT(before(100), SizeIs(6));
}

// The oracle: the first row that differs when both logs stand in their order, as diff(1) would find it.
TEST(LogDiff, FindsTheFirstRowThatDiffersOfRandomLogsWithOneChange) {
  Rng rng(31);
  for (int round = 0; round < 300; ++round) {
    std::vector<EventRow> rows;
    for (int i = 0; i < 40; ++i) {
      rows.push_back(row(rng.below(2) == 0 ? "a" : "b", event::kCompute,
                         static_cast<std::int64_t>(rng.below(30)), i, i + rng.uniform()));
    }
    EventLog a = log_of(rows);
    const std::size_t changed = rng.below(rows.size());
    rows[changed].bytes = 1;
    const auto found = first_difference(a, log_of(rows), kExact);
    ASSERT_TRUE(found) << round;
    EXPECT_EQ(found->column, "bytes");
    EXPECT_EQ(found->a.row->start, Seconds(static_cast<double>(changed)));
    EXPECT_EQ(found->b.row->start, found->a.row->start);
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(changed));
    ASSERT_TRUE(first_difference(a, log_of(rows), kExact));
  }
}

}  // namespace
}  // namespace lingua
