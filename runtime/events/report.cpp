#include "runtime/events/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

std::string bar(double share) {
  constexpr int kWidth = 20;
  const double inside = std::clamp(share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(std::lround(inside * kWidth));
  return std::string(full, '#') + std::string(kWidth - full, '.');
}

// Where requests differ.
std::string spread_line(const Metrics& metrics) {
  if (metrics.requests.size() < 2) return "";
  const auto both = [](const Spread& spread) {
    return fmt::format("{} / {}", format_quantity(spread.p50, Unit::kSeconds),
                       format_quantity(spread.p95, Unit::kSeconds));
  };
  return fmt::format("median / 95th percentile: request {}, first token {}, further token {}\n",
                     both(metrics.latency), both(metrics.ttft), both(metrics.tpot));
}

std::string totals(const Metrics& metrics) {
  std::int64_t tokens = 0;
  for (const RequestMetrics& request : metrics.requests) tokens += request.tokens;
  const auto time = [](double seconds) { return format_quantity(seconds, Unit::kSeconds); };
  return fmt::format(
             "{} request{}, {} token{} in {}: {} tokens/s, first token after {}, then one every "
             "{}\n",
             metrics.requests.size(), metrics.requests.size() == 1 ? "" : "s", tokens,
             tokens == 1 ? "" : "s", time(metrics.makespan_s),
             format_quantity(metrics.tokens_per_s, Unit::kPlain), time(metrics.ttft_s),
             time(metrics.tpot_s)) +
         spread_line(metrics);
}

std::string joules(double energy) { return format_quantity(energy, Unit::kJoules); }

std::string energy_line(const Metrics& metrics) {
  if (!metrics.energy_j) return "";
  return fmt::format("energy: {} above idle{}, by the powers that the cluster states\n",
                     joules(*metrics.energy_j),
                     metrics.energy_per_token_j
                         ? fmt::format(", {} per token", joules(*metrics.energy_per_token_j))
                         : "");
}

// The last cell of a row.
std::string energy_cell(const std::optional<double>& energy) {
  return energy ? fmt::format("  {:>8}", joules(*energy)) : "";
}

void set(nlohmann::json& json, const char* key, const std::optional<double>& value) {
  if (value) json[key] = *value;
}

}  // namespace

nlohmann::json summary_json(const Metrics& metrics) {
  nlohmann::json json = {{"tokens_per_s", metrics.tokens_per_s},
                         {"ttft_s", metrics.ttft_s},
                         {"tpot_s", metrics.tpot_s},
                         {"makespan_s", metrics.makespan_s},
                         {"requests", nlohmann::json::array()},
                         {"devices", nlohmann::json::array()},
                         {"links", nlohmann::json::array()}};
  json["percentiles"] = {{"p50",
                          {{"latency_s", metrics.latency.p50},
                           {"ttft_s", metrics.ttft.p50},
                           {"tpot_s", metrics.tpot.p50}}},
                         {"p95",
                          {{"latency_s", metrics.latency.p95},
                           {"ttft_s", metrics.ttft.p95},
                           {"tpot_s", metrics.tpot.p95}}}};
  set(json, "energy_j", metrics.energy_j);
  set(json, "energy_per_token_j", metrics.energy_per_token_j);
  for (const RequestMetrics& request : metrics.requests) {
    json["requests"].push_back({{"request", request.request},
                                {"start_s", request.start.count()},
                                {"end_s", request.end.count()},
                                {"ttft_s", request.ttft_s},
                                {"tpot_s", request.tpot_s},
                                {"token_count", request.tokens}});
  }
  for (const DeviceMetrics& device : metrics.devices) {
    json["devices"].push_back(
        {{"name", device.device}, {"busy_s", device.busy_s}, {"busy_share", device.busy_share}});
    set(json["devices"].back(), "energy_j", device.energy_j);
  }
  for (const LinkMetrics& link : metrics.links) {
    json["links"].push_back({{"from", link.from},
                             {"to", link.to},
                             {"bytes", link.bytes},
                             {"messages", link.messages},
                             {"mean_s", link.mean_s}});
    set(json["links"].back(), "energy_j", link.energy_j);
  }
  return json;
}

std::string json_text(const nlohmann::json& json, int indent) {
  return escaped_json(json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string summary_table(const Metrics& metrics) {
  std::string text = totals(metrics) + energy_line(metrics);
  const char* energy_head = metrics.energy_j ? "    energy" : "";
  const auto out = std::back_inserter(text);
  std::size_t width = 6;
  for (const DeviceMetrics& device : metrics.devices) width = std::max(width, device.device.size());
  if (!metrics.devices.empty()) {
    fmt::format_to(out, "\n{:<{}}  {:<20}  {:>6}  {:>10}  {:>8}{}\n", "device", width, "busy",
                   "share", "time", "segments", energy_head);
  }
  for (const DeviceMetrics& device : metrics.devices) {
    fmt::format_to(out, "{:<{}}  {}  {:>5.1f}%  {:>10}  {:>8.0f}{}\n", device.device, width,
                   bar(device.busy_share), 100 * device.busy_share,
                   format_quantity(device.busy_s, Unit::kSeconds), device.computed_segments,
                   energy_cell(device.energy_j));
  }
  std::size_t link_width = 4;
  for (const LinkMetrics& link : metrics.links) {
    link_width = std::max(link_width, link.from.size() + link.to.size() + 4);
  }
  if (!metrics.links.empty()) {
    fmt::format_to(out, "\n{:<{}}  {:>10}  {:>9}  {:>10}{}\n", "link", link_width, "bytes",
                   "messages", "mean time", energy_head);
  }
  for (const LinkMetrics& link : metrics.links) {
    fmt::format_to(out, "{:<{}}  {:>10}  {:>9}  {:>10}{}\n", link.from + " -> " + link.to,
                   link_width, format_quantity(link.bytes, Unit::kBytes), link.messages,
                   format_quantity(link.mean_s, Unit::kSeconds), energy_cell(link.energy_j));
  }
  return text;
}

}  // namespace lingua
