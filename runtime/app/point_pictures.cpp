#include "runtime/app/point_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "runtime/app/json_settings.h"
#include "runtime/app/planning.h"
#include "runtime/app/simulation.h"
#include "runtime/planner/study/explain.h"
#include "runtime/report/plan_picture.h"
#include "runtime/report/timeline_picture.h"
#include "runtime/sweep/pool.h"
#include "runtime/sweep/sweep.h"

namespace lingua {
namespace {

using nlohmann::json;

std::string plan_svg(const StudyOptions& options, const Study& study) {
  const PlanRequest asked = plan_request(options, study);
  return plan_picture(study.plan, asked, explain(study.plan, asked));
}

// What devices computed and sent; what was loaded before the run is left out.
std::string timeline_of(const Study& study, const EventLog& log) {
  TimelinePicture picture;
  picture.title = "When each device did what";
  Seconds begin = kNever;  // of the first request: nobody wants to see weights being sent
  const auto add = [&](const DeviceName& device, const char* kind, const EventRow& row) {
    picture.events.push_back({device, kind, row.start, row.end});
    begin = std::min(begin, row.start);
  };
  for (const DeviceName& device : study.plan.devices()) {  // in the order of the pipeline
    for (const EventRow& row : log.rows())
      if (row.what == event::kCompute && row.who == device) add(device, "computes", row);
    for (const EventRow& row : log.rows())
      if (row.what == event::kTransfer && row.who.starts_with(device + "->"))
        add(device, "sends", row);
  }
  for (TimelineEvent& event : picture.events) {
    event.start -= begin;
    event.end -= begin;
  }
  return picture.events.empty() ? "" : timeline_svg(picture);
}

json drawn(const SweepTask& task) {
  if (task.what == "plan") {
    const auto request = request_of<PlanningRequest>(task.settings, visit_planning);
    const Planning planning = plan(request, {});
    return planning.front ? json::object()
                          : json{{"plan", plan_svg(request.study, planning.study)}};
  }
  auto request = request_of<SimulationRequest>(task.settings, visit_simulation);
  request.study.output = {};
  request.study.output.log = "kept";  // in memory: nothing is written here
  const Simulation done = simulate(request, {});
  return {{"plan", plan_svg(request.study, done.study)},
          {"timeline", timeline_of(done.study, done.result.log)}};
}

PointPictures pictures_in(const PieceOfWork& piece) {
  PointPictures point;
  point.number = static_cast<std::int64_t>(piece.tag);
  if (!piece.done) {
    point.why_not = piece.text;
    return point;
  }
  const json pictures = json::parse(piece.text);
  const auto add = [&](const char* name, const char* title) {
    const std::string svg = pictures.value(name, "");
    if (!svg.empty())
      point.pictures.push_back({fmt::format("Point {}: {}", point.number, title), svg});
  };
  add("plan", "what each device runs");
  add("timeline", "when it did what");
  return point;
}

}  // namespace

std::vector<PointPictures> pictures_of_points(const std::filesystem::path& database,
                                              const std::vector<std::string>& which) {
  ForkPool pool({worker_count(0)});
  std::vector<PointPictures> points;
  const auto take = [&] {
    for (const PieceOfWork& piece : pool.wait(std::chrono::seconds(1)))
      points.push_back(pictures_in(piece));
  };
  for (const std::string& one : which) {
    const SweepRow row = find_in_sweep(database, one);
    while (!pool.has_room()) take();
    pool.start(static_cast<std::uint64_t>(row.number),
               [task = task_of(row)] { return drawn(task).dump(); });
  }
  while (!pool.is_idle()) take();
  std::sort(points.begin(), points.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return points;
}

std::int64_t best_point(const ResultTable& table) {
  std::size_t result = 0;
  while (result < table.columns.size() && table.columns[result].kind != ColumnKind::kResult)
    ++result;
  std::int64_t best = -1;
  double most = 0;
  for (const ResultRow& row : table.rows) {
    if (!row.done() || result == table.columns.size()) continue;
    const auto* value = std::get_if<double>(&row.values[result]);
    if (value == nullptr || (best >= 0 && *value <= most)) continue;
    best = static_cast<std::int64_t>(row.id);
    most = *value;
  }
  return best;
}

}  // namespace lingua
