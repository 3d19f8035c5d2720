#include "runtime/events/timeline.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/base/random.h"

namespace lingua {
namespace {

using Json = nlohmann::json;
using Track = std::pair<int, int>;

void add(EventLog& log, const std::string& who, const char* what, SegmentId segment,
         RequestId request, std::int64_t step, double start, double end) {
  log.add({who, what, segment, request, step, Seconds(start), Seconds(end), 8});
}

// `requests` overlapping requests of three steps each over two phones.
EventLog pipeline(int requests) {
  EventLog log;
  add(log, "a", event::kLoad, 0, -1, -1, 0, 1);
  add(log, "a", event::kLoad, 1, -1, -1, 0, 1);
  add(log, "b", event::kLoad, 2, -1, -1, 0, 2);
  Rng rng(3);
  for (int r = 0; r < requests; ++r) {
    const double begin = 2 + 0.3 * r;
    double t = begin;
    for (int s = 0; s < 3; ++s) {
      const double step = t;
      add(log, "a", event::kCompute, 0, r, s, t, t + 0.1 / 3);
      t += 0.1 / 3;
      const double hop = rng.uniform(0.05, 0.4);
      add(log, "a->b", event::kTransfer, -1, r, s, t, t + hop);
      t += hop;
      add(log, "b", event::kCompute, 2, r, s, t, t + 0.2);
      t += 0.2;
      add(log, "b->a", event::kResult, -1, r, s, t, t + 0.01);
      t += 0.01;
      add(log, "a", event::kStep, -1, r, s, step, t);
    }
    add(log, "a", event::kRequest, -1, r, -1, begin, t);
  }
  return log;
}

std::vector<Json> events(const Json& trace, const std::string& phase) {
  std::vector<Json> result;
  for (const Json& event : trace.at("traceEvents")) {
    if (event.at("ph") == phase) result.push_back(event);
  }
  return result;
}

Track track_of(const Json& event) { return {event.at("pid"), event.at("tid")}; }

// Integers of nanoseconds, so that sums are exact.
std::int64_t begin_of(const Json& event) {
  return std::llround(event.at("ts").get<double>() * 1000);
}
std::int64_t end_of(const Json& event) {
  return begin_of(event) + std::llround(event.at("dur").get<double>() * 1000);
}

// Slices on a track follow each other; only steps may lie inside their request.
void expect_drawable(const std::vector<Json>& slices) {
  std::map<Track, std::vector<const Json*>> tracks;
  for (const Json& slice : slices) tracks[track_of(slice)].push_back(&slice);
  for (const auto& [track, on_track] : tracks) {
    for (const Json* a : on_track) {
      for (const Json* b : on_track) {
        const bool overlap = a != b && begin_of(*a) < end_of(*b) && begin_of(*b) < end_of(*a);
        if (!overlap) continue;
        const bool a_holds_b = begin_of(*a) <= begin_of(*b) && end_of(*b) <= end_of(*a);
        const bool b_holds_a = begin_of(*b) <= begin_of(*a) && end_of(*a) <= end_of(*b);
        EXPECT_TRUE(((*a)["cat"] == "request" && (*b)["cat"] == "step" && a_holds_b) ||
                    ((*a)["cat"] == "step" && (*b)["cat"] == "request" && b_holds_a))
            << *a << " and " << *b;
      }
    }
  }
}

TEST(Timeline, DrawsEveryRowOnceWhereItBelongs) {
  const EventLog log = pipeline(4);
  const Json trace = Json::parse(timeline_json(log, "four requests"));
  EXPECT_EQ(trace["otherData"]["title"], "four requests");
  const auto slices = events(trace, "X");
  EXPECT_EQ(slices.size(), log.rows().size());
  expect_drawable(slices);
  std::map<int, std::string> processes;
  std::map<Track, std::string> tracks;
  for (const Json& meta : events(trace, "M")) {
    if (meta["name"] == "process_name") processes[meta["pid"]] = meta["args"]["name"];
    if (meta["name"] == "thread_name") tracks[track_of(meta)] = meta["args"]["name"];
  }
  for (const Json& slice : slices) {
    const std::string process = processes.at(slice["pid"]);
    const std::string track = tracks.at(track_of(slice));
    const std::string kind = slice["cat"];
    if (kind == "compute") {
      EXPECT_EQ(process, slice["args"]["segment"] == 0 ? "a" : "b");
    } else if (kind == "load") {
      EXPECT_TRUE(track.starts_with("load"));
    } else if (kind == "transfer" || kind == "result") {
      EXPECT_EQ(process, "links");
      EXPECT_TRUE(track.starts_with(kind == "transfer" ? "a->b" : "b->a"));
    } else {
      EXPECT_EQ(process, "requests in flight");
    }
  }
}

TEST(Timeline, GivesOverlappingRequestsTracksOfTheirOwnWithTheirStepsInside) {
  const auto slices = events(Json::parse(timeline_json(pipeline(5), "")), "X");
  std::map<int, Track> track_of_request;
  std::set<Track> used;
  for (const Json& slice : slices) {
    if (slice["cat"] == "request") {
      track_of_request[slice["args"]["request"]] = track_of(slice);
      used.insert(track_of(slice));
    }
  }
  EXPECT_GE(used.size(), 2u);
  EXPECT_LE(used.size(), 5u);
  for (const Json& slice : slices) {
    if (slice["cat"] != "step") continue;
    EXPECT_EQ(track_of(slice), track_of_request.at(slice["args"]["request"]));
  }
}

TEST(Timeline, UsesATrackAgainWhenItIsFree) {
  EventLog log;
  for (int i = 0; i < 10; ++i) add(log, "a", event::kCompute, 0, i, 0, i / 10.0, (i + 1) / 10.0);
  std::set<Track> used;
  for (const Json& slice : events(Json::parse(timeline_json(log, "")), "X"))
    used.insert(track_of(slice));
  EXPECT_EQ(used.size(), 1u);
}

TEST(Timeline, KeepsNanosecondsOfALongRun) {
  EventLog log;
  add(log, "a", event::kCompute, 0, 0, 0, 3600.000000001, 3600.000000003);
  const auto slices = events(Json::parse(timeline_json(log, "")), "X");
  EXPECT_EQ(begin_of(slices[0]), 3600000000001);
  EXPECT_EQ(end_of(slices[0]), 3600000000003);
}

TEST(Timeline, DrawsAnArrowFromATransferToTheComputingThatFollows) {
  const Json trace = Json::parse(timeline_json(pipeline(3), ""));
  const auto starts = events(trace, "s");
  const auto ends = events(trace, "f");
  ASSERT_EQ(starts.size(), 9u);
  ASSERT_EQ(ends.size(), 9u);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    EXPECT_EQ(starts[i]["id"], ends[i]["id"]);
    EXPECT_LT(begin_of(starts[i]), begin_of(ends[i]));
    EXPECT_EQ(ends[i]["bp"], "e");
    const bool lands_on_a_slice = std::any_of(
        trace["traceEvents"].begin(), trace["traceEvents"].end(), [&](const Json& event) {
          return event["ph"] == "X" && event["cat"] == "compute" &&
                 track_of(event) == track_of(ends[i]) && begin_of(event) == begin_of(ends[i]);
        });
    EXPECT_TRUE(lands_on_a_slice);
  }
}

TEST(Timeline, DrawsAnyLog) {
  Rng rng(11);
  for (int round = 0; round < 20; ++round) {
    EventLog log;
    const char* kinds[] = {event::kLoad,   event::kCompute, event::kTransfer,
                           event::kResult, event::kStep,    event::kRequest};
    for (int i = 0; i < 60; ++i) {
      const double start = rng.uniform(0, 2);
      const char* kind = kinds[rng.below(6)];
      const bool link = kind == event::kTransfer || kind == event::kResult;
      add(log,
          link                  ? "a->b"
          : rng.uniform() < 0.5 ? "a"
                                : "b",
          kind, 0, static_cast<RequestId>(rng.below(4)), static_cast<std::int64_t>(rng.below(3)),
          start, start + rng.uniform(0, 0.3));
    }
    const auto slices = events(Json::parse(timeline_json(log, "")), "X");
    EXPECT_EQ(slices.size(), 60u);
    expect_drawable(slices);
  }
}

TEST(Timeline, OfNoEventsIsAValidFile) {
  const Json trace = Json::parse(timeline_json(EventLog(), "nothing"));
  EXPECT_TRUE(trace["traceEvents"].empty());
}

TEST(Timeline, SurvivesNamesThatAreNotText) {
  EventLog log;
  add(log, "\xff\"\n", event::kCompute, 0, 0, 0, 0, 1);
  EXPECT_EQ(events(Json::parse(timeline_json(log, "\xfe")), "X").size(), 1u);
}

}  // namespace
}  // namespace lingua
