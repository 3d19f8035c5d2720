// `lingua report` and `lingua plot`: a sweep's results as a page to look at and as figures for papers.

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "runtime/app/point_pictures.h"
#include "runtime/app/sweep_results.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/report/figure.h"
#include "runtime/report/result_page.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

struct ReportVerbOptions {
  std::string database;
  std::string out;
  PlotChoice choice;
  std::vector<std::string> held;   // "AXIS=VALUE"
  std::vector<std::string> shown;  // points that have pictures; empty: the best one
  std::string kind = "lines";
  std::string title;
  std::string width = "column";
  bool log_x = false;
  bool log_y = false;
  bool bands = false;
};

const std::map<std::string, FigureKind> kKinds = {{"lines", FigureKind::kLines},
                                                  {"bars", FigureKind::kBars},
                                                  {"points", FigureKind::kScatter},
                                                  {"boxes", FigureKind::kBoxes}};

// A number where the column has that number somewhere, else text.
ResultValue value_in(const ResultTable& table, std::size_t column, const std::string& text) {
  for (const ResultValue& value : distinct_values(table, column)) {
    if (const auto* number = std::get_if<double>(&value)) {
      char* end = nullptr;
      const double wanted = std::strtod(text.c_str(), &end);
      if (end != text.c_str() && *end == '\0' && wanted == *number) return value;
    } else if (value_text(value) == text) {
      return value;
    }
  }
  std::string known;
  for (const ResultValue& value : distinct_values(table, column))
    known += (known.empty() ? "" : ", ") + value_text(value);
  throw UsageError(fmt::format("--only: {} has no value '{}'; it has {}",
                               table.columns[column].name, text, known));
}

void hold(const ReportVerbOptions& options, const ResultTable& table, PlotChoice& choice) {
  for (const std::string& text : options.held) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      throw UsageError(fmt::format("--only {}: is not accepted; write COLUMN=VALUE", text));
    const std::string name = text.substr(0, equals);
    choice.held.emplace_back(name, value_in(table, table.column(name), text.substr(equals + 1)));
  }
}

ResultTable table_of(const ReportVerbOptions& options) {
  ResultTable table = results_of_sweep(options.database);
  if (table.rows.empty())
    throw InputError(fmt::format("{}: no point has ended yet", options.database));
  return table;
}

// The pictures of the points that are asked for: beside the other details of each, and the first ones on top.
void add_pictures(const ReportVerbOptions& options, ResultTable& table, PageOptions& page) {
  std::vector<std::string> which = options.shown;
  if (which == std::vector<std::string>{"none"}) return;
  const std::int64_t best = best_point(table);
  if (which.empty() && best >= 0) which = {std::to_string(best)};
  for (PointPictures& point : pictures_of_points(options.database, which)) {
    if (!point.why_not.empty())
      tell("lingua report: point {} has no pictures: {}\n", point.number, point.why_not);
    if (point.pictures.empty()) continue;
    const std::string title = point.number == best ? fmt::format("Point {}, the best", best)
                                                   : fmt::format("Point {}", point.number);
    page.sections.push_back({title, "", point.pictures});
    for (ResultRow& row : table.rows)
      if (row.id == point.number) row.pictures = std::move(point.pictures);
  }
}

void report(const ReportVerbOptions& options) {
  ResultTable table = table_of(options);
  PageOptions page;
  page.first = options.choice;
  hold(options, table, page.first);
  page.logarithmic_x = options.log_x;
  page.logarithmic_y = options.log_y;
  add_pictures(options, table, page);
  const fs::path out =
      options.out.empty() ? fs::path(options.database).stem() += ".html" : fs::path(options.out);
  write_file_atomically(out, [&](std::ostream& file) { write_result_page(file, table, page); });
  tell("{}: {} rows; open it in a browser\n", out.string(), table.rows.size());
}

