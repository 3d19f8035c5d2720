#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/cli/machine.h"
#include "runtime/cli/report.h"
#include "runtime/cli/verbs.h"
#include "runtime/net/local_processes.h"
#include "runtime/net/net_device.h"

namespace lingua {
namespace {

struct Options {
  StudyOptions study;
  bool local = false;
  int workers = 0;
  std::string listen;
  double join_timeout_s = 60;
};

// Devices for local workers when no cluster file describes them: equal shares of this machine.
ClusterSpec local_cluster(int workers) {
  ClusterSpec cluster;
  cluster.name = fmt::format("{} equal workers on this machine", workers);
  cluster.source = "nominal speeds; memory: free memory of this machine, in equal shares";
  cluster.default_link = {1e9, Seconds(1e-4)};
  for (int i = 0; i < workers; ++i) {
    DeviceSpec device;
    device.name = fmt::format("worker-{}", i + 1);
    device.flops_per_s = 20e9;
    device.memory_bytes_per_s = 10e9;
    device.memory_bytes = available_memory_bytes() / workers;
    cluster.devices.push_back(device);
  }
  return cluster;
}

ClusterSpec cluster_of(const Options& options) {
  if (options.study.plan.cluster.empty()) {
    if (!options.local)
      throw UsageError("--cluster is required without --local: it names the workers to wait for");
    return local_cluster(std::max(options.workers, 1));
  }
  ClusterSpec cluster = load_cluster(options.study.plan.cluster);
  const auto available = static_cast<int>(cluster.devices.size());
  if (options.workers > available) {
    throw UsageError(fmt::format("--workers {}: {} has only {} devices", options.workers,
                                 options.study.plan.cluster, available));
  }
  if (options.workers > 0) cluster.devices.resize(static_cast<std::size_t>(options.workers));
  if (!cluster.header.empty() && cluster.index_of(cluster.header) < 0) {
    throw UsageError(fmt::format("--workers {} leaves out {}, the header of {}", options.workers,
                                 cluster.header, options.study.plan.cluster));
  }
  return cluster;
}

int threads_of(const Options& options, const Study& study) {
  if (options.study.threads > 0 || !options.local) return options.study.threads;
  // Local workers share the cores: with one request in flight only one of them computes at a time.
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int active =
      std::min<int>(study.workload.in_flight, static_cast<int>(study.plan.stages.size()));
  return std::max(1, cores / std::max(active, 1));
}

class RealRun {
 public:
  RealRun(const Options& options, Study& study) : options_(options), study_(study) {}

  RunResult run() {
    NetOptions net;
    net.listen = !options_.listen.empty() ? options_.listen
                 : options_.local         ? "tcp://127.0.0.1:*"
                                          : "tcp://*:5555";
    net.join_timeout = Seconds(options_.join_timeout_s);
    NetCoordinator coordinator(net);
    std::vector<DeviceName> names;
    for (const DeviceSpec& device : study_.cluster.devices) names.push_back(device.name);
    if (options_.local) {
      start_workers(coordinator.address());
    } else {
      fmt::print(stderr, "waiting for {} workers at {}\n", names.size(), coordinator.address());
    }
    coordinator.wait_for(names, [&] { processes_.check(); });
    RunResult result = coordinate(coordinator.device());
    for (const DeviceName& name : names) coordinator.device().send(name, Stop{});
    if (options_.local) collect_memory();
    peak_memory_[kCoordinator] = peak_memory_bytes();
    return result;
  }

  nlohmann::json extra() const {
    nlohmann::json json = nlohmann::json::object();
    for (const auto& [name, bytes] : peak_memory_) json["peak_memory_bytes"][name] = bytes;
    return json;
  }

 private:
  void start_workers(const std::string& address) {
    folder_ = std::make_unique<TemporaryFolder>();
    for (const DeviceSpec& device : study_.cluster.devices) {
      LocalProcess worker;
      worker.name = device.name;
      worker.argv = {this_program(),    "worker",
                     "--coordinator",   address,
                     "--name",          device.name,
                     "--listen",        "tcp://127.0.0.1:*",
                     "--memory-report", folder_->file(device.name)};
      processes_.start(worker);
    }
  }

  RunResult coordinate(Device& device) {
    CoordinatorJob job;
    job.deployment.plan = study_.plan;
    job.deployment.segmentation = &study_.segmentation;
    job.deployment.source = study_.model.source.get();
    job.deployment.threads = threads_of(options_, study_);
    job.requests = make_requests(options_.study.workload, study_, true);
    job.in_flight = study_.workload.in_flight;
    auto progress = std::make_unique<Progress>("sending weights");
    job.on_weights = [&](double bytes, double total) {
      progress->update(bytes, total, format_quantity(bytes, Unit::kBytes));
      if (bytes == total) progress = std::make_unique<Progress>("answering");
    };
    double tokens = 0;
    const double all = static_cast<double>(job.requests.size()) *
                       static_cast<double>(std::max<std::int64_t>(study_.workload.max_tokens, 1));
    job.on_token = [&](const TokenMade&) {
      tokens += 1;
      progress->update(tokens, all, fmt::format("{} tokens", tokens));
      return true;
    };
    try {
      return run_coordinator(device, job);
    } catch (const WorldError& error) {
      // The transport saw a connection break; a local process may have left a better reason.
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      try {
        processes_.check();
      } catch (const WorldError& process) {
        throw WorldError(fmt::format("{}; {}", process.what(), error.what()));
      }
      throw;
    }
  }

  void collect_memory() {
    processes_.wait(Seconds(10));
    for (const DeviceSpec& device : study_.cluster.devices) {
      double bytes = 0;
      if (std::ifstream(folder_->file(device.name)) >> bytes) peak_memory_[device.name] = bytes;
    }
  }

  const Options& options_;
  Study& study_;
  std::unique_ptr<TemporaryFolder> folder_;
  LocalProcesses processes_;
  std::map<DeviceName, double> peak_memory_;
};

void run(const Options& options) {
  Study study = prepare_study(options.study, cluster_of(options));
  require_weights(study.model, options.study.model.model);
  RealRun real(options, study);
  const RunResult result = real.run();
  report_run({"real", "", false}, options.study, study, result, real.extra());
}

}  // namespace

void add_run(CLI::App& app) {
  auto* verb =
      app.add_subcommand("run", "run for real: workers compute with LibTorch and talk over ZeroMQ");
  auto options = std::make_shared<Options>();
  add_study_options(*verb, options->study, false);
  verb->add_flag("--local", options->local,
                 "start the workers as processes on this machine, and stop them");
  verb->add_option("--workers", options->workers,
                   "how many: the cluster's first N devices, or N equal ones")
      ->check(CLI::Range(1, 1000));
  verb->add_option("--listen", options->listen,
                   "address that workers join: tcp://INTERFACE:PORT (default: tcp://*:5555; "
                   "loopback with --local)");
  verb->add_option("--join-timeout", options->join_timeout_s, "seconds to wait for the workers")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
