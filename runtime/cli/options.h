#pragma once
// The command line's options: each is declared once, so that it means the same for every verb.
//
// Errors: UsageError from the functions that read values; CLI11 reports unknown options itself.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/device/message.h"
#include "runtime/model/graph.h"
#include "runtime/planner/planner.h"

namespace CLI {
class App;
}

namespace lingua {

struct ModelOptions {
  std::string model;
  std::string dtype = "auto";  // the checkpoint's own
  bool no_kv_cache = false;
  std::string head;              // "last", "all"; empty: the verb's default
  std::int64_t head_pieces = 1;  // 0: auto
  std::string int8 = "none";     // see int8_choice.h
  std::vector<std::string> inputs;
  std::vector<std::string> input_files;  // see tensor_files.h
};

struct PartitionFlags {
  std::string rule = "bytes";
  int max_segments = 64;
  std::string max_segment_size;
  bool recompute_norms = false;
};

struct WorkloadOptions {
  std::vector<std::string> prompt_tokens;  // each the ids of one prompt: "1,2,3"
  std::int64_t prompt_length = 16;
  std::vector<std::int64_t> prompt_lengths;  // of prompts that differ, in turn; instead of it
  std::int64_t max_tokens = 16;
  int requests = 0;  // 0: one per prompt, or as many as are in flight
  int in_flight = 1;
  Scheduling scheduling;
  Communication communication;
  std::string trace;      // a file of arrivals and lengths, or poisson:..., bursts:..., closed:...
  double trace_rate = 1;  // how many times as fast a file's requests come
  std::uint64_t seed = 1;
  bool ignore_eos = false;
};

struct TextOptions {
  std::vector<std::string> prompts;
  std::vector<std::string> prompt_files;
  std::string chat_template;  // empty: prompts are continued as they are
  std::string system;
  std::vector<std::string> stop;
  Sampling sampling;

  bool has_prompts() const { return !prompts.empty() || !prompt_files.empty(); }
  // What only a tokenizer can do is asked for.
  bool needs_tokenizer() const { return has_prompts() || !stop.empty(); }
};

struct PlanOptions {
  std::string cluster;
  std::string planner;
  std::string objective = "latency";
  double time_limit_s = 60;
  PlanRules rules;
  std::string battery_floor;
  std::string robust;  // shares of speeds, as "1%": to plan for, and to show what comes of them
  std::string spread;
  std::string plan_file;                // a plan to use instead of making one
  std::string overlap = "none";         // or a rule of secondary_plan.h
  std::vector<std::string> slow_downs;  // what it is for
  int spares = 0;                       // see balance/spares.h
};

struct OutputOptions {
  std::string log;
  std::string timeline;
  std::string messages;  // see events/message_trace.h
  std::string save_plan;
  std::string output_file;  // see tensor_files.h
  std::string slo;          // see metrics.h; empty: none
  bool json = false;
  bool needs_rows() const { return !log.empty() || !timeline.empty(); }  // of the event log
};

enum class ModelArgument {
  kPlace,       // the first word, or --model
  kOptionOnly,  // --model: the first word is something else
};
void add_model_options(CLI::App& app, ModelOptions& options,
                       ModelArgument argument = ModelArgument::kPlace);
void add_int8_option(CLI::App& app, ModelOptions& options);
void add_partition_flags(CLI::App& app, PartitionFlags& options);
void add_workload_options(CLI::App& app, WorkloadOptions& options);
// REQUIRES: add_workload_options() before it; its prompts and these exclude each other.
void add_text_options(CLI::App& app, TextOptions& options);
void add_chat_options(CLI::App& app, TextOptions& options);
void add_sampling_options(CLI::App& app, TextOptions& options);
void add_in_flight_option(CLI::App& app, WorkloadOptions& options);
void add_scheduling_options(CLI::App& app, Scheduling& scheduling);
void add_chunk_option(CLI::App& app, Scheduling& scheduling);
void add_communication_options(CLI::App& app, Communication& communication);
void add_plan_options(CLI::App& app, PlanOptions& options, bool cluster_required);
void add_output_options(CLI::App& app, OutputOptions& options);
void add_messages_option(CLI::App& app, std::string& file);
void add_output_file_option(CLI::App& app, OutputOptions& options);
void add_slo_option(CLI::App& app, std::string& slo);
void add_threads_option(CLI::App& app, int& threads);

// The planner when none is named: the best one that this build has.
std::string default_planner();

}  // namespace lingua
