#include <fmt/format.h>

#include <optional>

#include "runtime/base/errors.h"
#include "runtime/cli/answer_text.h"
#include "runtime/cli/report.h"
#include "runtime/cli/requests.h"
#include "runtime/cli/sampling_worker.h"
#include "runtime/cli/verbs.h"
#include "runtime/net/wire.h"
#include "runtime/torch/torch_executor.h"
#include "sim/cluster/sim_cluster.h"

namespace lingua {
namespace {

// Runs a study inside SimGrid. With numerics the devices compute real tokens in virtual time.
RunResult run_in_simgrid(const StudyOptions& options, Study& study, bool numerics) {
  SimOptions sim_options;
  sim_options.wire_bytes = wire_bytes;
  // Threads are this machine's business, not the modelled phones': the deployment names none.
  sim_options.make_executor = [&](const DeviceSpec&) {
    auto executor = numerics ? make_torch_executor() : make_shape_executor();
    if (options.threads > 0) executor->set_threads(options.threads);
    return executor;
  };
  CoordinatorJob job;
  const auto shapes = shapes_only();
  job.deployment.plan = study.plan;
  job.deployment.segmentation = &study.segmentation;
  job.deployment.source = numerics ? study.source() : shapes.get();
  job.requests = make_requests(options.workload, options.text.sampling, study, numerics);
  job.in_flight = study.workload.in_flight;
  end_at_stop_strings(study.stop_strings, study.tokenizer.get(), job);
  Progress progress(numerics ? "emulating" : "simulating");
  const double all = static_cast<double>(job.requests.size());
  double done = 0;
  job.on_done = [&](const Done&) {
    done += 1;
    progress.update(done, all, fmt::format("{} of {} requests", done, all));
  };
  RunResult result;
  SimCluster cluster(study.cluster, sim_options);
  for (const DeviceName& name : study.plan.devices()) {
    cluster.start(name, [](Device& device) { run_worker(device, sampling_worker()); });
  }
  cluster.start(kCoordinator, [&](Device& device) { result = run_coordinator(device, job); });
  cluster.run();
  return result;
}

void add_verb(CLI::App& app, const char* name, const char* summary, bool numerics) {
  auto* verb = app.add_subcommand(name, summary);
  auto options = std::make_shared<StudyOptions>();
  add_study_options(*verb, *options, true);
  verb->callback([options, numerics] {
    if (!numerics && !options->output.output_file.empty()) {
      throw UsageError("--output-file: simulate computes no values; emulate, run and reference do");
    }
    Study study = prepare_study(*options, load_cluster(options->plan.cluster));
    if (numerics) require_weights(study.model, options->model.model);
    const RunResult result = run_in_simgrid(*options, study, numerics);
    report_run({numerics ? "emulated" : "simulated", SimCluster::configuration(), true}, *options,
               study, result);
  });
}

}  // namespace

void add_simulate_and_emulate(CLI::App& app) {
  add_verb(
      app, "simulate",
      "run on a modelled cluster in virtual time: shapes without contents (what it leaves out: "
      "platforms/README.md)",
      false);
  add_verb(app, "emulate",
           "run on a modelled cluster in virtual time with real numerics: real tokens", true);
}

}  // namespace lingua
