#include "runtime/app/real_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/app/machine.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
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

bool parse_trust(const std::string& text) {
  if (text == "file" || text == "devices") return text == "devices";
  throw UsageError(
      fmt::format("`trust` '{}' is not known; write file (plan with the cluster file) or "
                  "devices (with "
                  "what they say of themselves when they join)",
                  one_line(text)));
}

bool parse_on_loss(const std::string& text) {
  if (text == "recover" || text == "end") return text == "recover";
  throw UsageError(
      fmt::format("`on-loss` '{}' is not known; write recover (plan anew for the workers that are "
                  "left, where requests go on with the tokens they have) or end",
                  one_line(text)));
}

// What happens when something goes wrong.
void visit_troubles(RealOptions& options, SettingVisitor& visitor) {
  visit_loss(options.loss_timeout_s, visitor);
  visitor.take(
      Setting(
          "on-loss",
          [&options](const std::string& text) { options.recovers = parse_on_loss(text); },
          "what a lost worker or link between two does to the run: recover (it goes on with "
          "the workers "
          "that are left, and gives the same tokens) or end")
          .by_default("recover")
          .called("WHAT"));
  visit_wait(options.wait_s, visitor);
}

}  // namespace

void visit_meeting(RealOptions& options, SettingVisitor& visitor) {
  visitor.take(Setting("listen", &options.listen,
                       "address that workers join: tcp://INTERFACE:PORT (default: tcp://*:5555; "
                       "loopback with `local` and with `insecure`)")
                   .checked(listen_address_problem, ""));
  visitor.take(Setting("join-timeout", &options.join_timeout_s, "seconds to wait for the workers")
                   .time_limit());
}

void visit_real(RealOptions& options, SettingVisitor& visitor) {
  visitor.take(
      {"local", &options.local, "start the workers as processes on this machine, and stop them"});
  visitor.take(Setting("workers", &options.workers,
                       "how many: the cluster's first N devices, or N equal ones")
                   .in(1, 1000)
                   .default_untold());
  visit_meeting(options, visitor);
  visitor.take(
      Setting("start-with", &options.start_with,
              "how many of the workers are enough to begin (default: all); the others may come "
              "while it runs, and are used where that pays")
          .in(1, 1000)
          .default_untold());
  visitor.take(
      Setting(
          "trust",
          [&options](const std::string& text) { options.trusts_devices = parse_trust(text); },
          "whose numbers plans are made with where a device says something else than the "
          "cluster "
          "file: file or devices")
          .by_default("file")
          .called("WHOM"));
  visit_links(options.links, visitor);
  visit_cache(options.cache,
              "what is read of a model is kept for the next run: weights in int8, digests",
              visitor);
  visit_troubles(options, visitor);
  visit_balance(options.balance, visitor);
  visitor.take(
      Setting("stall-timeout", &options.stall_timeout_s,
              "seconds after which a worker that neither answers nor says what it does ends the "
              "run, while nothing comes from any")
          .time_limit());
  visitor.take(
      {"pace", &options.pace,
       "local workers take as long as the phones of `cluster` would, for computing, messages and "
       "weights, and have their memory: a simulation with real processes"});
}

ClusterSpec real_cluster(const RealOptions& options, const std::string& cluster_file) {
  if (options.trusts_devices && options.local) {
    throw UsageError(
        "`trust` devices: the workers of `local` are all this machine; leave one of the two out");
  }
  if (options.start_with > 0 && options.local) {
    throw UsageError(
        "`start-with`: the workers of `local` are started together; leave one of the two out");
  }
  if (options.pace && !options.local)
    throw UsageError(
        "`pace`: workers elsewhere take the time that they take; write it with `local`");
  if (cluster_file.empty()) {
    if (options.pace)
      throw UsageError("`pace`: there is no `cluster`, which says how long its phones would take");
    if (!options.local)
      throw UsageError("`cluster` is required without `local`: it names the workers to wait for");
    return local_cluster(std::max(options.workers, 1));
  }
  ClusterSpec cluster = load_cluster(cluster_file);
  const auto available = static_cast<int>(cluster.devices.size());
  if (options.workers > available) {
    throw UsageError(fmt::format("`workers` {}: {} has only {} devices", options.workers,
                                 cluster_file, available));
  }
  if (options.workers > 0) cluster.devices.resize(static_cast<std::size_t>(options.workers));
  if (options.start_with > static_cast<int>(cluster.devices.size())) {
    throw UsageError(fmt::format("`start-with` {}: the run has only {} devices", options.start_with,
                                 cluster.devices.size()));
  }
  if (!cluster.header.empty() && cluster.index_of(cluster.header) < 0) {
    throw UsageError(fmt::format("`workers` {} leaves out {}, the header of {}", options.workers,
                                 cluster.header, cluster_file));
  }
  return cluster;
}

}  // namespace lingua
