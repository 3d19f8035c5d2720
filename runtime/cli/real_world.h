#pragma once
// The real world of the command line: workers on this machine or elsewhere, and a coordinator here.
//
// Errors: WorldError when a worker does not come, is lost or fails; no local process is left.

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/cli/link_options.h"
#include "runtime/cli/study.h"
#include "runtime/engine/run.h"
#include "runtime/net/local_processes.h"

namespace CLI {
class App;
}

namespace lingua {

struct RealOptions {
  bool local = false;
  int workers = 0;
  std::string listen;
  LinkOptions links;
  double join_timeout_s = 60;
  double loss_timeout_s = 10;
  double stall_timeout_s = 600;
};

void add_real_options(CLI::App& app, RealOptions& options);

// The cluster file, or equal workers on this machine. Errors: UsageError for what contradicts.
ClusterSpec real_cluster(const RealOptions& options, const std::string& cluster_file);

class RealWorld {
 public:
  // `threads` 0: local workers get their share of the cores. The study outlives it.
  RealWorld(RealOptions options, int threads, const Study& study);

  // Starts or awaits the workers, deploys the study's plan and serves one client.
  RunResult run(const ClientJob& client);

  // "peak_memory_bytes" of each process.
  nlohmann::json extra() const;

 private:
  bool is_secured() const;
  std::string listen_address() const;
  void start_workers(const std::string& address);
  RunResult coordinate(Mailbox& coordinator, Mailbox& client, RunJob job);
  int threads() const;
  void collect_memory();

  RealOptions options_;
  int threads_;
  const Study& study_;
  std::unique_ptr<TemporaryFolder> folder_;
  LocalProcesses processes_;
  std::map<DeviceName, double> peak_memory_;
};

}  // namespace lingua
