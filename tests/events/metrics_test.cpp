#include "runtime/events/metrics.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

void add(EventLog& log, const char* who, const char* what, RequestId request, std::int64_t step,
         double start, double end, double bytes = 0) {
  log.add({who, what, 0, request, step, Seconds(start), Seconds(end), bytes});
}

// 2 W computing on a and 3 W on b, 4 W for the radios of a link, at 1000 B/s.
ClusterSpec powered_cluster() {
  ClusterSpec cluster;
  for (const char* name : {"a", "b", "c"}) {
    cluster.devices.emplace_back();
    cluster.devices.back().name = name;
  }
  cluster.devices[0].power_w = 2;
  cluster.devices[1].power_w = 3;
  cluster.default_link = {1000, Seconds(1)};
  cluster.radio_power_w = 4;
  return cluster;
}

// Two requests: 0 from 1 s with three tokens, 1 from 2 s with one.
EventLog two_requests() {
  EventLog log;
  add(log, "a", event::kLoad, -1, -1, 0, 0.5, 100);
  add(log, "c", event::kLoad, -1, -1, 0, 0.5, 100);
  add(log, "a", event::kRequest, 0, -1, 1, 9);
  add(log, "a", event::kStep, 0, 0, 1, 4);
  add(log, "a", event::kStep, 0, 1, 4, 6);
  add(log, "a", event::kStep, 0, 2, 6, 9);
  add(log, "a", event::kRequest, 1, -1, 2, 5);
  add(log, "a", event::kStep, 1, 0, 2, 5);
  add(log, "a", event::kCompute, 0, 0, 1, 3);
  add(log, "a", event::kCompute, 1, 0, 2, 4);       // overlaps
  add(log, "a", event::kCompute, 0, 1, 2.5, 2.75);  // inside
  add(log, "b", event::kCompute, 0, 0, 8, 8.5);
  add(log, "a->b", event::kTransfer, 0, 0, 3, 4, 1000);
  add(log, "a->b", event::kTransfer, 0, 1, 5, 5.5, 500);
  add(log, "b->a", event::kResult, 0, 0, 4, 4.25, 50);
  return log;
}

TEST(Metrics, CountsTheStepsThatRanAsOne) {
  EventLog log = two_requests();
  EXPECT_EQ(compute_metrics(log).devices.at(0).mean_batch, 1);
  EXPECT_EQ(compute_metrics(log).devices.at(2).mean_batch, 0) << "c computed nothing";
  EXPECT_THAT(summary_table(compute_metrics(log)), ::testing::Not(HasSubstr("batch")));
  for (const RequestId request : {2, 3}) add(log, "a", event::kCompute, request, 1, 2.5, 2.75);
  const Metrics metrics = compute_metrics(log);
  EXPECT_DOUBLE_EQ(metrics.devices.at(0).mean_batch, 5.0 / 3);
  EXPECT_EQ(metrics.devices.at(0).busy_s, compute_metrics(two_requests()).devices.at(0).busy_s);
  EXPECT_THAT(summary_table(metrics), HasSubstr("batch"));
  EXPECT_DOUBLE_EQ(summary_json(metrics)["devices"][0]["mean_batch"], 5.0 / 3);
}

// A prompt in three steps: the first that gives a token is step 2.
TEST(Metrics, TheFirstTokenIsThatOfTheFirstStepThatEnds) {
  EventLog log;
  add(log, "a", event::kRequest, 0, -1, 1, 9);
  add(log, "a", event::kStep, 0, 3, 5, 9);
  add(log, "a", event::kStep, 0, 2, 1, 5);
  const RequestMetrics request = compute_metrics(log).requests.at(0);
  EXPECT_EQ(request.tokens, 2);
  EXPECT_EQ(request.ttft_s, 4);
  EXPECT_EQ(request.tpot_s, 4);
}

