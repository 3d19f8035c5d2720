#include "runtime/events/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

// Of a device's time: computing, then waiting while something is on its way to it.
std::string bar(double busy, double link) {
  constexpr int kWidth = 20;
  const auto places = [](double share) {
    return static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * kWidth));
  };
  const std::size_t computing = places(busy);
  const std::size_t waiting = std::max(computing, places(busy + link)) - computing;
  return std::string(computing, '#') + std::string(waiting, '~') +
         std::string(kWidth - computing - waiting, '.');
}

// Where requests differ.
std::string percentile_table(const Metrics& metrics) {
  if (metrics.requests.size() < 2) return "";
  std::string text =
      fmt::format("\n{:<13}  {:>9}  {:>9}  {:>9}  {:>9}\n", "percentile", "50", "90", "95", "99");
  const auto row = [&text](const char* name, const Spread& spread) {
    const auto time = [](double seconds) { return format_quantity(seconds, Unit::kSeconds); };
    text += fmt::format("{:<13}  {:>9}  {:>9}  {:>9}  {:>9}\n", name, time(spread.p50),
                        time(spread.p90), time(spread.p95), time(spread.p99));
  };
  if (metrics.queueing) row("queueing", *metrics.queueing);
  row("request", metrics.latency);
  row("first token", metrics.ttft);
  row("further token", metrics.tpot);
  return text;
}

std::string goodput_line(const Metrics& metrics) {
  if (!metrics.goodput) return "";
  const Goodput& goodput = *metrics.goodput;
  return fmt::format("goodput: {} requests/s, {:.1f}% of {} (first token in {}, then {} each)\n",
                     format_quantity(goodput.requests_per_s, Unit::kPlain), 100 * goodput.share,
                     metrics.arrived, format_seconds(goodput.slo.ttft.count()),
                     format_seconds(goodput.slo.tpot.count()));
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
      time(metrics.tpot_s));
}

std::string joules(double energy) { return format_quantity(energy, Unit::kJoules); }

std::map<DeviceName, double> batteries_of(const Metrics& metrics) {
  std::map<DeviceName, double> hours;
  for (const DeviceMetrics& device : metrics.devices)
    if (device.battery_h) hours[device.device] = *device.battery_h;
  return hours;
}

std::string energy_line(const Metrics& metrics) {
  if (!metrics.energy_j) return "";
  const double per_token = metrics.energy_per_token_j.value_or(0);
  return fmt::format("energy: {} above idle{}, by the powers that the cluster states\n{}",
                     joules(*metrics.energy_j),
                     per_token > 0 ? fmt::format(", {} per token ({:.3g} tokens/J)",
                                                 joules(per_token), 1 / per_token)
                                   : "",
                     battery_line(batteries_of(metrics)));
}

// The last cell of a row.
std::string energy_cell(const std::optional<double>& energy) {
  return energy ? fmt::format("  {:>8}", joules(*energy)) : "";
}

void set(nlohmann::json& json, const char* key, const std::optional<double>& value) {
  if (value) json[key] = *value;
}

void add_percentiles(const Metrics& metrics, nlohmann::json& json) {
  const std::pair<const char*, double Spread::*> all[] = {
      {"p50", &Spread::p50}, {"p90", &Spread::p90}, {"p95", &Spread::p95}, {"p99", &Spread::p99}};
  for (const auto& [name, at] : all) {
    json[name] = {{"latency_s", metrics.latency.*at},
                  {"ttft_s", metrics.ttft.*at},
                  {"tpot_s", metrics.tpot.*at}};
    if (metrics.queueing) json[name]["queueing_s"] = (*metrics.queueing).*at;
  }
}

}  // namespace

std::optional<double> shortest(const std::map<DeviceName, double>& hours) {
  std::optional<double> least;
  for (const auto& [device, one] : hours) least = std::min(least.value_or(one), one);
  return least;
}

std::string battery_line(const std::map<DeviceName, double>& hours) {
  const auto least = shortest(hours);
  if (!least) return "";
  const auto first = std::find_if(hours.begin(), hours.end(),
                                  [&](const auto& entry) { return entry.second == *least; });
  return fmt::format(
      "battery: the charge that there is lasts for {:.3g} h of this on {}{}, idle draw aside\n",
      *least, first->first, hours.size() > 1 ? ", longer elsewhere" : "");
}

