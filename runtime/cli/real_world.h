#pragma once
// The real world of the command line: workers on this machine or elsewhere, and a coordinator here.
//
// Errors: WorldError when a worker does not come, is lost or fails; no local process is left.

#include <functional>
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

  // The same for whoever comes, until a signal or a loss ends it (WorldError). Both calls are on the
  // caller's thread: when clients may be opened, and before they must be gone.
  void serve(const std::function<void(NetCoordinator&)>& begin,
             const std::function<void(NetCoordinator&)>& end);

  // "peak_memory_bytes" of each process.
  nlohmann::json extra() const;

 private:
  NetOptions net_options() const;
  void gather(NetCoordinator& coordinator, const NetOptions& net);
  std::vector<DeviceName> names() const;
  CoordinatorJob coordinator_job() const;
  bool is_secured() const;
  std::string listen_address() const;
  void start_workers(const std::string& address);
  // Does it, with progress; of what goes wrong, the better reason.
  void watch(CoordinatorJob& job, const std::function<void()>& work);
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