TEST(Metrics, MeasuresRequestsFromTheHeadersRows) {
  const Metrics metrics = compute_metrics(two_requests());
  ASSERT_EQ(metrics.requests.size(), 2u);
  EXPECT_EQ(metrics.requests[0].tokens, 3);
  EXPECT_DOUBLE_EQ(metrics.requests[0].ttft_s, 3);
  EXPECT_DOUBLE_EQ(metrics.requests[0].tpot_s, 2.5);
  EXPECT_EQ(metrics.requests[1].tokens, 1);
  EXPECT_DOUBLE_EQ(metrics.requests[1].tpot_s, 0);
  EXPECT_DOUBLE_EQ(metrics.makespan_s, 8);
  EXPECT_DOUBLE_EQ(metrics.tokens_per_s, 0.5);
  EXPECT_DOUBLE_EQ(metrics.ttft_s, 3);
  EXPECT_DOUBLE_EQ(metrics.tpot_s, 2.5);  // request 1 has none
}

TEST(Metrics, CountsOverlappingComputingOnce) {
  const Metrics metrics = compute_metrics(two_requests());
  ASSERT_EQ(metrics.devices.size(), 3u);
  EXPECT_EQ(metrics.devices[0].device, "a");
  EXPECT_DOUBLE_EQ(metrics.devices[0].busy_s, 3);
  EXPECT_DOUBLE_EQ(metrics.devices[0].busy_share, 3.0 / 8);
  EXPECT_EQ(metrics.devices[0].computed_segments, 3);
  EXPECT_DOUBLE_EQ(metrics.devices[1].busy_share, 0.5 / 8);
  EXPECT_EQ(metrics.devices[2].busy_s, 0);  // c stored and never computed
}

// a is computing from 1 to 4 and gets a result from 4 to 4.25; b is computing from 8 to 8.5 and gets
// transfers from 3 to 4 and from 5 to 5.5. The requests last from 1 to 9.
TEST(Metrics, IdleTimeIsByLinkWhileSomethingIsOnItsWayAndElseWithoutInput) {
  const Metrics metrics = compute_metrics(two_requests());
  EXPECT_DOUBLE_EQ(metrics.devices[0].idle_link_s, 0.25);
  EXPECT_DOUBLE_EQ(metrics.devices[0].idle_no_input_s, 8 - 3 - 0.25);
  EXPECT_DOUBLE_EQ(metrics.devices[1].idle_link_s, 1.5);
  EXPECT_DOUBLE_EQ(metrics.devices[1].idle_no_input_s, 8 - 0.5 - 1.5);
  EXPECT_DOUBLE_EQ(metrics.devices[2].idle_link_s, 0);
  EXPECT_DOUBLE_EQ(metrics.devices[2].idle_no_input_s, 8);
}

TEST(Metrics, WhatArrivesWhileADeviceComputesIsNoIdleTime) {
  EventLog log = two_requests();
  add(log, "c->a", event::kTransfer, 0, 0, 1.5, 3.5, 10);  // under computing
  add(log, "c->a", event::kTransfer, 0, 0, 3.5, 4.125,
      10);                                             // half of what is after it known already
  add(log, "a->c", event::kTransfer, 0, 0, 0, 2, 10);  // a second before the first request
  const Metrics metrics = compute_metrics(log);
  EXPECT_DOUBLE_EQ(metrics.devices[0].idle_link_s, 0.25);
  EXPECT_DOUBLE_EQ(metrics.devices[2].idle_link_s, 1);
}

