#include "runtime/app/spares_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "runtime/app/int8_choice.h"
#include "runtime/base/units.h"
#include "runtime/report/text_table.h"

namespace lingua {
namespace {

std::vector<std::string> row(const LossOutcome& loss) {
  if (!loss.survives) return {"cannot go on", "", ""};
  return {format_bytes(loss.weights_bytes), format_seconds(loss.ready_s),
          fmt::format("{:.4g}", loss.tokens_per_s)};
}

std::string name_of(const LossOutcome& loss) {
  return fmt::format("{}", fmt::join(loss.lost, ", "));
}

nlohmann::json to_json(const LossOutcome& loss) {
  nlohmann::json json = {{"lost", loss.lost}, {"survives", loss.survives}};
  if (loss.survives) {
    json.update({{"weights_bytes", loss.weights_bytes},
                 {"ready_s", loss.ready_s},
                 {"total_s", loss.total_s},
                 {"tokens_per_s", loss.tokens_per_s}});
  }
  return json;
}

nlohmann::json to_json(const std::vector<LossOutcome>& losses) {
  nlohmann::json json = nlohmann::json::array();
  for (const LossOutcome& loss : losses) json.push_back(to_json(loss));
  return json;
}

}  // namespace

std::string spares_text(const SparesPlan& spares, const Segmentation& segmentation) {
  std::string text =
      fmt::format("spares for {} {}, {}: {} stored besides\n", spares.copies,
                  spares.copies == 1 ? "loss" : "losses", spares.best ? "best" : "heuristic",
                  format_bytes(spares.stored_bytes));
  for (const auto& [device, ids] : spares.stored) {
    if (!ids.empty()) text += fmt::format("{} also stores {}\n", device, segment_ranges(ids));
  }
  std::vector<std::vector<std::string>> rows = {
      {"lost", "sent without", "ready in", "tokens/s", "sent with", "ready in", "tokens/s"}};
  for (std::size_t i = 0; i < spares.with.size(); ++i) {
    rows.push_back({name_of(spares.with[i])});
    for (const LossOutcome* loss : {&spares.without[i], &spares.with[i]}) {
      for (std::string& cell : row(*loss)) rows.back().push_back(std::move(cell));
    }
  }
  for (const LossOutcome& loss : spares.several) {
    rows.push_back({name_of(loss), "", "", ""});
    for (std::string& cell : row(loss)) rows.back().push_back(std::move(cell));
  }
  text += text_table(rows);
  if (!spares.lacking.empty()) {
    text += fmt::format(
        "memory does not suffice for spares of segments {} of {}: each would be on {} more {}\n",
        segment_ranges({spares.lacking.begin(), spares.lacking.end()}),
        segmentation.segments.size(), spares.copies, spares.copies == 1 ? "device" : "devices");
  }
  return text;
}

nlohmann::json spares_json(const SparesPlan& spares) {
  nlohmann::json stored = nlohmann::json::object();
  for (const auto& [device, ids] : spares.stored) {
    if (!ids.empty()) stored[device] = ids;
  }
  return {{"copies", spares.copies},
          {"best", spares.best},
          {"stored_bytes", spares.stored_bytes},
          {"stored_segments", std::move(stored)},
          {"lacking_segments", spares.lacking},
          {"losses_without", to_json(spares.without)},
          {"losses_with", to_json(spares.with)},
          {"losses_of_several", to_json(spares.several)}};
}

}  // namespace lingua
