#include "runtime/cli/real_world.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/signals.h"
#include "runtime/base/units.h"
#include "runtime/cli/machine.h"
#include "runtime/cli/report.h"
#include "runtime/cli/time_limit.h"
#include "runtime/net/net_device.h"

namespace lingua {
namespace {

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

}  // namespace

void add_real_options(CLI::App& app, RealOptions& options) {
  app.add_flag("--local", options.local,
               "start the workers as processes on this machine, and stop them");
  app.add_option("--workers", options.workers,
                 "how many: the cluster's first N devices, or N equal ones")
      ->check(CLI::Range(1, 1000));
  app.add_option("--listen", options.listen,
                 "address that workers join: tcp://INTERFACE:PORT (default: tcp://*:5555; "
                 "loopback with --local and with --insecure)")
      ->check(CLI::Validator(listen_address_problem, "", "address"));
  app.add_option("--join-timeout", options.join_timeout_s, "seconds to wait for the workers")
      ->capture_default_str()
      ->check(time_limit_check());
  add_link_options(app, options.links);
  add_loss_option(app, options.loss_timeout_s);
  app.add_option("--stall-timeout", options.stall_timeout_s,
                 "seconds after which a worker that neither answers nor says what it does ends the "
                 "run, while nothing comes from any")
      ->capture_default_str()
      ->check(time_limit_check());
}

ClusterSpec real_cluster(const RealOptions& options, const std::string& cluster_file) {
  if (cluster_file.empty()) {
    if (!options.local)
      throw UsageError("--cluster is required without --local: it names the workers to wait for");
    return local_cluster(std::max(options.workers, 1));
  }
  ClusterSpec cluster = load_cluster(cluster_file);
  const auto available = static_cast<int>(cluster.devices.size());
  if (options.workers > available) {
    throw UsageError(fmt::format("--workers {}: {} has only {} devices", options.workers,
                                 cluster_file, available));
  }
  if (options.workers > 0) cluster.devices.resize(static_cast<std::size_t>(options.workers));
  if (!cluster.header.empty() && cluster.index_of(cluster.header) < 0) {
    throw UsageError(fmt::format("--workers {} leaves out {}, the header of {}", options.workers,
                                 cluster.header, cluster_file));
  }
  return cluster;
}

RealWorld::RealWorld(RealOptions options, int threads, const Study& study)
    : options_(std::move(options)), threads_(threads), study_(study) {}

NetOptions RealWorld::net_options() const {
  NetOptions net;
  net.listen = listen_address();
  if (is_secured()) {
    net.admission = make_admission(options_.links);
    net.key = net.admission->self();
  }
  net.join_timeout = Seconds(options_.join_timeout_s);
  net.loss_timeout = Seconds(options_.loss_timeout_s);
  if (options_.local) {
    net.secret = random_secret();
    setenv(kRunSecret, net.secret.c_str(), 1);  // for the workers, which are started from here
  }
  return net;
}

std::vector<DeviceName> RealWorld::names() const {
  std::vector<DeviceName> names;
  for (const DeviceSpec& device : study_.cluster.devices) names.push_back(device.name);
  return names;
}

void RealWorld::gather(NetCoordinator& coordinator, const NetOptions& net) {
  if (options_.local) {
    start_workers(coordinator.address());
  } else if (net.admission) {
    tell_how_to_join(*net.admission, names(), coordinator.address(), net.join_timeout);
  } else {
    tell_insecure();
    tell("waiting for {} workers at {}\n", names().size(), coordinator.address());
  }
  coordinator.wait_for(names(), [&] {
    if (ending_signal() != 0) throw WorldError("the run was told to end before it began");
    processes_.check();
  });
}

CoordinatorJob RealWorld::coordinator_job() const {
  CoordinatorJob job;
  job.in_flight = study_.workload.in_flight;
  job.log_arrivals = study_.trace.has_value();
  job.deployment.plan = study_.plan;
  job.deployment.segmentation = &study_.segmentation;
  job.deployment.source = study_.source();
  job.deployment.scheduling = study_.workload.scheduling;
  job.deployment.communication = study_.workload.communication;
  job.deployment.threads = threads();
  job.stall_timeout = Seconds(options_.stall_timeout_s);
  job.settle = Seconds(options_.loss_timeout_s) / 2;
  return job;
}

RunResult RealWorld::run(const ClientJob& client) {
  const NetOptions net = net_options();
  NetCoordinator coordinator(net);
  const OrderlyEnd on_signal([&] { coordinator.tell_to_end(); });
  gather(coordinator, net);
  RunJob job{coordinator_job(), client};
  const auto mailbox = coordinator.open_client(kOnlyClient);
  RunResult result;
  watch(job.coordinator, [&] { result = run_job(coordinator.mailbox(), *mailbox, job); });
  for (const std::string& note : result.notes) tell("lingua: {}\n", note);
  for (const DeviceName& name : names()) coordinator.mailbox().send(name, Stop{});
  if (options_.local) collect_memory();
  peak_memory_[kCoordinator] = peak_memory_bytes();
  return result;
}

void RealWorld::serve(const std::function<void(NetCoordinator&)>& begin,
                      const std::function<void(NetCoordinator&)>& end) {
  const NetOptions net = net_options();
  NetCoordinator coordinator(net);
  const OrderlyEnd on_signal([&] { coordinator.tell_to_end(); });
  gather(coordinator, net);
  CoordinatorJob job = coordinator_job();
  job.clients = 0;
  job.keep_log = false;
  job.on_serving = [&] { begin(coordinator); };
  try {
    watch(job, [&] { run_coordinator(coordinator.mailbox(), job); });
  } catch (const Error&) {
    end(coordinator);
    throw;
  }
}

// Local workers are reached over loopback only, and nobody else listens there for them.
bool RealWorld::is_secured() const { return !options_.local && !options_.links.insecure; }

std::string RealWorld::listen_address() const {
  if (options_.listen.empty()) {
    if (options_.local) return "tcp://127.0.0.1:*";
    return is_secured() ? "tcp://*:5555" : "tcp://127.0.0.1:5555";
  }
  if (options_.local && !options_.links.insecure && !listens_on_loopback(options_.listen)) {
    throw UsageError(fmt::format(
        "--listen {}: the workers of --local are reached over loopback; leave one of the two out",
        options_.listen));
  }
  if (!is_secured()) check_insecure_address(options_.listen);
  return options_.listen;
}

nlohmann::json RealWorld::extra() const {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, bytes] : peak_memory_) json["peak_memory_bytes"][name] = bytes;
  return json;
}

