#include "runtime/app/reproduction.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/app/sweep_results.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/output_file.h"
#include "runtime/report/result_page.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  write_file_atomically(path, [&](std::ostream& out) { out << text; });
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw InputError(fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
}

// That no plan fits is an answer; all else that a point fails of is none.
void refuse_other_failures(const std::string& study, const ResultTable& table) {
  for (const ResultRow& row : table.rows) {
    if (row.done() || row.reason.starts_with("infeasible")) continue;
    const std::string what =
        fmt::format("{}: point {}: {}; `lingua rerun {} {}` runs it alone", study, row.id,
                    row.reason, table.reproduction.database, row.id);
    if (row.reason.starts_with("input") || row.reason.starts_with("usage")) throw InputError(what);
    throw WorldError(what);
  }
}

struct StudyFiles {
  fs::path folder;
  bool quick = false;

  fs::path result(const std::string& end) const {
    return folder / ((quick ? "quick." : "result.") + end);
  }
  fs::path other(const std::string& name) const {
    return folder / ((quick ? "quick-" : "") + name);
  }
};

PageOptions page_of(const StudyReport& report, const std::vector<TitledPicture>& pictures) {
  PageOptions page;
  std::string published;
  if (const auto& claim = report.study.published)
    published = fmt::format("Published: {} ({}).", claim->what, claim->source);
  page.sections.push_back({report.study.question, published, pictures});
  page.first.y = report.study.result;
  return page;
}

void write_study(const StudyReport& report, const ResultTable& table, const StudyFiles& files) {
  write(files.result("txt"), study_text(report));
  write(files.result("csv"), study_csv(report));
  write(files.other("pairs.csv"), pairs_csv(report));
  std::vector<TitledPicture> pictures;
  for (const auto& [name, title, figure] :
       {std::tuple("ratios.svg", "All comparisons", ratio_figure(report)),
        std::tuple("values.svg", "The first comparison", value_figure(report))}) {
    if (figure.x.categories.empty()) continue;  // no ratio at all, or nothing to tell apart by
    pictures.push_back({title, figure_svg(figure)});
    write(files.other(name), pictures.back().svg);
  }
  const PageOptions page = page_of(report, pictures);
  write_file_atomically(files.result("html"),
                        [&](std::ostream& out) { write_result_page(out, table, page); });
}

}  // namespace

std::vector<std::string> studies_in(const fs::path& specs) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(specs, error))
    if (fs::exists(entry.path() / "study.yaml", error))
      names.push_back(entry.path().filename().string());
  if (names.empty()) {
    throw InputError(fmt::format("{}: no study is there; name a folder of folders with study.yaml",
                                 specs.string()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> chosen_studies(const std::vector<std::string>& there,
                                        const std::vector<std::string>& wanted) {
  if (wanted.empty()) return there;
  std::vector<std::string> chosen;
  for (const std::string& one : wanted) {
    std::vector<std::string> found;
    for (const std::string& name : there)
      if (name == one || name.starts_with(one)) found.push_back(name);
    if (found.size() != 1) {
      throw UsageError(fmt::format("'{}' is {}; write one of {}", one,
                                   found.empty() ? "no study" : "the begin of several studies",
                                   fmt::join(there, ", ")));
    }
    chosen.push_back(found.front());
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

std::optional<std::vector<StudyReport>> reproduce(
    const ReproductionRequest& request, const SweepTools& tools,
    const std::function<void(const StudyProgress&)>& see,
    const std::function<bool()>& is_stopping) {
  const std::vector<std::string> names = chosen_studies(studies_in(request.specs), request.studies);
  std::vector<ComparedStudy> studies;
  for (const std::string& name : names) {  // all of them, before any work
    studies.push_back(load_study(request.specs / name));
    for (const char* sweep : {"sweep.yaml", "quick.yaml"})
      load_sweep(request.specs / name / sweep, tools.check);
  }
  std::vector<StudyReport> reports;
  for (const ComparedStudy& study : studies) {
    const StudyFiles files{request.out / study.name, request.quick};
    make_folder(files.folder);
    SweepRunRequest sweep;
    sweep.spec = request.specs / study.name / (request.quick ? "quick.yaml" : "sweep.yaml");
    sweep.database = files.result("db");
    sweep.workers = request.workers;
    const auto see_sweep = [&](const SweepProgress& now) {
      if (see) see({study.name, reports.size() + 1, studies.size(), now});
    };
    if (run_sweep(sweep, tools, see_sweep, is_stopping).stopped) return std::nullopt;
    const ResultTable table = results_of_sweep(sweep.database);
    refuse_other_failures(study.name, table);
    reports.push_back(report_study(study, table, request.quick));
    write_study(reports.back(), table, files);
  }
  write(StudyFiles{request.out, request.quick}.result("txt"), overall_text(reports));
  return reports;
}

}  // namespace lingua