// Sampled at 80,000 instants, without unions.
TEST(Metrics, BusyAndIdleSharesAreWhatSamplesSay) {
  Rng rng(21);
  EventLog log;
  add(log, "a", event::kRequest, 0, -1, 2, 10);
  std::vector<std::pair<double, double>> computing;
  std::vector<std::pair<double, double>> receiving;
  for (int i = 0; i < 12; ++i) {
    for (auto* intervals : {&computing, &receiving}) {
      const double start = rng.uniform(0, 11);
      intervals->emplace_back(start, start + rng.uniform(0, 0.7));
    }
    add(log, "a", event::kCompute, 0, i, computing.back().first, computing.back().second);
    add(log, "b->a", i % 2 == 0 ? event::kTransfer : event::kResult, 0, i, receiving.back().first,
        receiving.back().second);
  }
  const auto inside = [](const auto& intervals, double at) {
    return std::any_of(intervals.begin(), intervals.end(),
                       [&](const auto& one) { return one.first <= at && at < one.second; });
  };
  double busy = 0;
  double link = 0;
  double none = 0;
  constexpr double kStep = 1e-4;
  for (double at = 2 + kStep / 2; at < 10; at += kStep) {
    (inside(computing, at) ? busy : inside(receiving, at) ? link : none) += kStep;
  }
  const DeviceMetrics device = compute_metrics(log).devices.at(0);
  EXPECT_NEAR(device.busy_s, busy, 0.003);
  EXPECT_NEAR(device.idle_link_s, link, 0.003);
  EXPECT_NEAR(device.idle_no_input_s, none, 0.003);
  EXPECT_GT(link, 0.5);
}

TEST(Metrics, SumsWhatEachLinkCarried) {
  const Metrics metrics = compute_metrics(two_requests());
  ASSERT_EQ(metrics.links.size(), 2u);
  EXPECT_EQ(metrics.links[0].from, "a");
  EXPECT_EQ(metrics.links[0].to, "b");
  EXPECT_EQ(metrics.links[0].bytes, 1500);
  EXPECT_EQ(metrics.links[0].messages, 2);
  EXPECT_DOUBLE_EQ(metrics.links[0].mean_s, 0.75);
  EXPECT_EQ(metrics.links[1].messages, 1);
  EXPECT_EQ(metrics.links[0].result_bytes, 0);
  EXPECT_EQ(metrics.links[1].result_bytes, 50);
  EXPECT_DOUBLE_EQ(metrics.bytes_per_token.value(), 1550.0 / 4);
  EXPECT_FALSE(compute_metrics(EventLog()).bytes_per_token);
}

TEST(Metrics, QueueingIsFromArrivalToStartWhereTheLogHasIt) {
  EventLog log = two_requests();
  EXPECT_FALSE(compute_metrics(log).queueing);
  add(log, "client", event::kArrival, 1, -1, 0.5, 0.5);
  const Metrics metrics = compute_metrics(log);
  EXPECT_FALSE(metrics.requests[0].queueing_s);
  EXPECT_DOUBLE_EQ(metrics.requests[1].queueing_s.value(), 1.5);
  EXPECT_DOUBLE_EQ(metrics.queueing.value().p99, 1.5);
  EXPECT_DOUBLE_EQ(metrics.requests[1].ttft_s, 3) << "counts from the header's receipt as before";
  EXPECT_DOUBLE_EQ(metrics.makespan_s, 8);
  const nlohmann::json json = summary_json(metrics);
  EXPECT_FALSE(json["requests"][0].contains("queueing_s"));
  EXPECT_EQ(json["requests"][1]["queueing_s"], 1.5);
  EXPECT_EQ(json["percentiles"]["p90"]["queueing_s"], 1.5);
  EXPECT_THAT(summary_table(metrics), HasSubstr("\nqueueing          1.50 s     1.50 s"));
}

// Request 0 takes 3 s to its first token and 2.5 s to each further one; 1 takes 3 s and has one token.
TEST(Goodput, CountsRequestsThatMeetBothObjectives) {
  const Metrics metrics = compute_metrics(two_requests());
  const auto met = [&](double ttft, double tpot) {
    return goodput_of(metrics, {Seconds(ttft), Seconds(tpot)}).met;
  };
  EXPECT_EQ(met(3, 2.5), 2);
  EXPECT_EQ(met(2.99, 2.5), 0);
  EXPECT_EQ(met(3, 2.49), 1);
  EXPECT_EQ(met(0, 0), 0);
  const Goodput goodput = goodput_of(metrics, {Seconds(3), Seconds(2.49)});
  EXPECT_DOUBLE_EQ(goodput.share, 0.5);
  EXPECT_DOUBLE_EQ(goodput.requests_per_s, 1.0 / 8);
}

