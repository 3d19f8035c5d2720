#include "runtime/events/event_log.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <clocale>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

constexpr const char* kHeader = "who,what,segment,request,step,start,end,bytes\n";

class EventLogFile : public ::testing::Test {
 protected:
  EventLogFile()
      : file_(std::filesystem::path(::testing::TempDir()) /
              (std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
               ".csv")) {}
  ~EventLogFile() override { std::filesystem::remove(file_); }

  EventLog read(const std::string& text) {
    std::ofstream(file_, std::ios::binary) << text;
    return read_event_log(file_);
  }

  std::string error_of(const std::string& text) {
    try {
      read(text);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

  std::filesystem::path file_;
};

EventRow row(const char* who, const char* what, double start, double end) {
  return {who, what, -1, 1, 0, Seconds(start), Seconds(end), 0};
}

TEST_F(EventLogFile, HasEveryKindOfRow) {
  for (const char* what : {event::kLoad, event::kCompute, event::kTransfer, event::kResult,
                           event::kStep, event::kRequest, event::kArrival, event::kMemory}) {
    EventLog log;
    log.add(row("a", what, 1, 1));
    EXPECT_EQ(read(log.to_csv()).rows().at(0).what, what);
    EXPECT_EQ(EventLog::csv_line(log.rows()[0]) + "\n",
              log.to_csv().substr(log.to_csv().find('\n') + 1));
  }
}

TEST_F(EventLogFile, KeepsEveryBitOfEveryRow) {
  Rng rng(7);
  EventLog log;
  for (int i = 0; i < 200; ++i) {
    const double start = rng.uniform(0, 1e5) / 3;
    log.add({"phone" + std::string(1, static_cast<char>('a' + i % 26)), event::kCompute, i, i % 5,
             i / 5, Seconds(start), Seconds(start + rng.uniform() * 1e-9), rng.uniform() * 1e12});
  }
  write_event_log(log, file_);
  const EventLog again = read_event_log(file_);
  ASSERT_EQ(again.rows().size(), log.rows().size());
  for (std::size_t i = 0; i < log.rows().size(); ++i) {
    EXPECT_EQ(again.rows()[i].start, log.rows()[i].start);
    EXPECT_EQ(again.rows()[i].end, log.rows()[i].end);
    EXPECT_EQ(again.rows()[i].bytes, log.rows()[i].bytes);
  }
  EXPECT_EQ(again.digest(), log.digest());
}

TEST_F(EventLogFile, QuotesNamesThatNeedIt) {
  EventLog log;
  log.add(row("a,\"b\"\nc", event::kLoad, 0, 1));
  log.add(row("plain", event::kLoad, 0, 1));
  write_event_log(log, file_);
  EXPECT_EQ(read_event_log(file_).rows()[0].who, "a,\"b\"\nc");
  EXPECT_EQ(read_event_log(file_).rows()[1].who, "plain");
}

TEST_F(EventLogFile, AcceptsTheLineEndsOfOtherSystemsAndNoLastOne) {
  const EventLog log =
      read("who,what,segment,request,step,start,end,bytes\r\na,load,1,-1,-1,0,2.5,8");
  ASSERT_EQ(log.rows().size(), 1u);
  EXPECT_EQ(log.rows()[0].end, Seconds(2.5));
}

TEST_F(EventLogFile, NamesFileAndLineOfWhatItRefuses) {
  const std::string head = kHeader;
  const std::string good = "a,load,0,-1,-1,0,1,8\n";
  EXPECT_THAT(error_of(""), HasSubstr("begins with the line who,what"));
  EXPECT_THAT(error_of("a,b,c,d,e,f,g,h\n"), HasSubstr(".csv:1: an event log begins"));
  EXPECT_THAT(error_of(head + good + "a,load,0\n"), HasSubstr(".csv:3: has 3 columns"));
  EXPECT_THAT(error_of(head + "a,load,0,-1,-1,0,1,8,9\n"), HasSubstr(".csv:2: has more than 8"));
  EXPECT_THAT(error_of(head + ",load,0,-1,-1,0,1,8\n"), HasSubstr(".csv:2: who: ''"));
  EXPECT_THAT(error_of(head + "a,sing,0,-1,-1,0,1,8\n"),
              HasSubstr("what: 'sing' is not known; write one of load"));
  EXPECT_THAT(error_of(head + "a,load,x,-1,-1,0,1,8\n"), HasSubstr("segment: 'x'"));
  EXPECT_THAT(error_of(head + "a,load,99999999999,-1,-1,0,1,8\n"),
              HasSubstr("segment: '99999999999'"));
  EXPECT_THAT(error_of(head + "a,load,0,-2,-1,0,1,8\n"), HasSubstr("request: '-2'"));
  EXPECT_THAT(error_of(head + "a,load,0,-1,1.5,0,1,8\n"), HasSubstr("step: '1.5'"));
  EXPECT_THAT(error_of(head + "a,load,0,-1,-1,nan,1,8\n"), HasSubstr("start: 'nan'"));
  EXPECT_THAT(error_of(head + "a,load,0,-1,-1,0,inf,8\n"), HasSubstr("end: 'inf'"));
  // A timeline counts in nanoseconds, of which so many are more than 64 bits hold.
  EXPECT_THAT(error_of(head + "a,load,0,-1,-1,-1e12,1,8\n"), HasSubstr("start: '-1e12'"));
  EXPECT_THAT(error_of(head + "a,\x1b[2J,0,-1,-1,0,1,8\n"), HasSubstr("what: '\\x1b[2J' is not"));
  EXPECT_THAT(error_of(head + good + good + "a,load,0,-1,-1,2,1,8\n"),
              HasSubstr(".csv:4: end: '1'"));
  EXPECT_THAT(error_of(head + "a,load,0,-1,-1,0,1,-8\n"), HasSubstr("bytes: '-8'"));
  EXPECT_THAT(error_of(head + "\"a,load,0,-1,-1,0,1,8\n"), HasSubstr("quoted field does not end"));
  EXPECT_THAT(error_of(head + "\"a\"b,load,0,-1,-1,0,1,8\n"), HasSubstr(".csv:2: text follows"));
}

TEST_F(EventLogFile, SurvivesAnyTruncationOfItself) {
  EventLog log;
  for (int i = 0; i < 3; ++i) log.add(row("a,\"b", event::kCompute, i, i + 0.5));
  const std::string text = log.to_csv();
  int refused = 0;
  for (std::size_t size = 0; size < text.size(); ++size)
    refused += error_of(text.substr(0, size)) != "no error";
  EXPECT_GT(refused, static_cast<int>(text.size()) / 2);
}

TEST_F(EventLogFile, RefusesAFileThatIsNotThere) {
  EXPECT_THROW(read_event_log(file_ / "missing"), InputError);
}

TEST(EventLog, SortsByStartEndWhoWhatSegmentRequestStep) {
  EventLog log;
  log.add({"b", "compute", 0, 0, 0, Seconds(1), Seconds(2), 0});
  log.add({"a", "load", 0, 0, 0, Seconds(1), Seconds(2), 0});
  log.add({"a", "compute", 1, 0, 0, Seconds(1), Seconds(2), 0});
  log.add({"a", "compute", 0, 1, 0, Seconds(1), Seconds(2), 0});
  log.add({"a", "compute", 0, 0, 1, Seconds(1), Seconds(2), 0});
  log.add({"z", "load", 0, 0, 0, Seconds(1), Seconds(1.5), 0});
  log.add({"z", "load", 0, 0, 0, Seconds(0), Seconds(9), 0});
  log.sort();
  std::string order;
  for (const EventRow& r : log.rows())
    order += fmt::format("{}{}{}{}{} ", r.who, r.what[0], r.segment, r.request, r.step);
  EXPECT_EQ(order, "zl000 zl000 ac001 ac010 ac100 al000 bc000 ");
  EXPECT_EQ(log.rows()[0].start, Seconds(0));
}

std::vector<EventRow> some_rows(std::size_t count) {
  Rng rng(11);
  std::vector<EventRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows.push_back({std::string(1, static_cast<char>('a' + rng.below(3))), event::kCompute,
                    static_cast<SegmentId>(rng.below(4)), static_cast<RequestId>(rng.below(3)),
                    static_cast<std::int64_t>(i), Seconds(static_cast<double>(rng.below(9)) / 3),
                    Seconds(3), 0});
  }
  return rows;
}

std::string digest_of(const std::vector<EventRow>& rows) {
  LogDigest digest;
  for (const EventRow& row : rows) digest.add(row);
  return digest.text();
}

TEST(EventLog, SortsManyAsComparingRowsDoes) {
  std::vector<EventRow> rows = some_rows(500);
  EventLog log;
  log.add(rows);
  log.sort();
  std::sort(rows.begin(), rows.end(), [](const EventRow& a, const EventRow& b) {
    return std::tie(a.start, a.who, a.segment, a.request, a.step) <
           std::tie(b.start, b.who, b.segment, b.request, b.step);
  });
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(EventLog::csv_line(log.rows()[i]), EventLog::csv_line(rows[i]));
}

TEST(LogDigest, IsOfTheRowsInWhateverOrder) {
  std::vector<EventRow> rows = some_rows(50);
  const std::string before = digest_of(rows);
  EXPECT_EQ(before.size(), 16u);
  std::reverse(rows.begin(), rows.end());
  EXPECT_EQ(digest_of(rows), before);
  EventLog log;
  log.add(rows);
  EXPECT_EQ(log.digest(), before);
  log.sort();
  EXPECT_EQ(log.digest(), before);
}

TEST(LogDigest, SeesARowThatIsMissingDoubledOrChangedInAnyColumn) {
  const std::vector<EventRow> rows = some_rows(50);
  std::set<std::string> digests = {digest_of(rows), digest_of({})};
  std::size_t different = 2;
  const auto expect_another = [&](const std::vector<EventRow>& others) {
    EXPECT_EQ((digests.insert(digest_of(others)), digests.size()), ++different);
  };
  expect_another({rows.begin() + 1, rows.end()});
  std::vector<EventRow> doubled = rows;
  for (int i = 0; i < 2; ++i) {
    doubled.push_back(rows[7]);
    expect_another(doubled);
  }
  const std::vector<std::function<void(EventRow&)>> changes = {
      [](EventRow& row) { row.who += "b"; },
      [](EventRow& row) { row.what = event::kLoad; },
      [](EventRow& row) { row.segment += 1; },
      [](EventRow& row) { row.request += 4; },
      [](EventRow& row) { row.step += 50; },
      [](EventRow& row) { row.start -= Seconds(1e-15); },
      [](EventRow& row) { row.end += Seconds(1e-15); },
      [](EventRow& row) { row.bytes = 1e-300; }};
  for (const auto& change : changes) {
    std::vector<EventRow> changed = rows;
    change(changed[20]);
    expect_another(changed);
  }
  std::vector<EventRow> swapped = rows;
  std::swap(swapped[3].step, swapped[4].step);
  expect_another(swapped);
}

TEST(EventLog, WritesTheSameTextInEveryLocale) {
  EventLog log;
  log.add(row("a", event::kLoad, 0.5, 1234567.25));
  const std::string before = log.to_csv();
  const bool changed = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
  const std::string after = log.to_csv();
  std::setlocale(LC_ALL, "C");
  EXPECT_EQ(before, after) << (changed ? "in a locale with decimal commas" : "in the same locale");
  EXPECT_EQ(before, std::string(kHeader) + "a,load,-1,1,0,0.5,1234567.25,0\n");
}

}  // namespace
}  // namespace lingua
