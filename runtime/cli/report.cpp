#include "runtime/cli/report.h"

#include <fmt/format.h>

#include "runtime/base/units.h"
#include "runtime/cli/changes_text.h"
#include "runtime/cli/terminal.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

void print_tokens(const RunResult& result) {
  for (const Done& answer : result.answers) {
    if (answer.tokens.empty() || answer.tokens.front() == kNoToken) continue;
    std::string ids;
    for (TokenId token : answer.tokens) ids += fmt::format(" {}", token);
    tell("request {}:{}\n", answer.request, ids);
    if (answer.request >= 7 && result.answers.size() > 9) {
      tell("... and {} more requests (--json has them)\n", result.answers.size() - 8);
      break;
    }
  }
}

// Of many devices the first few.
std::string memory_text(const std::map<DeviceName, double>& peak_bytes) {
  constexpr std::size_t kMost = 8;
  if (peak_bytes.empty()) return "";
  std::string text;
  std::size_t told = 0;
  for (const auto& [name, bytes] : peak_bytes) {
    if (told++ == kMost) break;
    text += fmt::format("{} {} {}", text.empty() ? "" : ",", name,
                        format_quantity(bytes, Unit::kBytes));
  }
  return fmt::format("memory of the workers' processes, at most:{}{}\n", text,
                     told > kMost ? ", ... (--json has all)" : "");
}

}  // namespace

void report_run(const RunWorld& world, const std::function<void()>& write_messages,
                const StudyOptions& options, const Study& study, const RunResult& result,
                const nlohmann::json& extra) {
  const std::string title = run_title(world, study);
  if (!options.output.json) {
    tell("\n{}\n\n{}\n{}", title, plan_text(study),
         summary_table(metrics_of(options, study, result)));
    tell("{}{}{}{}", recoveries_text(result.recoveries), joins_text(result.joins),
         moves_text(result.moves), memory_text(result.peak_memory_bytes));
    if (!study.tokenizer) print_tokens(result);
    if (world.deterministic) tell("digest {}\n", result.digest);
  }
  const auto print = [&] {
    if (!options.output.json) return;
    const std::string text = json_text(run_json(world, options, study, result, extra));
    show(text + "\n");
  };
  std::vector<std::function<void()>> first = {
      print, outputs_writer(options.output, result.answers, study.audience)};
  if (write_messages) first.push_back(write_messages);
  write_results(options.output, result.log, title, first, study.audience);
}

}  // namespace lingua