void RealWorld::start_workers(const std::string& address) {
  folder_ = std::make_unique<TemporaryFolder>();
  for (const DeviceSpec& device : study_.cluster.devices) {
    LocalProcess worker;
    worker.name = device.name;
    worker.argv = {this_program(),    "worker",
                   "--coordinator",   address,
                   "--name",          device.name,
                   "--listen",        "tcp://127.0.0.1:*",
                   "--insecure",      "--once",
                   "--memory-report", folder_->file(device.name),
                   "--loss-timeout",  fmt::format("{}", options_.loss_timeout_s)};
    processes_.start(worker);
  }
}

void RealWorld::watch(CoordinatorJob& job, const std::function<void()>& work) {
  auto progress = std::make_unique<Progress>("sending weights");
  job.on_weights = [&](double bytes, double total) {
    if (!progress) return;
    progress->update(bytes, total, format_quantity(bytes, Unit::kBytes));
    if (bytes == total) progress.reset();
  };
  try {
    work();
  } catch (const WorldError& error) {
    // The transport saw a connection break; a local process may have left a better reason.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::string failure = processes_.failure();
    if (!failure.empty()) throw WorldError(fmt::format("{}; {}", failure, error.what()));
    throw;
  }
}

int RealWorld::threads() const {
  if (threads_ > 0 || !options_.local) return threads_;
  // Local workers share the cores: with one request in flight only one of them computes at a time.
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int active =
      std::min<int>(study_.workload.in_flight, static_cast<int>(study_.plan.devices().size()));
  return std::max(1, cores / std::max(active, 1));
}

void RealWorld::collect_memory() {
  processes_.wait(Seconds(10));
  for (const DeviceSpec& device : study_.cluster.devices) {
    double bytes = 0;
    if (std::ifstream(folder_->file(device.name)) >> bytes) peak_memory_[device.name] = bytes;
  }
}

}  // namespace lingua
