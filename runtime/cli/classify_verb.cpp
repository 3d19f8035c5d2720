#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/answer_text.h"
#include "runtime/cli/csv_table.h"
#include "runtime/cli/output_paths.h"
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
  Study study = open_model(options.study.model, Head::kLast, options.study.partition);
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
    study.prompts.push_back(study.tokenizer->encode(text, true, true));
    const auto count = static_cast<std::int64_t>(study.prompts.back().size());
    const std::int64_t most = study.model.max_positions;
    if (count > 0 && (most == 0 || count <= most)) continue;
    throw InputError(fmt::format("{}: row {}, column '{}': has {} tokens; 1 to {} are possible",
                                 options.file, r + 1, options.text_column, count,
                                 most == 0 ? "any number" : std::to_string(most)));
  }
}

// The parts of a cell between commas or semicolons, without spaces around them.
std::vector<std::string> parts_of(const std::string& cell) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= cell.size();) {
    const std::size_t end = std::min(cell.find_first_of(",;", at), cell.size());
    const std::size_t first = std::min(cell.find_first_not_of(" \t", at), end);
    std::size_t last = end;
    while (last > first && (cell[last - 1] == ' ' || cell[last - 1] == '\t')) --last;
    if (last > first) parts.push_back(cell.substr(first, last - first));
    at = end + 1;
  }
  return parts;
}

// What the table says of a row: a label; where several may be right a list of them, in the model's
// order; of a model that gives numbers as many of those.
class ExpectedCell {
 public:
  ExpectedCell(const Options& options, const CsvTable& table, std::size_t row,
               const ImportedModel& model)
      : where_(fmt::format("{}: row {}, column '{}'", options.file, row + 1, options.label_column)),
        cell_(table.cell(row, options.label_column)),
        model_(model) {}

  json read() const {
    if (model_.class_score == ClassScore::kRaw) return numbers();
    if (model_.class_score == ClassScore::kShares || is_label(cell_)) {
      if (!is_label(cell_)) refuse_label(cell_);
      return model_.class_score == ClassScore::kShares ? json(cell_) : json::array({cell_});
    }
    const std::vector<std::string> parts = parts_of(cell_);
    for (const std::string& part : parts) {
      if (!is_label(part)) refuse_label(part);
    }
    json labels = json::array();
    for (const std::string& label : model_.labels) {
      if (std::find(parts.begin(), parts.end(), label) != parts.end()) labels.push_back(label);
    }
    return labels;
  }

 private:
  bool is_label(const std::string& text) const {
    return std::find(model_.labels.begin(), model_.labels.end(), text) != model_.labels.end();
  }

  [[noreturn]] void refuse_label(const std::string& text) const {
    throw InputError(fmt::format("{}: '{}' is none of the model's labels ({})", where_, text,
                                 fmt::join(model_.labels, ", ")));
  }

  json numbers() const {
    const std::vector<std::string> parts = parts_of(cell_);
    json numbers = json::array();
    for (const std::string& part : parts) {
      double value = 0;
      const char* end = part.data() + part.size();
      const auto [stop, error] = std::from_chars(part.data(), end, value);
      if (error == std::errc() && stop == end && std::isfinite(value)) numbers.push_back(value);
    }
    const std::size_t wanted = model_.labels.size();
    if (parts.size() != wanted || numbers.size() != wanted) {
      throw InputError(fmt::format("{}: '{}' is not {}, as the model's scores are", where_, cell_,
                                   wanted == 1 ? "a number" : fmt::format("{} numbers", wanted)));
    }
    return numbers;
  }

  std::string where_;
  const std::string& cell_;
  const ImportedModel& model_;
};

// The mean over all rows of the squared distance of numbers, or the share of rows that are right.
void add_agreement(const std::vector<json>& expected, const ImportedModel& model, json* whole) {
  const auto rows = static_cast<double>(expected.size());
  double right = 0;
  double squares = 0;
  for (std::size_t r = 0; r < expected.size(); ++r) {
    json& row = (*whole)["rows"][r];
    row["expected"] = expected[r];
    const char* given = model.class_score == ClassScore::kEach ? "labels" : "label";
    if (row[given] == expected[r]) right += 1;
    for (std::size_t i = 0; model.class_score == ClassScore::kRaw && i < model.labels.size(); ++i) {
      const double score = row["scores"][model.labels[i]];
      squares += std::pow(score - expected[r][i].get<double>(), 2);
    }
  }
  if (model.class_score == ClassScore::kRaw) {
    (*whole)["mean_squared_error"] = squares / (rows * static_cast<double>(model.labels.size()));
  } else {
    (*whole)["accuracy"] = right / rows;
  }
}

