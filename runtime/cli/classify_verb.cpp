#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/app/classification.h"
#include "runtime/app/results.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

using nlohmann::json;

// The labels of a row as the table has them.
std::string shown_label(const json& row, ClassScore score) {
  if (score != ClassScore::kEach) return row["label"];
  std::vector<std::string> labels = row["labels"];
  return labels.empty() ? "-" : fmt::format("{}", fmt::join(labels, ", "));
}

void print_table(const ClassifyRequest& options, const CsvTable& table, const Study& study,
                 const json& result) {
  constexpr std::size_t kShown = 40;
  constexpr std::size_t kExcerptBytes = 60;
  const ClassScore score = study.model.class_score;
  const std::size_t shown = std::min(table.rows(), kShown);
  std::size_t width = 5;
  for (std::size_t r = 0; r < shown; ++r) {
    width = std::max(width, shown_label(result["rows"][r], score).size());
  }
  tell("\n{:>5}  {:<{}}  {:>9}  {}\n", "row", "label", width,
       score == ClassScore::kRaw ? "score" : "share", "text");
  for (std::size_t r = 0; r < shown; ++r) {
    const json& row = result["rows"][r];
    const double best = row["scores"][row["label"].get<std::string>()];
    const json& given = row[score == ClassScore::kEach ? "labels" : "label"];
    const bool differs = row.contains("expected") && row["expected"] != given;
    tell("{:>5}  {:<{}}  {:>9}  {}{}\n", r + 1, shown_label(row, score), width,
         score == ClassScore::kRaw ? fmt::format("{:.4f}", best)
                                   : fmt::format("{:.1f}%", 100 * best),
         one_line(table.cell(r, options.text_column), kExcerptBytes),
         differs ? fmt::format("  (expected {})", table.cell(r, options.label_column)) : "");
  }
  if (table.rows() > kShown) {
    tell("... and {} more rows (--json has them)\n", table.rows() - kShown);
  }
  tell("{} rows, {:.2f} rows/s", table.rows(), result["rows_per_s"].get<double>());
  if (result.contains("accuracy")) {
    tell(", {:.1f}% as expected", 100 * result["accuracy"].get<double>());
  }
  if (result.contains("mean_squared_error")) {
    tell(", mean squared error {:.4g}", result["mean_squared_error"].get<double>());
  }
  tell("\n{}", int8_line(study));
}

void run(const ClassifyRequest& request) {
  const Audience audience = terminal();
  Classification done(request, audience);
  const OutputOptions& output = request.study.output;
  const auto print = [&] {
    if (output.json) {
      show(json_text(done.json()) + "\n");
    } else {
      print_table(request, done.table(), done.study(), done.json());
    }
  };
  write_results(output, done.log(), done.study().segmentation.model + " classifying",
                {print, [&] { done.write_messages(); }}, audience);
}

}  // namespace

void add_classify(CLI::App& app) {
  auto* verb = app.add_subcommand("classify", "give each text of a table its label");
  auto request = std::make_shared<ClassifyRequest>();
  OptionDeclarer declarer(*verb);
  visit_classification(*request, declarer);
  verb->callback([request] { run(*request); });
}

}  // namespace lingua
