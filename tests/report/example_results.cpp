#include "tests/report/example_results.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/base/random.h"
#include "runtime/report/timeline_picture.h"

namespace lingua::testing {
namespace {

std::string some_timeline(int phones, Rng& rng) {
  TimelinePicture picture;
  picture.title = fmt::format("one request over {} phones", phones);
  double now = 0;
  for (int step = 0; step < 30; ++step) {
    for (int phone = 0; phone < phones; ++phone) {
      const double work = (step == 0 ? 0.4 : 0.03) * rng.uniform(0.8, 1.2) / phones;
      picture.events.push_back(
          {fmt::format("phone-{}", phone), "compute", Seconds(now), Seconds(now + work)});
      now += work;
      picture.events.push_back(
          {fmt::format("phone-{}", phone), "transfer", Seconds(now), Seconds(now + 0.005)});
      now += 0.005;
    }
  }
  return timeline_svg(picture);
}

double rate_of(const std::string& planner, int phones, double link, Rng& rng) {
  const double base = planner == "cbc" ? 9 : planner == "dp" ? 8.5 : planner == "even" ? 4 : 6;
  return base * std::pow(phones, 0.7) * (1 + 0.15 * std::log2(link / 20)) *
         (1 + 0.05 * rng.normal());
}

Figure with_published() {
  Figure figure = figure_of(
      planners_sweep(), {"phones", "tokens per s", "planner", {{"link", 20.0}}}, FigureKind::kBars);
  for (std::size_t category = 0; category < 3; ++category) {
    const auto x = static_cast<double>(category + 1);
    figure.published.push_back({category, 0, 8.0 * x, 9.6 * x});
    figure.published.push_back({category, 2, 3.1 * x, 3.6 * x});
  }
  figure.published_name = "published range (Zhao et al.)";
  return figure;
}

Figure long_names() {
  Figure figure;
  figure.kind = FigureKind::kBars;
  figure.title =
      "A title that is so long that it has to be broken into more than one line of a column";
  figure.x.title =
      "a setting with a long name that nobody would have chosen for a paper (of any unit "
      "whatsoever)";
  figure.y.title = "time to first token of the slowest one in a hundred requests (s)";
  for (int c = 0; c < 6; ++c)
    figure.x.categories.push_back(
        fmt::format("a_cluster_of_phones_with_a_name_of_many_letters_without_spaces_{}", c));
  for (int s = 0; s < 3; ++s) {
    FigureSeries series{fmt::format("planner {} <with> a \"name\" & more that is wider than what a "
                                    "column of a paper has room for",
                                    s),
                        {}};
    for (int c = 0; c < 6; ++c)
      series.points.push_back(
          {double(c), 1.0 + s + 0.3 * c, std::pair(0.9 + s + 0.3 * c, 1.2 + s + 0.3 * c)});
    figure.series.push_back(series);
  }
  return figure;
}

Figure predicted_and_simulated(int count) {
  Figure figure;
  figure.kind = FigureKind::kScatter;
  figure.x = {"predicted makespan (s)", true, {}, {}, {}};
  figure.y = {"simulated makespan (s)", true, {}, {}, {}};
  figure.diagonal = true;
  Rng rng(3);
  for (const char* name : {"chain", "star", "mesh"}) {
    FigureSeries series{name, {}};
    for (int i = 0; i < count / 3; ++i) {
      const double x = std::pow(10, rng.uniform(-1, 2));
      series.points.push_back({x, x * (1 + 0.1 * rng.normal() * rng.normal())});
    }
    figure.series.push_back(series);
  }
  std::erase_if(figure.series[0].points, [](const FigurePoint& p) { return p.y <= 0; });
  return figure;
}

Figure latencies() {
  Figure figure;
  figure.kind = FigureKind::kBoxes;
  figure.x.title = "platform";
  figure.x.categories = {"three phones", "five measured", "eight phones", "small memory"};
  figure.y.title = "time per token (ms)";
  figure.width_pt = kPageWidthPt;
  Rng rng(5);
  for (const char* name : {"none", "threshold", "optimal"}) {
    FigureSeries series{name, {}};
    for (int c = 0; c < 4; ++c)
      for (int i = 0; i < 80; ++i)
        series.points.push_back({double(c), 40 + 20 * c + 30 * rng.exponential()});
    figure.series.push_back(series);
  }
  return figure;
}

Figure twelve_series(double width) {
  Figure figure;
  figure.x.title = "requests in flight";
  figure.y.title = "throughput (tokens/s)";
  figure.width_pt = width;
  for (int s = 0; s < 12; ++s) {
    FigureSeries series{fmt::format("policy {}", s + 1), {}};
    for (int x = 1; x <= 16; x *= 2)
      series.points.push_back({double(x), (1 + s) * std::pow(x, 0.3 + 0.04 * s)});
    figure.series.push_back(series);
  }
  return figure;
}

Figure three_points() {
  Figure figure;
  figure.x.title = "phones";
  figure.y.title = "energy per token (J)";
  figure.series = {{"", {{1, 0.081, std::pair(0.078, 0.084)}, {2, 0.071, {}}, {3, 0.0565, {}}}}};
  return figure;
}

Figure long_course() {
  Figure figure;
  figure.x.title = "time (s)";
  figure.y.title = "tokens/s";
  figure.bands = true;
  figure.width_pt = kPageWidthPt;
  for (const char* name : {"balanced", "left alone"}) {
    FigureSeries series{name, {}};
    for (int t = 0; t < 300; ++t) {
      const double y = 60 + 20 * std::sin(t / 40.0) - (name[0] == 'l' && t > 120 ? 35 : 0);
      series.points.push_back({double(t), y, std::pair(y - 6, y + 6)});
    }
    figure.series.push_back(series);
  }
  return figure;
}

}  // namespace

ResultTable planners_sweep() {
  ResultTable table;
  table.title = "BLOOM-3b on up to eight phones";
  table.columns = {{"planner", "", ColumnKind::kAxis},
                   {"phones", "", ColumnKind::kAxis},
                   {"link", "Mbit/s", ColumnKind::kAxis},
                   {"seed", "", ColumnKind::kSeed},
                   {"tokens per s", "1/s", ColumnKind::kResult},
                   {"TTFT", "s", ColumnKind::kResult},
                   {"energy per token", "J", ColumnKind::kResult}};
  table.reproduction = {"lingua 0.4", "model: bloom-3b\nphones: [1, 2, 3, 4, 6, 8]\n",
                        "my sweep.db"};
  Rng rng(1);
  std::int64_t id = 0;
  for (double link : {20.0, 80.0, 320.0}) {
    for (const char* planner : {"cbc", "dp", "even", "lingualinked"}) {
      for (int phones : {1, 2, 3, 4, 6, 8}) {
        const std::string timeline = some_timeline(phones, rng);
        for (int seed = 0; seed < 5; ++seed) {
          ResultRow row;
          row.id = ++id;
          const double rate = rate_of(planner, phones, link, rng);
          row.values = {planner,
                        double(phones),
                        link,
                        double(seed),
                        rate,
                        10 / rate,
                        0.08 * (1 + 0.1 * rng.normal())};
          row.pictures = {{fmt::format("timeline over {} phones", phones), timeline}};
          if (phones == 8 && link == 20 && planner == std::string("even")) {
            row.state = "failed";
            row.reason = "weights of 3.10 GB do not fit on oneplus-6, which has 2.50 GB";
            for (std::size_t c = 4; c < 7; ++c) row.values[c] = ResultValue();
          }
          table.rows.push_back(row);
        }
      }
    }
  }
  return table;
}

ResultTable large_sweep() {
  ResultTable table;
  table.title = "Ten thousand points";
  table.columns = {{"planner", "", ColumnKind::kAxis},
                   {"load", "", ColumnKind::kAxis},
                   {"cluster", "", ColumnKind::kAxis},
                   {"seed", "", ColumnKind::kSeed}};
  for (int r = 0; r < 8; ++r)
    table.columns.push_back({fmt::format("result {}", r), "s", ColumnKind::kResult});
  table.reproduction = {"lingua 0.4", "", "large.db"};
  Rng rng(2);
  for (int i = 0; i < 10000; ++i) {
    ResultRow row{i + 1,
                  {fmt::format("planner-{}", i % 12), double(i / 12 % 20),
                   fmt::format("cluster-{}", i / 240 % 5), double(i / 1200)},
                  kDone,
                  "",
                  {}};
    for (int r = 0; r < 8; ++r)
      row.values.emplace_back((1 + i % 12) * (1 + i / 12 % 20) * std::exp(0.4 * rng.normal()));
    if (i % 97 == 0) {
      row.state = "failed";
      row.reason = fmt::format("reason {}", i % 5);
    }
    table.rows.push_back(row);
  }
  return table;
}

ResultTable hostile_results() {
  const std::string hostile = kHostile;
  ResultTable table;
  table.title = hostile;
  table.columns = {{hostile, hostile, ColumnKind::kAxis},
                   {std::string(200, 'n'), "", ColumnKind::kAxis},
                   {"=result", "s", ColumnKind::kResult}};
  table.reproduction = {hostile, hostile, hostile};
  const std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"2000\" "
      "height=\"40\"><script>window.broken = 1</script>"
      "<image href=\"http://127.0.0.1:9/x.png\" onload=\"window.broken = 1\"/></svg>";
  for (int i = 0; i < 3; ++i) {
    ResultRow row{i + 1,
                  {hostile + std::to_string(i), std::string(150, 'v') + std::to_string(i % 2),
                   i == 1 ? INFINITY : 1.5 * i},
                  kDone,
                  "",
                  {{hostile, svg}}};
    if (i == 2) {
      row.state = hostile;
      row.reason = hostile + std::string(300, 'r');
    }
    table.rows.push_back(row);
  }
  return table;
}

std::vector<NamedFigure> example_figures() {
  std::vector<NamedFigure> figures;
  PlotChoice by_phones{"phones", "tokens per s", "planner", {{"link", 80.0}}};
  figures.push_back({"lines", figure_of(planners_sweep(), by_phones, FigureKind::kLines)});
  figures.push_back({"lines-wide", figures.back().figure});
  figures.back().figure.width_pt = kPageWidthPt;
  figures.push_back({"bars-published", with_published()});
  figures.push_back({"bars-published-wide", with_published()});
  figures.back().figure.width_pt = kPageWidthPt;
  figures.push_back({"bars-long-names", long_names()});
  figures.push_back({"boxes", latencies()});
  figures.push_back({"scatter", predicted_and_simulated(90)});
  figures.push_back({"scatter-10000", predicted_and_simulated(10000)});
  figures.push_back({"twelve", twelve_series(kColumnWidthPt)});
  figures.push_back({"twelve-log", twelve_series(kPageWidthPt)});
  figures.back().figure.x.logarithmic = figures.back().figure.y.logarithmic = true;
  figures.push_back({"three", three_points()});
  figures.push_back({"bands", long_course()});
  Figure many =
      figure_of(large_sweep(), {"load", "result 0", "planner", {{"cluster", "cluster-1"}}},
                FigureKind::kBoxes);
  many.series.resize(1);
  figures.push_back({"boxes-20", many});
  return figures;
}

}  // namespace lingua::testing
