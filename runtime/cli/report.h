#pragma once
// What a run shows: progress while it lasts, tables for people, one JSON object for machines.
//
// Progress and tables go to standard error, --json to standard output.

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/cli/study.h"
#include "runtime/engine/run.h"

namespace lingua {

struct RunReport {
  std::string world;                          // "simulated", "emulated", "real"
  std::string configuration;                  // of the simulator; empty in the real world
  bool deterministic = false;                 // its digest tells whether two runs are the same
  std::function<void()> write_messages = {};  // --trace-messages; may be empty
};

// Prints the tables or the JSON, then writes what the output options ask for.
void report_run(const RunReport& report, const StudyOptions& options, const Study& study,
                const RunResult& result, const nlohmann::json& extra = {});

// Does `first` (printing, say), then writes --log and --timeline: what one of them cannot do does not keep the
// others from being done. Throws the first failure in the end.
void write_results(const OutputOptions& output, const EventLog& log, const std::string& title,
                   const std::vector<std::function<void()>>& first);

// Text to standard output; on a terminal printable (see plain_text.h), else as it is.
// Errors: InputError when it cannot be written.
void show(const std::string& text);

// What came of one request: "tokens", "finish" ("stop" or "length") and with a tokenizer "prompt"
// and "text"; or of a single pass "outputs" and what a classifier says by them.
nlohmann::json answer_json(const Done& answer, const Study& study);

// {"label": that of the highest score, "scores": {label: score}}, and where several may be right
// "labels": those with more than a half.
nlohmann::json class_json(const Tensor& logits, const ImportedModel& model);

// The plan and what belongs to it: the dtype, segments in int8, the spread, the secondary plan, spares.
std::string plan_text(const Study& study);

// The same beside the plan itself: "dtype", "int8_segments", "spread", "secondary", "spares", where there are any.
nlohmann::json plan_extras_json(const Study& study);

// "int8: segments 0-3 of 16\n"; empty when there are none.
std::string int8_line(const Study& study);

// One line that is written over while work goes on, each second and percent (a terminal), or a line per tenth
// (a file).
class Progress {
 public:
  explicit Progress(std::string label) : label_(std::move(label)) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(double done, double total, const std::string& detail);
  // Clears the line that is open on a terminal, for another that follows. Threads: any.
  static void make_way();

 private:
  using Clock = std::chrono::steady_clock;

  std::string label_;
  std::string last_detail_;
  Clock::time_point drawn_;
  int last_tenth_ = -1;
  int last_percent_ = -1;
  bool open_ = false;
};

}  // namespace lingua
