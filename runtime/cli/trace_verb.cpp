#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/app/supply_of.h"
#include "runtime/arrivals/generate.h"
#include "runtime/arrivals/trace_file.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"
#include "runtime/supply/supply_file.h"

namespace lingua {
namespace {

struct TraceVerbOptions {
  std::string file;
  std::string process;
  std::string supply;
  std::string cluster;
  std::string output;
  std::string like;
  std::string prompt_length = "16";
  std::string output_length = "16";
  std::int64_t requests = 0;  // 0: all that a file has
  double rate = 1;
  std::uint64_t seed = 1;
  bool json = false;
};

constexpr std::int64_t kMostRequests = kMostTraceRequests;

RequestTrace read_scaled(const TraceVerbOptions& options) {
  const std::size_t most = options.requests > 0 ? static_cast<std::size_t>(options.requests)
                                                : std::numeric_limits<std::size_t>::max();
  return scaled(read_trace(options.file), most, options.rate);
}

void write_or_show(const RequestTrace& trace, const std::string& file) {
  if (file.empty()) {
    show(trace_csv(trace));
  } else {
    write_trace(trace, file);
  }
}

nlohmann::json lengths_json(const LengthSummary& lengths) {
  return {
      {"mean", lengths.mean}, {"p50", lengths.p50}, {"p99", lengths.p99}, {"max", lengths.most}};
}

nlohmann::json summary_as_json(const RequestTrace& trace, const TraceSummary& summary) {
  const auto known = [](const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
  };
  return {{"name", trace.name},
          {"source", trace.source},
          {"requests", summary.requests},
          {"first_s", summary.first.count()},
          {"span_s", summary.span.count()},
          {"requests_per_s", known(summary.rate_per_s)},
          {"gap_variation", known(summary.gap_variation)},
          {"prompt_tokens", lengths_json(summary.prompt_tokens)},
          {"output_tokens", lengths_json(summary.output_tokens)}};
}

std::string summary_as_text(const RequestTrace& trace, const TraceSummary& summary) {
  std::string text =
      fmt::format("{}: {} request{}, the first at {}, all in {}", trace.source, summary.requests,
                  summary.requests == 1 ? "" : "s", format_seconds(summary.first.count()),
                  format_seconds(summary.span.count()));
  if (summary.rate_per_s) {
    text +=
        fmt::format("\n{:.4g} requests/s; coefficient of variation of the gaps {:.2f} (Poisson: 1)",
                    *summary.rate_per_s, *summary.gap_variation);
  }
  text += fmt::format("\n\n{:13}  {:>8}  {:>8}  {:>8}  {:>8}\n", "tokens", "mean", "median", "99 %",
                      "most");
  const auto row = [&text](const char* name, const LengthSummary& lengths) {
    text += fmt::format("{:13}  {:>8.1f}  {:>8.1f}  {:>8.1f}  {:>8}\n", name, lengths.mean,
                        lengths.p50, lengths.p99, lengths.most);
  };
  row("of a prompt", summary.prompt_tokens);
  row("of an answer", summary.output_tokens);
  return text;
}

void describe(const TraceVerbOptions& options) {
  const RequestTrace trace = read_scaled(options);
  const TraceSummary summary = summarise(trace);
  show(options.json ? json_text(summary_as_json(trace, summary)) + "\n"
                    : summary_as_text(trace, summary));
}

void generate(const TraceVerbOptions& options) {
  TraceRequest request;
  request.process = parse_arrivals(options.process);
  if (request.process.kind == ArrivalProcess::Kind::kClosed) {
    throw UsageError(fmt::format(
        "{} has no times that a file could hold: each request waits for the answer to another one",
        to_text(request.process)));
  }
  request.prompt_tokens = parse_lengths(options.prompt_length, "--prompt-length");
  request.output_tokens = parse_lengths(options.output_length, "--output-length");
  if (!options.like.empty()) request.like = read_trace(options.like);
  request.requests = static_cast<std::size_t>(options.requests);
  request.seed = options.seed;
  write_or_show(generate_trace(request), options.output);
}

void write_supply(const TraceVerbOptions& options) {
  const ClusterSpec cluster = load_cluster(options.cluster);
  const std::string csv = supply_csv(supply_of(options.supply, cluster, options.seed, true));
  if (options.output.empty()) return show(csv);
  write_file_atomically(options.output, [&](std::ostream& out) { out << csv; });
}

void add_scaling(CLI::App& verb, TraceVerbOptions& options) {
  verb.add_option("file", options.file,
                  "CSV of ours or of Azure's traces, or Mooncake's JSON lines")
      ->required()
      ->type_name(kInputPath);
  verb.add_option("--requests", options.requests, "only the first so many")
      ->check(CLI::Range(std::int64_t{1}, kMostRequests));
  verb.add_option("--trace-rate", options.rate, "requests come so many times as fast")
      ->check(CLI::Range(1e-6, 1e6))
      ->capture_default_str();
}

void add_output(CLI::App& verb, TraceVerbOptions& options) {
  verb.add_option("-o,--output", options.output, "where to (default: standard output)")
      ->type_name(kOutputFile);
}

}  // namespace

void add_trace(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "trace", "traces of requests (when they come, how long they are) and of devices");
  verb->require_subcommand(1);
  auto options = std::make_shared<TraceVerbOptions>();

  auto* shown = verb->add_subcommand("describe", "count, span, rate and lengths of a trace");
  add_scaling(*shown, *options);
  shown->add_flag("--json", options->json, "as JSON");
  shown->callback([options] { describe(*options); });

  auto* made = verb->add_subcommand("generate", "make a trace from a seed");
  made->add_option("process", options->process,
                   "poisson:RATE, or bursts:RATE,SIZE (as many per second, SIZE at once)")
      ->required();
  made->add_option("--requests", options->requests, "how many")
      ->required()
      ->check(CLI::Range(std::int64_t{1}, kMostRequests));
  made->add_option("--seed", options->seed, "of times and lengths")->capture_default_str();
  const auto length = [&](const char* name, std::string& value, const char* of) {
    return made
        ->add_option(name, value,
                     fmt::format("tokens of {}: 128, or drawn evenly from a range: 16-512", of))
        ->type_name("LENGTH")
        ->capture_default_str();
  };
  auto* prompt = length("--prompt-length", options->prompt_length, "each prompt");
  auto* answer = length("--output-length", options->output_length, "each answer");
  made->add_option("--like", options->like,
                   "draw each prompt's and answer's lengths, together, from this trace")
      ->type_name(kInputPath)
      ->excludes(prompt)
      ->excludes(answer);
  add_output(*made, *options);
  made->callback([options] { generate(*options); });

  auto* supplied = verb->add_subcommand(
      "supply", "write what devices and links give over time, as --supply takes it, as CSV");
  supplied
      ->add_option("supply", options->supply,
                   "a file, or slow:DEVICE:TIME:FACTOR and others (traces/devices/README.md)")
      ->required();
  supplied->add_option("--cluster", options->cluster, "whose devices it names")
      ->required()
      ->type_name(kInputPath);
  supplied->add_option("--seed", options->seed, "of what is drawn")->capture_default_str();
  add_output(*supplied, *options);
  supplied->callback([options] { write_supply(*options); });

  auto* turned = verb->add_subcommand("convert", "write a trace, or a part of it, as our CSV");
  add_scaling(*turned, *options);
  add_output(*turned, *options);
  turned->callback([options] { write_or_show(read_scaled(*options), options->output); });
}

}  // namespace lingua
