#include "runtime/cli/options.h"

#include <algorithm>

#include "runtime/plan/planner.h"

namespace lingua {

void add_model_options(CLI::App& app, ModelOptions& options) {
  app.add_option(
         "--model,model", options.model,
         "model folder (config.json, model.safetensors), published name (bloom-560m: shapes "
         "only) or TorchScript file")
      ->required();
  app.add_option("--dtype", options.dtype,
                 "weights and activations: fp32 or bf16 (folders and names)")
      ->capture_default_str();
  app.add_flag("--no-kv-cache", options.no_kv_cache,
               "each step recomputes all positions (as the paper)");
  app.add_option(
         "--head", options.head,
         "positions that the LM head answers: last or all (default: last with a KV cache; all "
         "without one and in inspect, as the published FLOP counts)")
      ->check(CLI::IsMember({"last", "all"}));
  app.add_option("--input", options.inputs,
                 "an input of a TorchScript file: NAME=DIMxDIM:DTYPE, where a DIM is a number or n "
                 "(repeat for more inputs)")
      ->allow_extra_args(false);
}

void add_partition_flags(CLI::App& app, PartitionFlags& options) {
  app.add_option("--rule", options.rule,
                 "how the graph is cut: bytes (fewest live bytes) or lingualinked (attention and "
                 "MLP halves)")
      ->capture_default_str();
  app.add_option("--max-segments", options.max_segments, "at most so many segments")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_option("--max-segment-size", options.max_segment_size,
                 "at most so many weights in one segment (64 MB)");
}

void add_workload_options(CLI::App& app, WorkloadOptions& options) {
  auto* tokens =
      app.add_option("--prompt-tokens", options.prompt_tokens, "token ids of the prompt: 1,2,3")
          ->delimiter(',')
          ->allow_extra_args(false);
  app.add_option("--prompt-length", options.prompt_length,
                 "length of a prompt of seeded random tokens")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->excludes(tokens);
  app.add_option("--max-tokens", options.max_tokens, "tokens to generate per request")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  app.add_option("--requests", options.requests, "requests to answer")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  app.add_option("--in-flight", options.in_flight, "requests inside the pipeline at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_option("--seed", options.seed, "of everything random")->capture_default_str();
  app.add_flag("--ignore-eos", options.ignore_eos, "go on after an end-of-sequence token");
}

void add_plan_options(CLI::App& app, PlanOptions& options, bool cluster_required) {
  auto* cluster = app.add_option("--cluster", options.cluster, "cluster file (platforms/*.yaml)");
  if (cluster_required) cluster->required();
  std::string names;
  for (const PlannerEntry& planner : planners())
    names += (names.empty() ? "" : ", ") + std::string(planner.name);
  options.planner = default_planner();
  app.add_option("--planner", options.planner, "how segments are assigned: " + names)
      ->capture_default_str();
  app.add_option("--objective", options.objective, "what the plan is best for")
      ->capture_default_str()
      ->check(CLI::IsMember({"latency", "throughput"}));
  app.add_option("--plan-time-limit", options.time_limit_s, "seconds that the planner may take")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--plan", options.plan_file,
                 "use this plan (JSON, as --save-plan writes) instead of making one");
}

void add_output_options(CLI::App& app, OutputOptions& options) {
  app.add_option("--log", options.log, "write the event log (CSV) to this file");
  app.add_option("--timeline", options.timeline,
                 "write a timeline for Perfetto or chrome://tracing to this file");
  app.add_option("--save-plan", options.save_plan, "write the plan (JSON) to this file");
  app.add_flag("--json", options.json, "print the results as JSON on standard output");
}

void add_threads_option(CLI::App& app, int& threads) {
  app.add_option("--threads", threads,
                 "threads of each worker's numerics (default: its share of the cores)")
      ->check(CLI::Range(1, 1024));
}

std::string default_planner() {
  const auto& all = planners();
  const bool has_cbc = std::any_of(
      all.begin(), all.end(), [](const PlannerEntry& p) { return std::string(p.name) == "cbc"; });
  return has_cbc ? "cbc" : all.front().name;
}

}  // namespace lingua
