#pragma once
// The comparisons of a study as tables, values for programs, and pictures.
//
// Determinism: functions of their arguments; ratios with two decimals in texts, six significant digits in CSV.
// Threads: any.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "runtime/app/compared_study.h"
#include "runtime/report/figure.h"

namespace lingua {

struct StudyReport {
  struct Compared {
    Comparison comparison = {};
    ComparedPoints points = {};
    RatioSummary summary = {};
    std::optional<RatioGrowth> growth = {};  // where that is what is published
    // For each column of ComparedStudy::by that the pairs differ in.
    std::vector<std::pair<std::string, std::vector<ValueSummary>>> by = {};
  };

  ComparedStudy study = {};
  std::size_t points = 0;
  // Why points failed, most frequent first, and how often.
  std::vector<std::pair<std::string, std::size_t>> failures = {};
  std::vector<Compared> compared = {};
};

// `is_part`: the table is of some of the sweep's points, and comparisons that it has no values for are left out.
// Errors: InputError that names the study.
StudyReport report_study(const ComparedStudy& study, const ResultTable& table, bool is_part);

// A line for each comparison of all studies, beside what is published.
std::string overall_text(const std::vector<StudyReport>& reports);
// One study whole.
std::string study_text(const StudyReport& report);
// A line for each comparison, and for each of its values of a column.
std::string study_csv(const StudyReport& report);
// A line for each pair.
std::string pairs_csv(const StudyReport& report);
nlohmann::json study_json(const StudyReport& report);

// The ratios of every comparison as boxes, what is published beside them.
Figure ratio_figure(const StudyReport& report);
// Those of the first comparison for each value of each column.
Figure value_figure(const StudyReport& report);

}  // namespace lingua
