// Writes the pages and figures that page_test.py opens: report_examples FOLDER
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/report/statistics.h"
#include "tests/report/example_results.h"

namespace lingua::testing {
namespace {

std::ofstream file(const std::filesystem::path& path) { return std::ofstream(path); }

// What the first plot of the page shows, by our own statistics.
nlohmann::json means_of(const ResultTable& table, const PlotChoice& choice) {
  nlohmann::json all = nlohmann::json::array();
  for (const PlotGroup& group : plot_groups(table, choice)) {
    const Summary summary = summarise(group.values);
    all.push_back({{"x", value_text(group.x)},
                   {"series", value_text(group.series)},
                   {"mean", summary.mean},
                   {"half", summary.half_interval.value_or(0)},
                   {"n", summary.count},
                   {"rows", group.rows}});
  }
  return all;
}

void write_all(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::vector<NamedFigure> figures = example_figures();
  PageOptions options;
  options.first = {"phones", "tokens per s", "planner", {{"link", 80.0}}};
  options.sections = {
      {"Question",
       "How fast does BLOOM-3b answer on more phones?\n\nEach point is a simulation.",
       {{"rates by phones", figure_svg(figures[0].figure)}}}};
  file(folder / "sweep.html") << result_page(planners_sweep(), options);
  file(folder / "sweep.json") << means_of(planners_sweep(), options.first);
  auto large = file(folder / "large.html");
  write_result_page(large, large_sweep());
  auto hostile = file(folder / "hostile.html");
  write_result_page(hostile, hostile_results(), {{{kHostile, kHostile, {}}}, {}, false, false});
  auto empty = file(folder / "empty.html");
  ResultTable nothing = planners_sweep();
  nothing.rows.clear();
  write_result_page(empty, nothing);
  auto three = file(folder / "three.html");
  ResultTable few = planners_sweep();
  few.rows.resize(3);
  few.rows[0].pictures.clear();
  write_result_page(three, few);
  for (const auto& [name, figure] : figures) file(folder / (name + ".svg")) << figure_svg(figure);
  file(folder / "timeline.svg") << planners_sweep().rows.back().pictures[0].svg;
}

}  // namespace
}  // namespace lingua::testing

int main(int count, char** arguments) {
  if (count != 2) return 2;
  lingua::testing::write_all(arguments[1]);
  return 0;
}
