// `lingua sweep`: simulations and plans over axes, and `lingua rerun`: one of them again alone.

#include <CLI/CLI.hpp>
#include <memory>
#include <sstream>

#include "runtime/app/setting.h"
#include "runtime/app/sweep_commands.h"
#include "runtime/app/sweeping.h"
#include "runtime/app/version.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/signals.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

using nlohmann::json;

struct SweepVerbOptions {
  SweepRunRequest request;
  std::string shard = "1/1";
  int samples = 8;
  std::uint64_t shards = 0;
  bool commands = false;
  bool slurm = false;
  SweepMergeRequest merge;
  std::string format = "csv";
  std::string out;
  bool json = false;
};

// sweep.yaml is written to sweep.db, beside whoever runs it.
void complete(SweepVerbOptions& options) {
  options.request.shard = parse_shard(options.shard);
  if (options.request.database.empty())
    options.request.database = options.request.spec.stem().string() + ".db";
}

std::string duration_text(double seconds) {
  if (seconds < 100) return fmt::format("{:.2g} s", seconds);
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string points_text(std::uint64_t count) {
  return count == 1 ? "1 point" : fmt::format("{} points", count);
}

void show_commands(const SweepVerbOptions& options) {
  SweepShardsRequest shards;
  shards.spec = options.request.spec;
  shards.database = options.request.database;
  shards.shards = options.shards;
  if (options.request.workers > 0 && !options.slurm)
    shards.options = {"--workers", fmt::format("{}", options.request.workers)};
  if (options.request.time_limit_s > 0) {
    shards.options.push_back("--point-time-limit");
    shards.options.push_back(fmt::format("{}", options.request.time_limit_s));
  }
  load_sweep(shards.spec, sweep_tools(version_id()).check);  // whether it is one
  show(options.slurm ? slurm_script(shards) : shard_commands(shards));
}

void tell_outcome(const SweepRunOutcome& outcome, const SweepVerbOptions& options) {
  const std::string database = options.request.database.string();
  tell("{} done, {} failed in {}; {} before\n", points_text(outcome.done), outcome.failed,
       duration_text(outcome.seconds), outcome.before);
  for (const std::string& failure : outcome.first_failures) tell("  {}\n", failure);
  for (const std::string& kept : outcome.never_kept)
    tell("lingua sweep: no result is named '{}', which keep names\n", kept);
  if (outcome.stopped) {
    tell("stopped; the same command goes on from there\n");
  } else {
    tell("{}: `lingua report {}` shows it, `lingua sweep export {}` gives its rows\n", database,
         database, database);
  }
}

void run(SweepVerbOptions& options) {
  complete(options);
  if (options.commands || options.slurm) return show_commands(options);
  Progress progress(fmt::format("sweep {}", options.request.spec.stem().string()));
  const auto see = [&](const SweepProgress& now) {
    const double ended = static_cast<double>(now.position) - static_cast<double>(now.under_way);
    std::string detail = fmt::format("{} done, {} failed", now.before + now.done, now.failed);
    if (now.before == 0 && ended > 0 && now.position < now.size)
      detail +=
          fmt::format(", {} left",
                      duration_text(now.seconds * (static_cast<double>(now.size) - ended) / ended));
    progress.update(ended, static_cast<double>(now.size), detail);
  };
  SweepRunOutcome outcome;
  {
    const OrderlyEnd on_signal([] {});
    outcome = run_sweep(options.request, sweep_tools(version_id()), see,
                        [] { return ending_signal() != 0; });
  }
  Progress::make_way();
  if (options.json) {
    show(json_text(outcome_json(outcome, options.request)) + "\n");
  } else {
    tell_outcome(outcome, options);
  }
  if (ending_signal() != 0) end_by(ending_signal());
}

void preview(SweepVerbOptions& options) {
  complete(options);
  const SweepPreview preview =
      preview_sweep(options.request, sweep_tools(version_id()), options.samples);
  if (options.json) {
    show(json_text(preview_json(preview)) + "\n");
    return;
  }
  tell("{}: {} to run, {} excluded\n", preview.name, points_text(preview.points), preview.excluded);
  if (preview.sampled == 0) return;
  tell("{} of {} sampled points failed; a point takes {}: about {} with {} at a time\n",
       preview.samples_failed, preview.sampled, duration_text(preview.seconds_per_point),
       duration_text(preview.estimate_s), preview.workers);
}

void status(SweepVerbOptions& options) {
  options.request.shard = parse_shard(options.shard);
  const SweepStatus status =
      status_of_sweep(options.request.database, options.request.shard, options.request.workers);
  if (options.json) {
    json reasons = json::array();
    for (const auto& [reason, count] : status.reasons)
      reasons.push_back({{"reason", reason}, {"count", count}});
    show(json_text(json{{"name", status.name},
                        {"version", status.version},
                        {"points", status.points},
                        {"done", status.done},
                        {"failed", status.failed},
                        {"left", status.left},
                        {"seconds", status.seconds},
                        {"estimate_s", status.estimate_s},
                        {"reasons", reasons}}) +
         "\n");
    return;
  }
  tell("{} (version {}): {} of {} done, {} failed, {} left", status.name, status.version,
       status.done, points_text(status.points), status.failed, status.left);
  if (status.estimate_s > 0) tell(", about {}", duration_text(status.estimate_s));
  tell("\n");
  for (const auto& [reason, count] : status.reasons) tell("  {} times: {}\n", count, reason);
}

void merge(const SweepVerbOptions& options) {
  const SweepMergeOutcome outcome = merge_sweeps(options.merge);
  const std::string to = options.merge.to.string();
  if (options.json) {
    show(json_text(json{{"database", to},
                        {"rows", outcome.rows},
                        {"equal_rows", outcome.equal_rows},
                        {"missing", outcome.missing},
                        {"digest", digest_of_sweep(to)}}) +
         "\n");
    return;
  }
  tell("{}: {}, {} of them in several, {} missing, digest {}\n", to, points_text(outcome.rows),
       outcome.equal_rows, outcome.missing, digest_of_sweep(to));
}

void export_rows(const SweepVerbOptions& options) {
  const SweepFormat format = options.format == "csv" ? SweepFormat::kCsv : SweepFormat::kJsonLines;
  const auto write = [&](std::ostream& out) {
    export_sweep(options.request.database, format, out);
  };
  if (!options.out.empty()) return write_file_atomically(options.out, write);
  std::ostringstream text;
  write(text);
  show(text.str());
}

void digest(const SweepVerbOptions& options) {
  show(digest_of_sweep(options.request.database) + "\n");
}

void add_spec(CLI::App* verb, SweepVerbOptions& options) {
  verb->add_option("spec", options.request.spec, "what to vary: YAML, see runtime/sweep/README.md")
      ->required()
      ->type_name(kInputPath);
  verb->add_option("--db", options.request.database,
                   "the database of the results (default: the name of the specification, .db)")
      ->type_name("FILE");
}

void add_database(CLI::App* verb, SweepVerbOptions& options) {
  verb->add_option("database", options.request.database, "the database of a sweep")
      ->required()
      ->type_name(kInputPath);
}

void add_shard(CLI::App* verb, SweepVerbOptions& options) {
  verb->add_option("--shard", options.shard,
                   "of the points only every N-th, beginning with the I-th: for many machines")
      ->type_name("I/N")
      ->capture_default_str();
  verb->add_option("--workers", options.request.workers,
                   "points at a time (default: one for each core)")
      ->check(CLI::Range(1, 4096));
}

void add_json(CLI::App* verb, SweepVerbOptions& options) {
  verb->add_flag("--json", options.json, "as JSON");
}

void add_run(CLI::App* sweep, const std::shared_ptr<SweepVerbOptions>& options) {
  auto* verb =
      sweep->add_subcommand("run", "runs what has no row yet; killed, it goes on where it was");
  add_spec(verb, *options);
  add_shard(verb, *options);
  SweepRunRequest& request = options->request;
  verb->add_option("--point-time-limit", request.time_limit_s,
                   "seconds after which a point has failed (default: none)")
      ->check(CLI::Range(0.001, 1e6));
  verb->add_flag("--retry-failed", request.retry_failed, "what has failed runs again");
  verb->add_flag("--allow-other-version", request.allow_other_version,
                 "go on with what another version of the program began; each row says its own");
  auto* commands =
      verb->add_flag("--commands", options->commands,
                     "run nothing; print a command for each of --shards, for GNU parallel");
  auto* slurm = verb->add_flag("--slurm", options->slurm,
                               "run nothing; print a script of a Slurm array of --shards tasks")
                    ->excludes(commands);
  auto* shards = verb->add_option("--shards", options->shards, "how many parts they are")
                     ->check(CLI::Range(1, 100'000));
  commands->needs(shards);
  slurm->needs(shards);
  add_json(verb, *options);
  verb->callback([options] {
    if (options->shards > 0 && !options->commands && !options->slurm)
      throw UsageError("--shards is for --commands and --slurm; a part is run by --shard I/N");
    run(*options);
  });
}

void add_others(CLI::App* sweep, const std::shared_ptr<SweepVerbOptions>& options) {
  auto* plan = sweep->add_subcommand(
      "plan", "how many points, and by some that are run how long: nothing is written");
  add_spec(plan, *options);
  add_shard(plan, *options);
  plan->add_option("--samples", options->samples, "points to run for the estimate")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  add_json(plan, *options);
  plan->callback([options] { preview(*options); });

  auto* show_status = sweep->add_subcommand("status", "what is done, has failed and is left");
  add_database(show_status, *options);
  add_shard(show_status, *options);
  add_json(show_status, *options);
  show_status->callback([options] { status(*options); });

  auto* out = sweep->add_subcommand("export", "the rows, for other programs");
  add_database(out, *options);
  out->add_option("--format", options->format, "csv, or JSON lines")
      ->capture_default_str()
      ->check(CLI::IsMember({"csv", "jsonl"}));
  out->add_option("--out", options->out, "to this file instead of standard output")
      ->type_name(kOutputFile);
  out->callback([options] { export_rows(*options); });

  auto* one_of_all = sweep->add_subcommand("merge", "one database of several shards' ones");
  one_of_all->add_option("to", options->merge.to, "the database to make")
      ->required()
      ->type_name(kOutputFile);
  one_of_all->add_option("from", options->merge.from, "databases of the same sweep and version")
      ->required()
      ->type_name(kInputPath);
  one_of_all->add_flag("--allow-equal-rows", options->merge.allow_equal_rows,
                       "a point may be in several, where its rows are the same");
  add_json(one_of_all, *options);
  one_of_all->callback([options] { merge(*options); });

  auto* mark = sweep->add_subcommand(
      "digest", "a mark of all rows without times: equal where the results are");
  add_database(mark, *options);
  mark->callback([options] { digest(*options); });
}

}  // namespace

void add_sweep(CLI::App& app) {
  auto* sweep = app.add_subcommand("sweep", "simulations and plans over axes, by the thousand");
  sweep->require_subcommand(1);
  auto options = std::make_shared<SweepVerbOptions>();
  add_run(sweep, options);
  add_others(sweep, options);
}

}  // namespace lingua