nlohmann::json summary_json(const Metrics& metrics) {
  nlohmann::json json = {{"tokens_per_s", metrics.tokens_per_s},
                         {"ttft_s", metrics.ttft_s},
                         {"tpot_s", metrics.tpot_s},
                         {"makespan_s", metrics.makespan_s},
                         {"requests", nlohmann::json::array()},
                         {"devices", nlohmann::json::array()},
                         {"links", nlohmann::json::array()}};
  add_percentiles(metrics, json["percentiles"]);
  if (metrics.goodput) {
    json["goodput"] = {{"ttft_s", metrics.goodput->slo.ttft.count()},
                       {"tpot_s", metrics.goodput->slo.tpot.count()},
                       {"arrived", metrics.arrived},
                       {"met", metrics.goodput->met},
                       {"share", metrics.goodput->share},
                       {"requests_per_s", metrics.goodput->requests_per_s}};
  }
  set(json, "bytes_per_token", metrics.bytes_per_token);
  set(json, "energy_j", metrics.energy_j);
  set(json, "energy_per_token_j", metrics.energy_per_token_j);
  if (metrics.energy_per_token_j.value_or(0) > 0)
    json["tokens_per_j"] = 1 / *metrics.energy_per_token_j;
  set(json, "battery_h", shortest(batteries_of(metrics)));
  for (const RequestMetrics& request : metrics.requests) {
    json["requests"].push_back({{"request", request.request},
                                {"start_s", request.start.count()},
                                {"end_s", request.end.count()},
                                {"ttft_s", request.ttft_s},
                                {"tpot_s", request.tpot_s},
                                {"token_count", request.tokens}});
    set(json["requests"].back(), "queueing_s", request.queueing_s);
  }
  for (const DeviceMetrics& device : metrics.devices) {
    json["devices"].push_back({{"name", device.device},
                               {"busy_s", device.busy_s},
                               {"busy_share", device.busy_share},
                               {"mean_batch", device.mean_batch},
                               {"idle_s",
                                {{"link", device.idle_link_s},
                                 {"memory", device.idle_memory_s},
                                 {"no_input", device.idle_no_input_s}}}});
    set(json["devices"].back(), "energy_j", device.energy_j);
    set(json["devices"].back(), "battery_h", device.battery_h);
  }
  for (const LinkMetrics& link : metrics.links) {
    json["links"].push_back({{"from", link.from},
                             {"to", link.to},
                             {"bytes", link.bytes},
                             {"result_bytes", link.result_bytes},
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
  std::string text =
      totals(metrics) + goodput_line(metrics) + energy_line(metrics) + percentile_table(metrics);
  const char* energy_head = metrics.energy_j ? "    energy" : "";
  const bool batches = std::any_of(metrics.devices.begin(), metrics.devices.end(),
                                   [](const DeviceMetrics& d) { return d.mean_batch > 1; });
  const auto batch_cell = [&](const DeviceMetrics& device) {
    return batches ? fmt::format("  {:>5.2f}", device.mean_batch) : "";
  };
  const bool waits = std::any_of(metrics.devices.begin(), metrics.devices.end(),
                                 [](const DeviceMetrics& d) { return d.idle_memory_s > 0; });
  const auto memory_cell = [&](const DeviceMetrics& device) {
    const double share = metrics.makespan_s > 0 ? device.idle_memory_s / metrics.makespan_s : 0.0;
    return waits ? fmt::format("  {:>5.1f}%", 100 * share) : "";
  };
  const auto out = std::back_inserter(text);
  std::size_t width = 6;
  for (const DeviceMetrics& device : metrics.devices) width = std::max(width, device.device.size());
  if (!metrics.devices.empty()) {
    fmt::format_to(out, "\n{:<{}}  {:<20}  {:>6}  {:>6}{}  {:>10}  {:>8}{}{}\n", "device", width,
                   "# busy, ~ link", "busy", "link", waits ? "  memory" : "", "time", "segments",
                   batches ? "  batch" : "", energy_head);
  }
  for (const DeviceMetrics& device : metrics.devices) {
    const double link = metrics.makespan_s > 0 ? device.idle_link_s / metrics.makespan_s : 0.0;
    fmt::format_to(out, "{:<{}}  {}  {:>5.1f}%  {:>5.1f}%{}  {:>10}  {:>8.0f}{}{}\n", device.device,
                   width, bar(device.busy_share, link), 100 * device.busy_share, 100 * link,
                   memory_cell(device), format_quantity(device.busy_s, Unit::kSeconds),
                   device.computed_segments, batch_cell(device), energy_cell(device.energy_j));
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
