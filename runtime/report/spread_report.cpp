#include "runtime/report/spread_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/base/units.h"

namespace lingua {
namespace {

nlohmann::json to_json(const Percentiles& values) {
  return {{"p5", values.p5}, {"p50", values.p50}, {"p95", values.p95}, {"mean", values.mean}};
}

}  // namespace

std::string spread_line(const PlanSpread& spread, const std::string& how) {
  const auto time = [](double value) { return format_quantity(value, Unit::kSeconds); };
  return fmt::format(
      "speeds and links off by up to {:.3g}% ({} draws, {}): {:.4g} to {:.4g} tokens/s, median "
      "{:.4g}; latency {} to {}, median {} (5th to 95th percentile)\n",
      100 * spread.share, spread.draws, how, spread.tokens_per_s.p5, spread.tokens_per_s.p95,
      spread.tokens_per_s.p50, time(spread.latency_s.p5), time(spread.latency_s.p95),
      time(spread.latency_s.p50));
}

nlohmann::json spread_to_json(const PlanSpread& spread) {
  return {{"share", spread.share},
          {"draws", spread.draws},
          {"latency_s", to_json(spread.latency_s)},
          {"tokens_per_s", to_json(spread.tokens_per_s)}};
}

}  // namespace lingua
