#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/cli/answer_text.h"
#include "runtime/cli/csv_table.h"
#include "runtime/cli/real_world.h"
#include "runtime/cli/report.h"
#include "runtime/cli/requests.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/event_log.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"
#include "runtime/events/timeline.h"

namespace lingua {
namespace {

using nlohmann::json;

struct Options {
  StudyOptions study;
  RealOptions real;
  std::string file;
  std::string text_column = "text";
  std::string label_column = "label";
};

Study open_study(const Options& options) {
  const std::string& model = options.study.model.model;
  Study study = open_model(options.study.model, Head::kLast);
  require_weights(study.model, model);
  if (study.model.labels.empty()) {
    throw InputError(
        fmt::format("{}: is no classifier; its config.json would name an architecture "
                    "such as BloomForSequenceClassification",
                    model));
  }
  open_tokenizer(model, study);
  return study;
}

// The tokens of each row's text.
void read_rows(const Options& options, const CsvTable& table, Study& study) {
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const std::string& text = table.cell(r, options.text_column);
    study.prompts.push_back(study.tokenizer->encode(text, true, false));
    const auto count = static_cast<std::int64_t>(study.prompts.back().size());
    const std::int64_t most = study.model.max_positions;
    if (count > 0 && (most == 0 || count <= most)) continue;
    throw InputError(fmt::format("{}: row {}, column '{}': has {} tokens; 1 to {} are possible",
                                 options.file, r + 1, options.text_column, count,
                                 most == 0 ? "any number" : std::to_string(most)));
  }
}

// The label that the table gives a row, one of the model's.
std::string expected_label(const Options& options, const CsvTable& table, std::size_t row,
                           const std::vector<std::string>& labels) {
  const std::string& label = table.cell(row, options.label_column);
  if (std::find(labels.begin(), labels.end(), label) == labels.end()) {
    throw InputError(fmt::format("{}: row {}, column '{}': '{}' is none of the model's labels ({})",
                                 options.file, row + 1, options.label_column, label,
                                 fmt::join(labels, ", ")));
  }
  return label;
}

json result_json(const Options& options, const CsvTable& table, const Study& study,
                 const std::vector<std::string>& expected, const RunResult& result) {
  json whole = summary_json(compute_metrics(result.log, study.cluster));
  for (const char* of_tokens :
       {"requests", "tokens_per_s", "ttft_s", "tpot_s", "energy_per_token_j"}) {
    whole.erase(of_tokens);
  }
  whole["model"] = study.segmentation.model;
  whole["plan"] = plan_to_json(study.plan);
  if (!study.int8_segments.empty()) whole["int8_segments"] = study.int8_segments;
  whole["rows"] = json::array();
  std::size_t right = 0;
  for (std::size_t r = 0; r < table.rows(); ++r) {
    json row =
        class_json(class_probabilities(result.answers.at(r).outputs.at(0)), study.model.labels);
    row["row"] = r + 1;
    if (!expected.empty()) {
      row["expected"] = expected[r];
      if (row["label"] == expected[r]) ++right;
    }
    whole["rows"].push_back(std::move(row));
  }
  if (!expected.empty()) {
    whole["accuracy"] = static_cast<double>(right) / static_cast<double>(table.rows());
  }
  whole["rows_per_s"] = static_cast<double>(table.rows()) / whole["makespan_s"].get<double>();
  return whole;
}

// The beginning of a text, on one line.
std::string excerpt(const std::string& text) {
  constexpr std::size_t kBytes = 60;
  std::string shown = text.substr(0, kBytes);
  while (shown.size() < text.size() && !shown.empty() &&
         (static_cast<unsigned char>(text[shown.size()]) & 0xC0U) == 0x80U) {
    shown.pop_back();  // not the middle of a character
  }
  for (char& c : shown) c = static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  return shown.size() < text.size() ? shown + "..." : shown;
}

void print_table(const Options& options, const CsvTable& table, const Study& study,
                 const json& result) {
  constexpr std::size_t kShown = 40;
  std::size_t width = 5;
  for (const std::string& label : study.model.labels) width = std::max(width, label.size());
  fmt::print(stderr, "\n{:>5}  {:<{}}  {:>6}  {}\n", "row", "label", width, "share", "text");
  for (std::size_t r = 0; r < std::min(table.rows(), kShown); ++r) {
    const json& row = result["rows"][r];
    const auto label = row["label"].get<std::string>();
    const bool wrong = row.contains("expected") && row["expected"] != label;
    fmt::print(stderr, "{:>5}  {:<{}}  {:>5.1f}%  {}{}\n", r + 1, label, width,
               100 * row["scores"][label].get<double>(),
               excerpt(table.cell(r, options.text_column)),
               wrong ? fmt::format("  (expected {})", row["expected"].get<std::string>()) : "");
  }
  if (table.rows() > kShown) {
    fmt::print(stderr, "... and {} more rows (--json has them)\n", table.rows() - kShown);
  }
  fmt::print(stderr, "{} rows, {:.2f} rows/s", table.rows(), result["rows_per_s"].get<double>());
  if (result.contains("accuracy")) {
    fmt::print(stderr, ", {:.1f}% as expected", 100 * result["accuracy"].get<double>());
  }
  fmt::print(stderr, "\n{}", int8_line(study));
}

void run(const Options& options) {
  const CsvTable table(options.file);
  if (table.rows() == 0) {
    throw InputError(fmt::format("{}: has no rows below the column names", options.file));
  }
  Study study = open_study(options);
  read_rows(options, table, study);
  std::vector<std::string> expected;
  for (std::size_t r = 0; table.has_column(options.label_column) && r < table.rows(); ++r) {
    expected.push_back(expected_label(options, table, r, study.model.labels));
  }
  study.cluster = real_cluster(options.real, options.study.plan.cluster);
  study.workload = workload_by(options.study.workload, study);
  plan_study(options.study, study);
  CoordinatorJob job;
  job.requests = make_requests(options.study.workload, {}, study, true);
  job.in_flight = study.workload.in_flight;
  Progress progress("classifying");
  double done = 0;
  job.on_done = [&](const Done&) {
    done += 1;
    progress.update(done, static_cast<double>(table.rows()), "");
  };
  RealWorld real(options.real, options.study.threads, study);
  const RunResult result = real.run(job);
  const OutputOptions& output = options.study.output;
  if (!output.log.empty()) write_event_log(result.log, output.log);
  if (!output.timeline.empty()) {
    write_timeline(result.log, study.segmentation.model + " classifying", output.timeline);
  }
  const json whole = result_json(options, table, study, expected, result);
  if (output.json) {
    fmt::print("{}\n", whole.dump(2));
  } else {
    print_table(options, table, study, whole);
  }
}

}  // namespace

void add_classify(CLI::App& app) {
  auto* verb = app.add_subcommand("classify", "give each text of a table its label");
  auto options = std::make_shared<Options>();
  StudyOptions& study = options->study;
  verb->add_option("file", options->file, "comma-separated values with column names")->required();
  verb->add_option("--text-column", options->text_column, "the column with the texts")
      ->capture_default_str();
  verb->add_option("--label-column", options->label_column,
                   "the column with the expected labels, if there is one")
      ->capture_default_str();
  add_model_options(*verb, study.model, ModelArgument::kOptionOnly);
  add_int8_option(*verb, study.model);
  add_partition_flags(*verb, study.partition);
  add_in_flight_option(*verb, study.workload);
  add_plan_options(*verb, study.plan, false);
  add_real_options(*verb, options->real);
  add_output_options(*verb, study.output);
  add_threads_option(*verb, study.threads);
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