TEST(Goodput, CountsTheTimeInAQueueAndRequestsThatNobodyAnswered) {
  EventLog log = two_requests();
  const Slo slo{Seconds(4), Seconds(10)};
  EXPECT_EQ(goodput_of(compute_metrics(log), slo).met, 2);
  add(log, "client", event::kArrival, 0, -1, 0, 0);      // 4 s to its first token
  add(log, "client", event::kArrival, 1, -1, 0.9, 0.9);  // 4.1 s
  add(log, "client", event::kArrival, 2, -1, 1, 1);      // no answer
  add(log, "client", event::kArrival, 3, -1, 1, 1);
  add(log, "a", event::kRequest, 3, -1, 2, 3);  // no token
  const Metrics metrics = compute_metrics(log);
  EXPECT_EQ(metrics.arrived, 4);
  EXPECT_EQ(goodput_of(metrics, slo).met, 1);
  EXPECT_DOUBLE_EQ(goodput_of(metrics, slo).share, 0.25);
}

TEST(Goodput, IsANumberWithoutRequests) {
  const Goodput goodput = goodput_of(compute_metrics(EventLog()), {Seconds(1), Seconds(1)});
  EXPECT_EQ(goodput.met, 0);
  EXPECT_EQ(goodput.share, 0);
  EXPECT_EQ(goodput.requests_per_s, 0);
}

TEST(Goodput, StandsInTableAndJsonWhenItWasAskedFor) {
  Metrics metrics = compute_metrics(two_requests());
  EXPECT_FALSE(summary_json(metrics).contains("goodput"));
  metrics.goodput = goodput_of(metrics, {Seconds(3), Seconds(0.25)});
  EXPECT_EQ(summary_json(metrics)["goodput"], (nlohmann::json{{"ttft_s", 3.0},
                                                              {"tpot_s", 0.25},
                                                              {"arrived", 2},
                                                              {"met", 1},
                                                              {"share", 0.5},
                                                              {"requests_per_s", 0.125}}));
  EXPECT_THAT(summary_table(metrics),
              HasSubstr("\ngoodput: 0.12 requests/s, 50.0% of 2 (first token in 3.00 s, then 250 "
                        "ms each)\n"));
}

TEST(Slo, IsTwoTimes) {
  EXPECT_EQ(parse_slo("500 ms,50 ms").ttft, Seconds(0.5));
  EXPECT_EQ(parse_slo("2 s, 50ms").tpot, Seconds(0.05));
  for (const char* text :
       {"", "1 s", "1 s,", ",1 s", "1,2", "1 s,2 s,3 s", "-1 s,1 s", "1 s,nan s", "1 s;1 s"}) {
    try {
      parse_slo(text);
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string("'") + text + "' is not accepted"));
      EXPECT_THAT(error.what(), HasSubstr("500 ms,50 ms"));
    }
  }
}

TEST(Metrics, DoNotDependOnTheOrderOfRows) {
  EventLog log = two_requests();
  EventLog reversed;
  for (auto it = log.rows().rbegin(); it != log.rows().rend(); ++it) reversed.add(*it);
  EXPECT_EQ(summary_json(compute_metrics(log)), summary_json(compute_metrics(reversed)));
}

TEST(Metrics, LeaveOutComputingBeforeTheFirstRequest) {
  EventLog log = two_requests();
  add(log, "b", event::kCompute, -1, -1, 0, 2);  // a warm-up, half of it before 1 s
  EXPECT_DOUBLE_EQ(compute_metrics(log).devices[1].busy_s, 1.5);
}

void expect_only_numbers(const EventLog& log) {
  const nlohmann::json json = summary_json(compute_metrics(log));
  EXPECT_THAT(json.dump(), ::testing::Not(HasSubstr("null"))) << json.dump();
  EXPECT_FALSE(summary_table(compute_metrics(log)).empty());
}