Figure figure_for(const ReportVerbOptions& options, const ResultTable& table) {
  PlotChoice choice = options.choice;
  hold(options, table, choice);
  Figure figure = figure_of(table, choice, kKinds.at(options.kind));
  figure.title = options.title;
  figure.width_pt = options.width == "page" ? kPageWidthPt : kColumnWidthPt;
  figure.x.logarithmic = options.log_x;
  figure.y.logarithmic = options.log_y;
  figure.bands = options.bands;
  return figure;
}

void plot(const ReportVerbOptions& options) {
  const std::string svg = figure_svg(figure_for(options, table_of(options)));
  const fs::path out = options.out;
  const bool is_pdf = out.extension() == ".pdf";
  const fs::path drawn = is_pdf ? fs::path(options.out + ".svg") : out;
  write_file_atomically(drawn, [&](std::ostream& file) { file << svg; });
  if (is_pdf) {
    const std::string why_not = write_pdf(drawn, out);
    if (!why_not.empty())
      throw WorldError(
          fmt::format("{}: {}; {} has the figure", options.out, why_not, drawn.string()));
    fs::remove(drawn);
  }
  tell("{}\n", options.out);
}

void add_database(CLI::App* verb, ReportVerbOptions& options) {
  verb->add_option("database", options.database, "the database of a sweep")
      ->required()
      ->type_name(kInputPath);
}

void add_choice(CLI::App* verb, ReportVerbOptions& options, bool required) {
  auto* x = verb->add_option("--x", options.choice.x, "a setting of the axes");
  auto* y = verb->add_option("--y", options.choice.y, "a result");
  if (required) {
    x->required();
    y->required();
  } else {
    x->needs(y);
    y->needs(x);
  }
  verb->add_option("--series", options.choice.series, "a setting: a line, or bars, for each value");
  verb->add_option("--only", options.held, "rows where a column has this value; several times")
      ->type_name("COLUMN=VALUE");
  verb->add_flag("--log-x", options.log_x, "a logarithmic axis");
  verb->add_flag("--log-y", options.log_y, "a logarithmic axis");
}

}  // namespace

void add_report(CLI::App& app) {
  auto* verb =
      app.add_subcommand("report", "a sweep's results as one HTML page that works offline");
  auto options = std::make_shared<ReportVerbOptions>();
  add_database(verb, *options);
  verb->add_option("--out", options->out, "the page (default: the name of the database, .html)")
      ->type_name(kOutputFile);
  add_choice(verb, *options, false);
  verb->add_option(
          "--show", options->shown,
          "a point that has pictures of its plan and of what devices did when, for which it "
          "runs again; several times (default: the one with most of the first result), or none")
      ->type_name("POINT");
  verb->callback([options] { report(*options); });
}

void add_plot(CLI::App& app) {
  auto* verb = app.add_subcommand("plot", "a figure of a sweep's results for a paper (SVG or PDF)");
  auto options = std::make_shared<ReportVerbOptions>();
  add_database(verb, *options);
  verb->add_option("--out", options->out, "the figure: .svg, or .pdf (by rsvg-convert)")
      ->required()
      ->type_name(kOutputFile)
      ->check([](const std::string& path) {
        const auto end = fs::path(path).extension();
        return end == ".svg" || end == ".pdf" ? "" : "'" + path + "' must end in .svg or .pdf";
      });
  add_choice(verb, *options, true);
  std::vector<std::string> kinds;
  for (const auto& [name, kind] : kKinds) kinds.push_back(name);
  verb->add_option("--kind", options->kind,
                   "how values are drawn; means with 95 % intervals over seeds")
      ->capture_default_str()
      ->check(CLI::IsMember(kinds));
  verb->add_option("--title", options->title, "above it (default: none, a caption says it)");
  verb->add_option("--width", options->width, "of a page with two columns: 3.33 in, or 7 in")
      ->capture_default_str()
      ->check(CLI::IsMember({"column", "page"}));
  verb->add_flag("--bands", options->bands, "intervals of lines as bands");
  verb->callback([options] { plot(*options); });
}

}  // namespace lingua
