#include "runtime/app/simulation.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <deque>
#include <optional>
#include <sstream>
#include <thread>
#include <type_traits>
#include <utility>

#include "runtime/app/answer_text.h"
#include "runtime/app/recovering.h"
#include "runtime/app/requests.h"
#include "runtime/app/sampling_worker.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/cache/digested_source.h"
#include "runtime/events/message_trace.h"
#include "runtime/net/wire.h"
#include "runtime/report/spread_report.h"
#include "runtime/torch/torch_executor.h"
#include "sim/cluster/sim_cluster.h"

namespace lingua {
namespace {

// Starts coordinator, client and workers, whose messages are noted where there is a trace, and runs all.
RunResult run_job_in(SimCluster& cluster, const Study& study, const RunJob& job,
                     MessageTrace* trace) {
  CoordinatorResult result;
  ClientResult answers;
  const auto traced = [trace](const auto& body) {
    return [=](auto& inner) {
      using Inner = std::remove_reference_t<decltype(inner)>;
      if (trace == nullptr) return body(inner);
      std::conditional_t<std::is_same_v<Inner, Device>, TracedDevice, TracedMailbox> outer(inner,
                                                                                           *trace);
      body(outer);
    };
  };
  // Where the plan may change those too that it leaves out: they may be needed.
  const bool may_change = job.coordinator.recover || job.coordinator.rebalance;
  std::vector<DeviceName> devices = study.plan.devices();
  if (may_change) {
    devices.clear();
    for (const DeviceSpec& device : study.cluster.devices) devices.push_back(device.name);
  }
  for (const DeviceName& name : devices) {
    cluster.start(name, traced([](Device& device) { run_worker(device, sampling_worker()); }));
  }
  cluster.start(kCoordinator, traced([&](Device& device) {
                  result = run_coordinator(device, job.coordinator);
                  if (!may_change) return;
                  for (const DeviceName& name : devices) device.send(name, Stop{});
                }));
  cluster.start_client(
      kOnlyClient, traced([&](Mailbox& mailbox) { answers = run_client(mailbox, job.client); }));
  cluster.run();
  return result_of(std::move(result), std::move(answers));
}

void write_messages(MessageTrace& trace, const OutputOptions& output, const Audience& audience) {
  std::istringstream text(trace.text());
  write_file_atomically(output.messages,
                        [&](std::ostream& out) { merge_message_traces({&text}, out); });
  if (!output.json) audience.tell("messages: {}\n", output.messages);
}

// What comes to the modelled devices as the run goes on, and what is done about it.
struct Course {
  SupplyTrace supply;
  BalanceOptions balance;
  double wait_s = 0;
};

// Runs a study inside SimGrid. With numerics the devices compute real tokens in virtual time.
RunResult run_in_simgrid(const StudyOptions& options, Study& study, bool numerics,
                         const Course& course, MessageTrace* trace = nullptr,
                         bool shows_progress = true) {
  SimOptions sim_options;
  sim_options.wire_bytes = wire_bytes;
  // Threads are this machine's business, not the modelled phones': the deployment names none.
  sim_options.make_executor = [&](const DeviceSpec&) {
    auto executor = numerics ? make_torch_executor() : make_shape_executor();
    if (options.threads > 0) executor->compute_with({options.threads});
    return executor;
  };
  RunJob job;
  const auto shapes = shapes_only();
  job.coordinator.deployment.plan = study.plan;
  job.coordinator.deployment.segmentation = &study.segmentation;
  job.coordinator.deployment.cluster = std::make_shared<const ClusterSpec>(study.cluster);
  job.coordinator.deployment.scheduling = study.workload.scheduling;
  job.coordinator.deployment.communication = study.workload.communication;
  job.coordinator.deployment.source = numerics ? study.source() : shapes.get();
  submit_by(study, make_requests(options.workload, options.text.sampling, study, numerics),
            job.client);
  job.coordinator.keep = options.output.needs_rows() ? Keep::kRows : Keep::kMeasures;
  job.coordinator.log_arrivals = study.trace.has_value();
  job.coordinator.in_flight = study.workload.in_flight;
  end_at_stop_strings(study.stop_strings, study.tokenizer.get(), job.client);
  const ProgressUpdate progress = shows_progress
                                      ? study.audience.begin(numerics ? "emulating" : "simulating")
                                      : Audience().begin("");
  const double all = static_cast<double>(study.workload.requests);
  double done = 0;
  job.client.on_done = [&](const Done&) {
    done += 1;
    progress(done, all, fmt::format("{} of {} requests", done, all));
  };
  const Attendance attendance = attendance_of(course.supply);
  job.coordinator.absent = attendance.absent;
  job.coordinator.wait_for_devices = Seconds(course.wait_s);
  const PlanRequest request = plan_request(options, study);
  const Balancing balancing = balance(course.balance, options.plan.planner, request,
                                      truth_of(study.cluster, course.supply), job.coordinator);
  if (!attendance.changes.empty()) {
    job.coordinator.recover =
        recovery(options.plan.planner, request, job.coordinator.deployment, balancing);
  }
  std::optional<DigestedSource> digested;
  if (numerics && job.coordinator.rebalance)
    job.coordinator.deployment.source = &digested.emplace(*study.source());
  SimCluster cluster(study.cluster, sim_options);
  cluster.follow(course.supply);
  RunResult result = run_job_in(cluster, study, job, trace);
  for (std::string& note : balancing.unused()) result.notes.push_back(std::move(note));
  return result;
}

// The same with the messages noted, where that is asked for, which a run that fails writes too; `write` does it of one that went well.
RunResult run_traced(const StudyOptions& options, Study& study, bool numerics, const Course& course,
                     std::function<void()>* write) {
  if (options.output.messages.empty()) return run_in_simgrid(options, study, numerics, course);
  const auto trace = std::make_shared<MessageTrace>(wire_bytes);
  *write = [trace, output = options.output, audience = study.audience] {
    write_messages(*trace, output, audience);
  };
  try {
    return run_in_simgrid(options, study, numerics, course, trace.get());
  } catch (const Error&) {
    try {
      (*write)();
    } catch (const Error& error) {
      study.audience.tell("lingua: {}\n", error.what());
    }
    throw;
  }
}

// A child that simulates, and what it says of it.
struct Repeat {
  pid_t child = -1;
  int answer = -1;
};

Repeat start_repeat(const StudyOptions& options, Study& study, const ClusterSpec& cluster) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw WorldError("`spread`: no pipe to be had");
  const pid_t child = ::fork();
  if (child < 0) throw WorldError("`spread`: no process to be had");
  if (child > 0) {
    ::close(ends[1]);
    return {child, ends[0]};
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int code = 1;
  try {
    study.cluster = cluster;
    const Metrics metrics = run_in_simgrid(options, study, false, {}, nullptr, false).metrics;
    double latency_s = 0;
    for (const RequestMetrics& request : metrics.requests)
      latency_s += (request.end - request.start).count();
    const std::array<double, 2> answer = {latency_s / static_cast<double>(metrics.requests.size()),
                                          metrics.tokens_per_s};
    if (::write(ends[1], answer.data(), sizeof answer) == sizeof answer) code = 0;
  } catch (const Error& error) {
    study.audience.tell("lingua: `spread`: {}\n", error.what());
  }
  ::_exit(code);
}

std::array<double, 2> end_repeat(const Repeat& repeat) {
  std::array<double, 2> answer{};
  const ssize_t got = ::read(repeat.answer, answer.data(), sizeof answer);
  ::close(repeat.answer);
  int status = 0;
  while (::waitpid(repeat.child, &status, 0) < 0 && errno == EINTR) {
  }
  if (got != sizeof answer) throw WorldError("`spread`: a repeated simulation failed");
  return answer;
}

// The plan simulated on each of the clusters, each in a process of its own: SimGrid simulates once.
// REQUIRES: nothing has been simulated.
PlanSpread simulated_spread(const StudyOptions& options, Study& study, const Variants& variants) {
  const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
  std::vector<double> latency_s;
  std::vector<double> tokens_per_s;
  std::deque<Repeat> running;
  const ProgressUpdate progress = study.audience.begin("simulating other speeds");
  const auto total = static_cast<double>(variants.clusters.size());
  const auto end_first = [&] {
    const auto [latency, tokens] = end_repeat(running.front());
    running.pop_front();
    latency_s.push_back(latency);
    tokens_per_s.push_back(tokens);
    const auto done = static_cast<double>(latency_s.size());
    progress(done, total, fmt::format("{} of {} draws", done, total));
  };
  for (const ClusterSpec& cluster : variants.clusters) {
    if (running.size() == most) end_first();
    running.push_back(start_repeat(options, study, cluster));
  }
  while (!running.empty()) end_first();
  return {variants.share, static_cast<int>(latency_s.size()), percentiles_of(latency_s),
          percentiles_of(tokens_per_s)};
}

}  // namespace

void visit_simulation(SimulationRequest& request, SettingVisitor& visitor) {
  visit_study(request.study, visitor, true);
  visit_course(request.course, visitor);
  visit_balance(request.balance, visitor);
  visit_wait(request.wait_s, visitor);
}

Simulation simulate(const SimulationRequest& request, const Audience& audience) {
  const StudyOptions& options = request.study;
  if (!request.numerics && !options.output.output_file.empty()) {
    throw UsageError("`output-file`: simulate computes no values; emulate, run and reference do");
  }
  const ClusterSpec cluster = cluster_of(options);
  Course course{course_of(request.course, cluster, options.workload.seed), request.balance,
                request.wait_s};
  const Attendance attendance = attendance_of(course.supply);
  course.balance.may_join =
      std::any_of(attendance.changes.begin(), attendance.changes.end(),
                  [](const Attendance::Change& change) { return change.comes; });
  Simulation done;
  done.world = {request.numerics ? "emulated" : "simulated", SimCluster::configuration(), true};
  done.study = prepare_study(options, cluster, attendance.absent, audience);
  if (request.numerics) require_weights(done.study.model, options.model.model);
  const auto variants = variants_of(options, done.study.cluster);
  if (variants && !request.numerics) {
    done.spread = simulated_spread(options, done.study, *variants);
    done.extra["simulated_spread"] = spread_to_json(*done.spread);
  }
  if (!request.course.supply.empty()) done.extra["supply"] = course.supply.source;
  done.result = run_traced(options, done.study, request.numerics, course, &done.write_messages);
  for (const std::string& note : done.result.notes) audience.tell("lingua: {}\n", note);
  malloc_trim(0);  // gives back what the run has freed, before a report takes more
  return done;
}

nlohmann::json simulate_json(const SimulationRequest& request, const Audience& audience) {
  const Simulation done = simulate(request, audience);
  const OutputOptions& output = request.study.output;
  nlohmann::json json = run_json(done.world, request.study, done.study, done.result, done.extra);
  std::vector<std::function<void()>> writers = {
      outputs_writer(output, done.result.answers, audience)};
  if (done.write_messages) writers.push_back(done.write_messages);
  write_results(output, done.result.log, run_title(done.world, done.study), writers, audience);
  check_all_answered(done.result);
  return json;
}

}  // namespace lingua