TEST(Metrics, AreNumbersForDegenerateLogs) {
  EventLog log;
  expect_only_numbers(log);
  add(log, "a", event::kStep, 4, 0, 0, 1);  // a step of a request that never ended
  expect_only_numbers(log);
  EXPECT_TRUE(compute_metrics(log).requests.empty());
  add(log, "a", event::kRequest, 0, -1, 1, 1);  // no tokens, no time
  add(log, "a", event::kCompute, 0, 0, 1, 1);
  expect_only_numbers(log);
  EXPECT_EQ(compute_metrics(log).tokens_per_s, 0);
  add(log, "a", event::kStep, 0, 0, 1, 1);
  expect_only_numbers(log);
  EXPECT_EQ(compute_metrics(log).requests[0].tokens, 1);
  add(log, "no arrow", event::kTransfer, 0, 0, 1, 1);
  expect_only_numbers(log);
  EXPECT_TRUE(compute_metrics(log).links.empty());
}

TEST(Metrics, OfARequestWithoutTokensDoNotSpoilTheMeans) {
  EventLog log = two_requests();
  add(log, "a", event::kRequest, 2, -1, 3, 4);
  EXPECT_DOUBLE_EQ(compute_metrics(log).ttft_s, 3);
  EXPECT_DOUBLE_EQ(compute_metrics(log).requests[2].ttft_s, 0);
}

TEST(Metrics, EnergyIsThatOfComputingAndHalfOfEachLink) {
  const Metrics metrics = with_energy(compute_metrics(two_requests()), powered_cluster());
  EXPECT_DOUBLE_EQ(metrics.links[0].energy_j.value(), 4 * 1.5);
  EXPECT_DOUBLE_EQ(metrics.links[1].energy_j.value(), 4 * 0.05);
  EXPECT_DOUBLE_EQ(metrics.devices[0].energy_j.value(), 2 * 3 + 3.1);
  EXPECT_DOUBLE_EQ(metrics.devices[1].energy_j.value(), 3 * 0.5 + 3.1);
  EXPECT_EQ(metrics.devices[2].energy_j, 0) << "states no power and sends nothing";
  EXPECT_DOUBLE_EQ(metrics.energy_j.value(), 6 + 1.5 + 6.2);
  EXPECT_DOUBLE_EQ(metrics.energy_per_token_j.value(), 13.7 / 4);
}

// What a draws in its run of 4 s is 9.1 J; a tenth of 91 Wh are left.
TEST(Metrics, ABatteryLastsForItsChargeByWhatTheRunDraws) {
  ClusterSpec cluster = powered_cluster();
  cluster.devices[0].battery_j = 91 * 3600;
  cluster.devices[0].charge = 0.1;
  const Metrics metrics = with_energy(compute_metrics(two_requests()), cluster);
  const double watts = 9.1 / metrics.makespan_s;
  EXPECT_DOUBLE_EQ(metrics.devices[0].battery_h.value(), 9.1 / watts);
  EXPECT_FALSE(metrics.devices[1].battery_h) << "it states no battery";
  EXPECT_DOUBLE_EQ(summary_json(metrics)["devices"][0]["battery_h"].get<double>(), 9.1 / watts);
  EXPECT_DOUBLE_EQ(summary_json(metrics)["battery_h"].get<double>(), 9.1 / watts);
  EXPECT_THAT(summary_table(metrics),
              HasSubstr(fmt::format("lasts for {:.3g} h of this on a, idle", 9.1 / watts)));
}

TEST(Metrics, EnergyIsThatOfEachLinksOwnBandwidth) {
  ClusterSpec cluster = powered_cluster();
  cluster.links[{"b", "a"}] = {100, Seconds(0)};
  const Metrics metrics = with_energy(compute_metrics(two_requests()), cluster);
  EXPECT_DOUBLE_EQ(metrics.links[1].energy_j.value(), 4 * 0.5);
}

TEST(Metrics, LinksOfTheCoordinatorAndToOneselfDrawNothing) {
  EventLog log = two_requests();
  add(log, "a->coordinator", event::kTransfer, 0, 0, 3, 4, 1e6);
  add(log, "a->a", event::kResult, 0, 0, 3, 4, 1e6);
  const Metrics metrics = with_energy(compute_metrics(log), powered_cluster());
  ASSERT_EQ(metrics.links.size(), 4u);
  EXPECT_DOUBLE_EQ(metrics.energy_j.value(), 13.7);
}

