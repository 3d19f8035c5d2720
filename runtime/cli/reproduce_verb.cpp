// `lingua reproduce`: published comparisons made again, beside what is published.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "runtime/app/reproduction.h"
#include "runtime/app/sweeping.h"
#include "runtime/app/version.h"
#include "runtime/base/errors.h"
#include "runtime/base/signals.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

struct ReproduceVerbOptions {
  ReproductionRequest request;
  bool json = false;
};

// The studies of the source tree that this program was built of name its files relative to it.
void use_own_studies(ReproductionRequest& request) {
  const fs::path source = LINGUA_SOURCE_FOLDER;
  const fs::path specs = source / "experiments" / "reproduce";
  std::error_code error;
  if (!fs::is_directory(specs, error)) {
    throw UsageError(fmt::format(
        "{} is not there, which this program was built beside; name a folder by --specs",
        specs.string()));
  }
  request.out = fs::absolute(request.out);
  request.specs = fs::path("experiments") / "reproduce";
  fs::current_path(source);
}

// A bar for each study.
class Bars {
 public:
  void see(const StudyProgress& now) {
    if (now.study != study_) {
      study_ = now.study;
      bar_ =
          std::make_unique<Progress>(fmt::format("{} ({} of {})", study_, now.number, now.count));
    }
    bar_->update(
        static_cast<double>(now.sweep.position), static_cast<double>(now.sweep.size),
        fmt::format("{} done, {} failed", now.sweep.before + now.sweep.done, now.sweep.failed));
  }

 private:
  std::string study_;
  std::unique_ptr<Progress> bar_;
};

void run(ReproduceVerbOptions& options) {
  const fs::path out = fs::absolute(options.request.out);
  if (options.request.specs.empty()) use_own_studies(options.request);
  std::optional<std::vector<StudyReport>> reports;
  {
    Bars bars;
    const OrderlyEnd on_signal([] {});
    reports = reproduce(
        options.request, sweep_tools(version_id()),
        [&](const StudyProgress& now) { bars.see(now); }, [] { return ending_signal() != 0; });
  }
  Progress::make_way();
  if (!reports) {
    tell("stopped; the same command goes on from there\n");
    if (ending_signal() != 0) end_by(ending_signal());
    return;
  }
  if (options.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const StudyReport& report : *reports) all.push_back(study_json(report));
    show(json_text(all) + "\n");
  } else {
    show(overall_text(*reports));
  }
  tell("{}: a folder for each study, with its tables, pictures and {}.html\n", out.string(),
       options.request.quick ? "quick" : "result");
}

}  // namespace

void add_reproduce(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "reproduce", "the paper's comparisons made again in virtual time, beside what it publishes");
  auto options = std::make_shared<ReproduceVerbOptions>();
  ReproductionRequest& request = options->request;
  request.out = "build/reproduce";
  verb->add_option("study", request.studies,
                   "only these, by name or its begin as 03 (default: all)")
      ->type_name("STUDY");
  verb->add_flag("--quick", request.quick, "some points of each, in a minute or two");
  verb->add_option("--out", request.out, "what is made; killed, the same command goes on in it")
      ->capture_default_str()
      ->type_name("FOLDER");
  verb->add_option("--specs", request.specs,
                   "the folder of the studies (default: experiments/reproduce of the program's "
                   "source; files in them are named relative to that source, of other studies "
                   "relative to where the program runs)")
      ->type_name("INPUT");
  verb->add_option("--workers", request.workers, "points at a time (default: one for each core)")
      ->check(CLI::Range(1, 4096));
  verb->add_flag("--json", options->json, "print the comparisons as JSON");
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
