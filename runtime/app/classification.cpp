#include "runtime/app/classification.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "runtime/app/requests.h"
#include "runtime/app/results.h"
#include "runtime/base/errors.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

using nlohmann::json;

Study open_study(const ClassifyRequest& options, const Audience& audience) {
  const std::string& model = options.study.model.model;
  Study study = open_model(options.study.model, Head::kLast, options.study.partition, audience);
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
void read_rows(const ClassifyRequest& options, const CsvTable& table, Study& study) {
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
  ExpectedCell(const ClassifyRequest& options, const CsvTable& table, std::size_t row,
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

json result_json(const ClassifyRequest& options, const CsvTable& table, const Study& study,
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

}  // namespace

void visit_classification(ClassifyRequest& request, SettingVisitor& visitor) {
  StudyOptions& study = request.study;
  visitor.take(Setting("file", &request.file, "comma-separated values with column names")
                   .as_word(WordUse::kOnly)
                   .required()
                   .called(kInputPath));
  visitor.take({"text-column", &request.text_column, "the column with the texts"});
  visitor.take({"label-column", &request.label_column,
                "the column with the expected labels, if there is one"});
  visit_model(study.model, visitor, ModelArgument::kOptionOnly);
  visit_int8(study.model, visitor);
  visit_partition(study.partition, visitor);
  visit_in_flight(study.workload, visitor);
  visit_communication(study.workload.communication, visitor);
  visit_plan(study.plan, visitor, false);
  visit_real(request.real, visitor);
  visit_output(study.output, visitor);
  visit_threads(study.threads, visitor);
}

Classification::Classification(const ClassifyRequest& request, const Audience& audience)
    : request_(request), table_(request.file) {
  if (table_.rows() == 0) {
    throw InputError(fmt::format("{}: has no rows below the column names", request_.file));
  }
  const StudyOptions& options = request_.study;
  const ClusterSpec cluster = real_cluster(request_.real, cluster_name(options));
  check_plan_options(options, cluster);
  study_ = open_study(request_, audience);
  read_rows(request_, table_, study_);
  std::vector<nlohmann::json> expected;
  for (std::size_t r = 0; table_.has_column(request_.label_column) && r < table_.rows(); ++r) {
    expected.push_back(ExpectedCell(request_, table_, r, study_.model).read());
  }
  study_.cluster = cluster.in_dtype(study_.weight_dtype());
  study_.workload = workload_by(options.workload, study_);
  plan_study(options, study_);
  ClientJob job;
  job.requests = make_requests(options.workload, {}, study_, true);
  const ProgressUpdate progress = audience.begin("classifying");
  double done = 0;
  job.on_done = [&](const Done&) {
    done += 1;
    progress(done, static_cast<double>(table_.rows()), "");
  };
  real_ = std::make_unique<RealWorld>(request_.real, options, study_);
  result_ = real_->run(job);
  check_all_answered(result_);
  json_ = result_json(request_, table_, study_, expected, result_);
}

}  // namespace lingua