TEST(Metrics, EnergyIsNotKnownWithoutPower) {
  ClusterSpec cluster = powered_cluster();
  cluster.devices[0].power_w = cluster.devices[1].power_w = cluster.radio_power_w = 0;
  const Metrics metrics = with_energy(compute_metrics(two_requests()), cluster);
  EXPECT_FALSE(metrics.energy_j || metrics.energy_per_token_j);
  EXPECT_FALSE(metrics.devices[0].energy_j || metrics.links[0].energy_j);
  EXPECT_EQ(summary_json(metrics), summary_json(compute_metrics(two_requests())));
  EXPECT_EQ(summary_table(metrics), summary_table(compute_metrics(two_requests())));
}

TEST(Metrics, EnergyPerTokenIsNotKnownWithoutTokens) {
  const Metrics metrics = with_energy(compute_metrics(EventLog()), powered_cluster());
  EXPECT_EQ(metrics.energy_j, 0);
  EXPECT_FALSE(metrics.energy_per_token_j);
}

TEST(Report, JsonHasEnergyWhereItIsKnown) {
  const nlohmann::json json =
      summary_json(with_energy(compute_metrics(two_requests()), powered_cluster()));
  EXPECT_DOUBLE_EQ(json["energy_j"].get<double>(), 13.7);
  EXPECT_DOUBLE_EQ(json["energy_per_token_j"].get<double>(), 3.425);
  EXPECT_DOUBLE_EQ(json["tokens_per_j"].get<double>(), 1 / 3.425);
  EXPECT_DOUBLE_EQ(json["devices"][1]["energy_j"].get<double>(), 4.6);
  EXPECT_DOUBLE_EQ(json["links"][1]["energy_j"].get<double>(), 0.2);
}

