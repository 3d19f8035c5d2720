#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/app/cache_options.h"
#include "runtime/app/link_options.h"
#include "runtime/app/machine.h"
#include "runtime/app/said_specs.h"
#include "runtime/app/sampling_worker.h"
#include "runtime/app/speed_probe.h"
#include "runtime/base/cores.h"
#include "runtime/base/errors.h"
#include "runtime/base/output_file.h"
#include "runtime/base/signals.h"
#include "runtime/base/units.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/run_after_run.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/message_trace.h"
#include "runtime/net/net_device.h"
#include "runtime/net/wire.h"
#include "runtime/pace/pace.h"
#include "runtime/torch/cpu_libraries.h"
#include "runtime/torch/torch_executor.h"
#include "runtime/trust/confine.h"

namespace lingua {
namespace {

struct WorkerVerbOptions {
  std::string coordinator;
  std::string name;
  std::string join_line;
  LinkOptions links;
  CacheOptions cache;
  std::string listen;
  SaidOptions said;
  std::string memory_report;
  std::string pace;  // folder
  std::string messages;
  HardwareLimits limits;
  std::string sensors = NetWorkerOptions().sensors;
  double join_timeout_s = 30;
  double loss_timeout_s = 2;
  std::string cpus = kBigCores;
  int threads = 0;
  std::string advertise;
  bool relayed = false;
  bool probe = false;
  bool once = false;
};

// What goes through the worker's mailbox, for a file that is open from the beginning.
class Messages {
 public:
  explicit Messages(const std::string& file) {
    if (file.empty()) return;
    file_.emplace(file);
    trace_.emplace(wire_bytes);
  }
  // Serves as run_worker() does. Once.
  void run(Device& device, const WorkerOptions& options) {
    if (!trace_) return run_worker(device, options);
    TracedDevice traced(device, *trace_);
    run_worker(traced, options);
  }
  // Threads: any.
  void write() {
    if (file_) std::call_once(written_, [&] { file_->write(trace_->text()); });
  }

 private:
  std::once_flag written_;
  std::optional<HeldOutputFile> file_;
  std::optional<MessageTrace> trace_;
};

// All that it needs is open from the beginning: a confined process opens nothing. Threads: any.
class MemoryReport {
 public:
  explicit MemoryReport(const std::string& file) {
    if (!file.empty()) file_.emplace(file);
  }
  void write() {
    if (!file_) return;
    std::call_once(written_, [&] {
      file_->write(fmt::format("{}\n", static_cast<std::int64_t>(peak_.bytes())));
    });
  }

