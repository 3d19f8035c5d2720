#include "runtime/app/comparison.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/units.h"
#include "runtime/device/roofline.h"
#include "runtime/predict/estimate.h"
#include "runtime/report/text_table.h"

namespace lingua {
namespace {

double mean_latency_s(const Metrics& metrics) {
  double sum = 0;
  for (const RequestMetrics& request : metrics.requests)
    sum += (request.end - request.start).count();
  return sum / static_cast<double>(metrics.requests.size());
}

std::string label(const Compared& row) {
  if (row.what == "tokens_per_s") return "tokens/s";
  if (row.what == "ttft_s") return "time to the first token";
  if (row.what == "tpot_s") return "per further token";
  if (row.what == "latency_s") return "a request";
  if (row.what == "compute_s") return fmt::format("{} computing, a request", row.of);
  return fmt::format("{}, a message", row.of);
}

}  // namespace

std::vector<Compared> compared(const Study& study, const Metrics& metrics) {
  const Estimate& estimate = study.plan.estimate;
  std::vector<Compared> rows;
  if (metrics.requests.empty()) return rows;
  const auto add = [&](const char* what, const std::string& of, double estimated, double measured) {
    if (estimated > 0 && measured > 0) rows.push_back({what, of, estimated, measured});
  };
  add("tokens_per_s", "", estimate.tokens_per_s, metrics.tokens_per_s);
  if (study.workload.in_flight == 1) {
    add("ttft_s", "", estimate.ttft_s, metrics.ttft_s);
    add("tpot_s", "", estimate.tpot_s, metrics.tpot_s);
    add("latency_s", "", estimate.latency_s, mean_latency_s(metrics));
  }
  std::map<DeviceName, double> computing;  // a header may have two stages
  for (const StageEstimate& stage : estimate.stages) computing[stage.device] += stage.compute_s;
  for (const DeviceMetrics& device : metrics.devices) {
    add("compute_s", device.device, computing[device.device],
        device.busy_s / static_cast<double>(metrics.requests.size()));
  }
  for (const LinkMetrics& link : metrics.links) {
    const bool known =
        study.cluster.index_of(link.from) >= 0 && study.cluster.index_of(link.to) >= 0;
    if (!known || link.messages == 0) continue;
    const Seconds by_file = transfer_time(link_alone(study.cluster, link.from, link.to),
                                          link.bytes / static_cast<double>(link.messages));
    add("message_s", link.from + " -> " + link.to, by_file.count(), link.mean_s);
  }
  return rows;
}

nlohmann::json comparison_json(const std::vector<Compared>& rows) {
  nlohmann::json json = nlohmann::json::array();
  for (const Compared& row : rows) {
    json.push_back({{"what", row.what},
                    {"of", row.of},
                    {"estimated", row.estimated},
                    {"measured", row.measured},
                    {"ratio", row.ratio()}});
  }
  return json;
}

std::string comparison_text(const std::vector<Compared>& rows) {
  std::vector<std::vector<std::string>> table = {{"", "planned", "run", "run / planned"}};
  for (const Compared& row : rows) {
    const auto text = [&](double value) {
      return row.what == "tokens_per_s" ? fmt::format("{:.3g}", value) : format_seconds(value);
    };
    table.push_back(
        {label(row), text(row.estimated), text(row.measured), fmt::format("{:.2f}", row.ratio())});
  }
  return text_table(table);
}

}  // namespace lingua