TEST(Report, JsonHasTheDocumentedKeys) {
  const nlohmann::json json = summary_json(compute_metrics(two_requests()));
  EXPECT_DOUBLE_EQ(json["tokens_per_s"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(json["ttft_s"].get<double>(), 3);
  EXPECT_DOUBLE_EQ(json["tpot_s"].get<double>(), 2.5);
  EXPECT_DOUBLE_EQ(json["makespan_s"].get<double>(), 8);
  EXPECT_EQ(json["requests"][0], (nlohmann::json{{"request", 0},
                                                 {"start_s", 1.0},
                                                 {"end_s", 9.0},
                                                 {"ttft_s", 3.0},
                                                 {"tpot_s", 2.5},
                                                 {"token_count", 3}}));
  EXPECT_EQ(json["devices"][1]["name"], "b");
  EXPECT_EQ(json["devices"][1]["busy_share"], 0.0625);
  EXPECT_EQ(json["devices"][1]["busy_s"], 0.5);
  EXPECT_EQ(json["devices"][1]["idle_s"],
            (nlohmann::json{{"link", 1.5}, {"memory", 0.0}, {"no_input", 6.0}}));
  EXPECT_DOUBLE_EQ(json["bytes_per_token"].get<double>(), 387.5);
  for (const char* percentile : {"p50", "p90", "p95", "p99"}) {
    EXPECT_EQ(json["percentiles"][percentile]["ttft_s"], 3.0) << percentile;
    EXPECT_EQ(json["percentiles"][percentile]["tpot_s"], 2.5) << percentile;
    EXPECT_FALSE(json["percentiles"][percentile].contains("queueing_s")) << "no arrival is known";
  }
  EXPECT_EQ(json["links"][1], (nlohmann::json{{"from", "b"},
                                              {"to", "a"},
                                              {"bytes", 50.0},
                                              {"result_bytes", 50.0},
                                              {"messages", 1},
                                              {"mean_s", 0.25}}));
}

std::vector<std::size_t> line_widths(const std::string& table) {
  std::istringstream lines(table);
  std::vector<std::size_t> widths;
  for (std::string line; std::getline(lines, line);) widths.push_back(line.size());
  return widths;
}

TEST(Report, TableShowsEnergyWhereItIsKnown) {
  const std::string table =
      summary_table(with_energy(compute_metrics(two_requests()), powered_cluster()));
  EXPECT_THAT(
      table,
      HasSubstr("\nenergy: 13.7 J above idle, 3.42 J per token (0.292 tokens/J), by the powers"));
  EXPECT_THAT(table, HasSubstr("9.10 J"));
  EXPECT_THAT(table, HasSubstr("200 mJ"));
  const std::vector<std::size_t> widths = line_widths(table);
  // totals, energy, blank, head, three of percentiles, blank, head, a, b, c, blank, head, two links
  ASSERT_EQ(widths.size(), 16u);
  EXPECT_EQ(widths[8], widths[9]);
  EXPECT_EQ(widths[9], widths[11]);
  EXPECT_EQ(widths[13], widths[14]);
  EXPECT_EQ(widths[14], widths[15]);
}

// numpy.percentile(values, [50, 90, 95, 99]) of the same: 9, 21.4, 23.2, 24.64.
TEST(Metrics, PercentilesAreNumpys) {
  EventLog log;
  std::vector<EventRow> rows;
  for (int r = 0; r < 5; ++r) {
    EventRow row;
    row.what = event::kRequest;
    row.request = r;
    row.end = Seconds((r + 1) * (r + 1));  // 1, 4, 9, 16, 25
    rows.push_back(row);
  }
  log.add(rows);
  const Metrics metrics = compute_metrics(log);
  EXPECT_DOUBLE_EQ(metrics.latency.p50, 9);
  EXPECT_DOUBLE_EQ(metrics.latency.p90, 21.4);
  EXPECT_DOUBLE_EQ(metrics.latency.p95, 23.2);
  EXPECT_DOUBLE_EQ(metrics.latency.p99, 24.64);
  EXPECT_EQ(metrics.ttft.p95, 0) << "no request has a token";
}

TEST(Report, TableAlignsItsColumns) {
  const std::string table = summary_table(compute_metrics(two_requests()));
  EXPECT_THAT(table, HasSubstr("2 requests, 4 tokens in 8.00 s: 0.50 tokens/s"));
  EXPECT_THAT(table, HasSubstr("a -> b"));
  EXPECT_THAT(table, HasSubstr("1.50 kB"));
  EXPECT_THAT(table, HasSubstr("########............   37.5%    3.1%"));
  EXPECT_THAT(table, HasSubstr("#~~~~...............    6.2%   18.8%"));
  EXPECT_THAT(table, HasSubstr("further token     2.50 s     2.50 s     2.50 s     2.50 s\n"));
  const std::vector<std::size_t> widths = line_widths(table);
  // totals, blank, head, three of percentiles, blank, head, a, b, c, blank, head, two links
  ASSERT_EQ(widths.size(), 15u);
  EXPECT_EQ(widths[2], widths[5]);
  EXPECT_EQ(widths[7], widths[8]);
  EXPECT_EQ(widths[8], widths[10]);
  EXPECT_EQ(widths[12], widths[13]);
  EXPECT_EQ(widths[13], widths[14]);
}

TEST(Report, TablesFitEightyColumns) {
  EventLog log = two_requests();
  add(log, "oneplus-9", event::kCompute, 0, 0, 1, 2);
  add(log, "oneplus-9->xiaomi-14", event::kTransfer, 0, 0, 1, 2, 1e6);
  Metrics metrics = with_energy(compute_metrics(log), powered_cluster());
  metrics.goodput = goodput_of(metrics, {Seconds(0.5), Seconds(0.05)});
  const std::vector<std::size_t> widths = line_widths(summary_table(metrics));
  // What stands above them is prose.
  EXPECT_LE(*std::max_element(widths.begin() + 3, widths.end()), 80u) << summary_table(metrics);
}

TEST(Report, OfOneRequestHasNoPercentiles) {
  EventLog log;
  add(log, "a", event::kRequest, 0, -1, 1, 9);
  EXPECT_THAT(summary_table(compute_metrics(log)), ::testing::Not(HasSubstr("percentile")));
}

}  // namespace
}  // namespace lingua