json result_json(const Options& options, const CsvTable& table, const Study& study,
                 const std::vector<json>& expected, const RunResult& result) {
  json whole = summary_json(with_energy(result.metrics, study.cluster));
  for (const char* of_tokens :
       {"requests", "tokens_per_s", "ttft_s", "tpot_s", "bytes_per_token", "energy_per_token_j"}) {
    whole.erase(of_tokens);
  }
  whole["model"] = study.segmentation.model;
  whole["plan"] = plan_to_json(study.plan);
  whole.update(plan_extras_json(study));
  whole["rows"] = json::array();
  for (std::size_t r = 0; r < table.rows(); ++r) {
    json row = class_json(result.answers.at(r).outputs.at(0), study.model);
    row["row"] = r + 1;
    whole["rows"].push_back(std::move(row));
  }
  if (!expected.empty()) add_agreement(expected, study.model, &whole);
  whole["rows_per_s"] = static_cast<double>(table.rows()) / whole["makespan_s"].get<double>();
  return whole;
}

// The labels of a row as the table has them.
std::string shown_label(const json& row, ClassScore score) {
  if (score != ClassScore::kEach) return row["label"];
  std::vector<std::string> labels = row["labels"];
  return labels.empty() ? "-" : fmt::format("{}", fmt::join(labels, ", "));
}

void print_table(const Options& options, const CsvTable& table, const Study& study,
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

void run(const Options& options) {
  const CsvTable table(options.file);
  if (table.rows() == 0) {
    throw InputError(fmt::format("{}: has no rows below the column names", options.file));
  }
  const ClusterSpec cluster = real_cluster(options.real, options.study.plan.cluster);
  check_plan_options(options.study, cluster);
  Study study = open_study(options);
  read_rows(options, table, study);
  std::vector<json> expected;
  for (std::size_t r = 0; table.has_column(options.label_column) && r < table.rows(); ++r) {
    expected.push_back(ExpectedCell(options, table, r, study.model).read());
  }
  study.cluster = cluster;
  study.workload = workload_by(options.study.workload, study);
  plan_study(options.study, study);
  ClientJob job;
  job.requests = make_requests(options.study.workload, {}, study, true);
  Progress progress("classifying");
  double done = 0;
  job.on_done = [&](const Done&) {
    done += 1;
    progress.update(done, static_cast<double>(table.rows()), "");
  };
  RealWorld real(options.real, options.study, study);
  const RunResult result = real.run(job);
  check_all_answered(result);
  const OutputOptions& output = options.study.output;
  const json whole = result_json(options, table, study, expected, result);
  const auto print = [&] {
    if (output.json) {
      show(json_text(whole) + "\n");
    } else {
      print_table(options, table, study, whole);
    }
  };
  write_results(output, result.log, study.segmentation.model + " classifying",
                {print, [&] { real.write_messages(); }});
}

}  // namespace

void add_classify(CLI::App& app) {
  auto* verb = app.add_subcommand("classify", "give each text of a table its label");
  auto options = std::make_shared<Options>();
  StudyOptions& study = options->study;
  verb->add_option("file", options->file, "comma-separated values with column names")
      ->required()
      ->type_name(kInputPath);
  verb->add_option("--text-column", options->text_column, "the column with the texts")
      ->capture_default_str();
  verb->add_option("--label-column", options->label_column,
                   "the column with the expected labels, if there is one")
      ->capture_default_str();
  add_model_options(*verb, study.model, ModelArgument::kOptionOnly);
  add_int8_option(*verb, study.model);
  add_partition_flags(*verb, study.partition);
  add_in_flight_option(*verb, study.workload);
  add_communication_options(*verb, study.workload.communication);
  add_plan_options(*verb, study.plan, false);
  add_real_options(*verb, options->real);
  add_output_options(*verb, study.output);
  add_threads_option(*verb, study.threads);
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