 private:
  std::once_flag written_;
  std::optional<HeldOutputFile> file_;
  PeakMemory peak_;
};

RunEnd end_of_run(const std::string& coordinator_lost) {
  if (coordinator_lost.empty()) return {};
  return {false, ExitCode::kWorld, CoordinatorLost(coordinator_lost).what()};
}

// What comes over the network is run from here on.
void confine() {
  const std::string missing = confine_process();
  if (missing.empty()) return;
  tell("lingua worker: what it runs is not confined as it should be: {}\n", missing);
}

NetWorkerOptions net_options(const WorkerVerbOptions& options) {
  NetWorkerOptions worker;
  worker.coordinator = options.coordinator;
  worker.spec.name = options.name;
  const Cores cores = chosen_cores(options.cpus, allowed_cores());
  worker.spec.cores = static_cast<int>(cores.size());
  worker.spec.core_kinds = core_kinds(cores);
  worker.spec.computing.threads = options.threads;
  worker.spec.charge = -1;  // what its batteries say, if they do
  worker.spec.memory_bytes = available_memory_bytes();
  worker.sensors = options.sensors;
  fill_said(options.said, &worker.spec);
  const bool is_plain = options.links.insecure;
  worker.spec.relayed = options.relayed;
  const bool is_apart = is_plain || options.relayed;  // nobody is to reach it from elsewhere
  worker.net.listen = !options.listen.empty() ? options.listen
                      : is_apart              ? "tcp://127.0.0.1:*"
                                              : "tcp://*:*";
  if (is_plain) check_insecure_address(worker.net.listen);
  worker.net.advertise = options.advertise;
  fill_links(options.links, options.join_line, terminal(), &worker);
  worker.net.join_timeout = Seconds(options.join_timeout_s);
  worker.net.loss_timeout = Seconds(options.loss_timeout_s);
  worker.net.say = [](const std::string& line) { tell("lingua: {}\n", line); };
  return worker;
}

// Before LibTorch is loaded, where that is not done: its libraries look at the cores and at this variable then.
void choose_cores(const WorkerVerbOptions& options) {
  const Cores allowed = allowed_cores();
  const Cores chosen = chosen_cores(options.cpus, allowed);
  compute_on(chosen);
  if (chosen != allowed) {
    tell("lingua worker: computes on the cores {} of {}\n", cores_text(chosen),
         cores_text(allowed));
  }
  if (options.threads > 0)
    setenv("OPENBLAS_NUM_THREADS", fmt::format("{}", options.threads).c_str(), 1);
}

// What the device is not told to say of its speed.
void measure(Executor& executor, DeviceSpec* spec) {
  const DeviceSpeed speed = measure_speed(executor);
  if (spec->flops_per_s == 0) spec->flops_per_s = speed.flops_per_s;
  if (spec->memory_bytes_per_s == 0) spec->memory_bytes_per_s = speed.memory_bytes_per_s;
  tell("measured: {}, weights at {}\n", format_quantity(speed.flops_per_s, Unit::kFlopsPerSecond),
       format_quantity(speed.memory_bytes_per_s, Unit::kBytesPerSecond));
}

void tell_of_libraries() {
  if (const std::string blas = slow_blas(); !blas.empty())
    tell(
        "lingua worker: matrix products run on an unoptimised BLAS, {}; install "
        "libopenblas0-pthread\n",
        blas);
  if (const std::string trouble = onednn_trouble(); !trouble.empty())
    tell("lingua worker: oneDNN is switched off, as it cannot compute in bfloat16 here: {}\n",
         trouble);
}

// Joins and serves until the run is over, in this process. `leave` ends it where the run does while it
// computes: what that gives is for nobody.
void serve_run(const WorkerVerbOptions& options, NetWorkerOptions worker,
               const std::function<void(const RunEnd&)>& leave) {
  if (options.limits.any()) {
    const std::string reason = reason_to_stay_away(options.limits, read_telemetry(options.sensors));
    if (!reason.empty()) throw NoRunYet("it stays away: " + reason);
  }
  choose_cores(options);
  const auto cache = weight_cache(options.cache, worker, terminal());
  MemoryReport memory(options.memory_report);
  std::optional<Pace> pace;
  if (!options.pace.empty()) pace.emplace(options.pace, options.name);
  Messages messages(options.messages);
  const auto report = [&] {
    memory.write();
    messages.write();
    if (pace) pace->report();
  };
  worker.on_unheard_end = [&](const std::string& reason) {
    report();
    if (ending_signal() != 0) end_by(ending_signal());
    leave(end_of_run(reason));
  };
  auto executor = make_torch_executor();
  executor->compute_with({options.threads});
  tell_of_libraries();
  if (options.probe) measure(*executor, &worker.spec);
  if (pace) {
    worker.net.slow_network = pace->network();
    executor = pace->executor(std::move(executor));
  }
  const auto device = join_as_worker(worker, std::move(executor));
  const OrderlyEnd on_signal([&] { device->tell_to_end(); });
  remember_coordinator(options.links, worker, terminal());
  confine();
  WorkerOptions work = sampling_worker();
  work.cache = cache.get();
  work.limits = options.limits;
  try {
    messages.run(*device, work);
  } catch (const Error&) {
    report();
    throw;
  }
  report();
}

// Serves one run, and says in place of an error how that went.
RunEnd run_end_of(const std::function<void()>& serve) {
  try {
    serve();
    return {};
  } catch (const NoRunYet& error) {
    return {false, error.exit_code(), error.what()};
  } catch (const HasLeft& error) {
    return {false, error.exit_code(), error.what()};
  } catch (const CoordinatorLost& error) {
    return {false, error.exit_code(), error.what()};
  } catch (const Error& error) {
    return {true, error.exit_code(), error.what()};
  } catch (const std::exception& error) {
    return {true, ExitCode::kBug, fmt::format("unexpected error: {}", error.what())};
  }
}

void run(const WorkerVerbOptions& options) {
  NetWorkerOptions worker = net_options(options);
  if (options.once) {
    serve_run(options, std::move(worker), [](const RunEnd& end) {
      if (!end.reason.empty()) tell("lingua: {}\n", end.reason);
      _exit(static_cast<int>(end.code));
    });
    if (ending_signal() != 0) end_by(ending_signal());
    return;
  }
  RunAfterRun runs(worker.spec.name);
  const RunEnd end = runs.run([&] {
    return run_end_of([&] {
      serve_run(options, net_options(options), [&](const RunEnd& early) { runs.leave(early); });
    });
  });
  if (ending_signal() != 0) throw CLI::RuntimeError(static_cast<int>(ExitCode::kWorld));
  tell("lingua: {}\n", end.reason);
  throw CLI::RuntimeError(static_cast<int>(end.code));
}

void visit_computing(WorkerVerbOptions& options, SettingVisitor& visitor) {
  visitor.take(Setting("cpus", &options.cpus,
                       "cores that it computes on: a list as 0-3,6, or big (all but the slowest "
                       "kind), or all, of those that it may run on")
                   .called("CORES")
                   .checked(cores_problem, ""));
  visitor.take(Setting("threads", &options.threads,
                       "threads of its numerics, whatever a run says (default: one for each of "
                       "these cores)")
                   .in(1, 1024)
                   .default_untold());
}

void add_hardware_options(CLI::App& verb, WorkerVerbOptions& options) {
  verb.add_option_function<double>(
          "--battery-floor",
          [&options](double percent) { options.limits.battery_floor = percent / 100; },
          "percent of a full charge: with less it leaves in order, and comes with 5 points more")
      ->check(CLI::Range(1.0, 100.0))
      ->type_name("PERCENT");
  verb.add_option_function<double>(
          "--heat-limit", [&options](double celsius) { options.limits.heat_limit_c = celsius; },
          "degrees: above it leaves in order, and comes 5 degrees below")
      ->check(CLI::Range(1.0, 150.0))
      ->type_name("CELSIUS");
  verb.add_option("--sensors", options.sensors,
                  "folder with power_supply and thermal, as the kernel lays them out")
      ->capture_default_str();
}

}  // namespace

void add_worker(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "worker", "join a coordinator as one device, run what it assigns, one run after another");
  auto options = std::make_shared<WorkerVerbOptions>();
  auto* line = verb->add_option("--join", options->join_line,
                                "the line that the coordinator prints, the first time");
  verb->add_option("--coordinator", options->coordinator,
                   "later, its address: tcp://HOST:PORT, with --name")
      ->excludes(line)
      ->check(CLI::Validator(coordinator_address_problem, "", "address"));
  verb->add_option("--name", options->name, "this device's name in the cluster")
      ->excludes(line)
      ->check(CLI::Validator(device_name_problem, "", "name"));
  OptionDeclarer declarer(*verb);
  visit_links(options->links, declarer);
  visit_cache(options->cache, "weights that were sent are kept for the next run", declarer);
  verb->add_option(
          "--listen", options->listen,
          "address for other workers: tcp://INTERFACE:PORT, * for any (default: tcp://*:*; "
          "loopback with --insecure)")
      ->check(CLI::Validator(listen_address_problem, "", "address"));
  declarer.take(Setting("advertise", &options->advertise,
                        "the host under which other machines reach this address, where that is not "
                        "the one that this machine sees: 203.0.113.7")
                    .called("HOST")
                    .checked(host_problem, ""));
  declarer.take(Setting("relayed", &options->relayed,
                        "it takes no connections (a mobile hotspot, a network that keeps its "
                        "clients apart): what other devices send comes through the coordinator, "
                        "slower; without, that is tried for five times `loss-timeout` first")
                    .not_with({"advertise"}));
  visit_computing(*options, declarer);
  visit_said(options->said, declarer);
  verb->add_flag("--probe", options->probe,
                 "measure for a second what this device computes, before it joins, and say so "
                 "where --compute and --memory-bandwidth do not");
  declarer.take(
      Setting("join-timeout", &options->join_timeout_s,
              "seconds to wait for the coordinator; for the other workers it waits as long as "
              "the coordinator")
          .time_limit());
  visit_loss(options->loss_timeout_s, declarer);
  add_hardware_options(*verb, *options);
  verb->add_flag("--once", options->once, "end with the first run, or when there is none in time");
  verb->add_option("--memory-report", options->memory_report,
                   "at the end, write the peak memory in bytes to this file")
      ->type_name(kOutputFile);
  verb->add_option("--trace-messages", options->messages,
                   "write a line for each message sent and received (CSV) to this file")
      ->type_name(kOutputFile);
  verb->add_option(
      "--pace", options->pace,
      "what `run --local --pace` gives its workers: a folder that says how long they take");
  verb->callback([options] {
    if (options->join_line.empty() && (options->coordinator.empty() || options->name.empty())) {
      throw UsageError(
          "a worker needs --join LINE, or --coordinator and --name where it has joined before");
    }
    run(*options);
  });
}

}  // namespace lingua
