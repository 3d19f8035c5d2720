#pragma once
// What may be asked of a study: its parts as values, and the settings that fill them, each declared once, so that
// it means the same wherever it is written.
//
// Errors: UsageError from the settings that read texts. Units: where a text is a quantity, with its unit ("64 MB").

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/app/setting.h"
#include "runtime/device/message.h"
#include "runtime/model/graph.h"
#include "runtime/planner/planner.h"

namespace lingua {

// The planner when none is named: the best one that this build has.
std::string default_planner();

class ModelShelf;

struct ModelOptions {
  ModelShelf* shelf = nullptr;  // where it is looked for first; no setting
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
  std::string planner = default_planner();
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
void visit_model(ModelOptions& options, SettingVisitor& visitor,
                 ModelArgument argument = ModelArgument::kPlace);
void visit_int8(ModelOptions& options, SettingVisitor& visitor);
void visit_partition(PartitionFlags& options, SettingVisitor& visitor);
void visit_workload(WorkloadOptions& options, SettingVisitor& visitor);
// REQUIRES: visit_workload() before it; its prompts and these exclude each other.
void visit_text(TextOptions& options, SettingVisitor& visitor);
void visit_chat(TextOptions& options, SettingVisitor& visitor);
void visit_sampling(TextOptions& options, SettingVisitor& visitor);
void visit_in_flight(WorkloadOptions& options, SettingVisitor& visitor);
void visit_scheduling(Scheduling& scheduling, SettingVisitor& visitor);
void visit_chunk(Scheduling& scheduling, SettingVisitor& visitor);
void visit_communication(Communication& communication, SettingVisitor& visitor);
void visit_plan(PlanOptions& options, SettingVisitor& visitor, bool needs_cluster);
// What there is beside results: files and their form. With `messages`, which only a run has.
void visit_output(OutputOptions& options, SettingVisitor& visitor, bool messages = true);
void visit_messages(std::string& file, SettingVisitor& visitor);
void visit_output_file(OutputOptions& options, SettingVisitor& visitor);
void visit_json(bool& json, SettingVisitor& visitor);
void visit_slo(std::string& slo, SettingVisitor& visitor);
void visit_threads(int& threads, SettingVisitor& visitor);

}  // namespace lingua
