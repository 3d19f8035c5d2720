#pragma once
// Published comparisons made again: each study's sweep is run, compared and written down.
//
// Of study S, in OUT/S: result.db (the sweep), result.txt, result.csv (a line for each comparison and value),
// pairs.csv (a line for each pair), ratios.svg, values.svg and result.html; OUT/result.txt has all of them. Of a part
// of the points ("quick") their names begin so: quick.db, quick-ratios.svg.
// Determinism: all but result.db and what names it in result.html is the same on every run.
// Threads: as run_sweep. Files in sweeps are named relative to the folder that the program runs in.
// Errors: those of compared_study.h and sweep/sweep.h; UsageError for studies that are not there; InputError or
// WorldError where a point fails of anything but that no plan fits, which is an answer.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/app/study_report.h"
#include "runtime/sweep/sweep.h"

namespace lingua {

struct ReproductionRequest {
  std::filesystem::path specs;       // a folder for each study
  std::filesystem::path out;         // made where it is not there
  std::vector<std::string> studies;  // by name, or by what it begins with as "03"; empty: all
  bool quick = false;
  int workers = 0;  // 0: one for each core
};

// The folders of `specs` that have a study, by name. Errors: InputError where there are none.
std::vector<std::string> studies_in(const std::filesystem::path& specs);

// Of those there are, in their order. Errors: UsageError for one that none or several begin with.
std::vector<std::string> chosen_studies(const std::vector<std::string>& there,
                                        const std::vector<std::string>& wanted);

struct StudyProgress {
  std::string study = {};
  std::size_t number = 0;  // from 1, of
  std::size_t count = 0;
  SweepProgress sweep = {};
};

// What was compared; nothing where `is_stopping` said so: the next call goes on from there. Both may be null.
std::optional<std::vector<StudyReport>> reproduce(
    const ReproductionRequest& request, const SweepTools& tools,
    const std::function<void(const StudyProgress&)>& see = nullptr,
    const std::function<bool()>& is_stopping = nullptr);

}  // namespace lingua
