#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/app/options.h"
#include "runtime/base/errors.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/log_diff.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

constexpr int kDifferent = 1;  // the exit code of diff(1) too

struct LogVerbOptions {
  std::string a;
  std::string b;
  std::string tolerance;
  std::string slo;
  std::size_t before = 3;
  bool no_times = false;
  bool json = false;
};

nlohmann::json row_json(const EventRow& row) {
  return {{"who", row.who},           {"what", row.what},  {"segment", row.segment},
          {"request", row.request},   {"step", row.step},  {"start_s", row.start.count()},
          {"end_s", row.end.count()}, {"bytes", row.bytes}};
}

nlohmann::json side_json(const std::string& file, std::size_t events, const LogSide* side) {
  nlohmann::json json = {{"file", file}, {"events", events}};
  if (side == nullptr) return json;
  json["event"] = side->row ? row_json(*side->row) : nlohmann::json();
  json["before"] = nlohmann::json::array();
  for (const EventRow& row : side->before) json["before"].push_back(row_json(row));
  return json;
}

std::string side_text(const std::string& file, const LogSide& side) {
  std::string text = file + "\n";
  for (const EventRow& row : side.before) text += "  " + EventLog::csv_line(row) + "\n";
  text += "> " + (side.row ? EventLog::csv_line(*side.row) : "has no such event") + "\n";
  return text;
}

std::string headline(const LogDifference& found) {
  if (!found.a.row || !found.b.row) {
    const EventRow& row = found.a.row ? *found.a.row : *found.b.row;
    return fmt::format("only the {} has this event of {} at {}", found.a.row ? "first" : "second",
                       row.who, format_seconds(row.start.count()));
  }
  std::string text =
      fmt::format("they part at {} in an event of {}: its {} differs",
                  format_seconds(found.a.row->start.count()), found.a.row->who, found.column);
  const auto time = [&](const EventRow& row) {
    return found.column == "start" ? row.start : row.end;
  };
  if (found.column == "start" || found.column == "end") {
    const Seconds later = time(*found.b.row) - time(*found.a.row);
    text += fmt::format(", {} {} in the second", format_seconds(abs(later).count()),
                        later > Seconds(0) ? "later" : "earlier");
  }
  return text;
}

void diff(const LogVerbOptions& options) {
  LogComparison comparison;
  comparison.times = !options.no_times;
  comparison.before = options.before;
  if (!options.tolerance.empty()) {
    try {
      comparison.tolerance = Seconds(parse_quantity(options.tolerance, Unit::kSeconds));
    } catch (const InputError& error) {
      throw UsageError(fmt::format("--tolerance {}", error.what()));
    }
  }
  const EventLog a = read_event_log(options.a);
  const EventLog b = read_event_log(options.b);
  const auto found = first_difference(a, b, comparison);
  if (options.json) {
    nlohmann::json json = {
        {"equal", !found},
        {"a", side_json(options.a, a.rows().size(), found ? &found->a : nullptr)},
        {"b", side_json(options.b, b.rows().size(), found ? &found->b : nullptr)}};
    if (found && !found->column.empty()) json["column"] = found->column;
    show(json_text(json) + "\n");
  } else if (found) {
    show(headline(*found) + "\n" + side_text(options.a, found->a) + side_text(options.b, found->b));
  } else {
    show(fmt::format("equal: {} events\n", a.rows().size()));
  }
  if (found) throw CLI::RuntimeError(kDifferent);
}

void metrics(const LogVerbOptions& options) {
  Metrics metrics = compute_metrics(read_event_log(options.a));
  if (!options.slo.empty()) metrics.goodput = goodput_of(metrics, parse_slo(options.slo));
  show(options.json ? json_text(summary_json(metrics)) + "\n" : summary_table(metrics));
}

}  // namespace

void add_log(CLI::App& app) {
  auto* verb = app.add_subcommand("log", "event logs, as --log writes them");
  verb->require_subcommand(1);
  auto options = std::make_shared<LogVerbOptions>();
  const auto add_file = [](CLI::App* to, const char* name, std::string& file) {
    to->add_option(name, file, "an event log")->required()->type_name(kInputPath);
  };

  auto* compare = verb->add_subcommand(
      "diff", "the first event in which two logs part; exit code 0: equal, 1: they part");
  add_file(compare, "a", options->a);
  add_file(compare, "b", options->b);
  auto* tolerance = compare
                        ->add_option("--tolerance", options->tolerance,
                                     "times that differ by no more are equal: 1 ms")
                        ->type_name("TIME");
  compare
      ->add_flag("--no-times", options->no_times,
                 "only what each device and link did, in which order: real runs differ in times")
      ->excludes(tolerance);
  compare->add_option("--before", options->before, "so many events before it are shown")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  compare->add_flag("--json", options->json, "as JSON");
  compare->callback([options] { diff(*options); });

  auto* measure = verb->add_subcommand("metrics", "what a run achieved, from its log alone");
  add_file(measure, "log", options->a);
  OptionDeclarer declarer(*measure);
  visit_slo(options->slo, declarer);
  measure->add_flag("--json", options->json, "as JSON");
  measure->callback([options] { metrics(*options); });
}

}  // namespace lingua
