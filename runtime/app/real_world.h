#pragma once
// The real world: workers on this machine or elsewhere, and a coordinator here.
//
// Errors: WorldError when a worker does not come, is lost or fails; no local process is left.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/app/live_view.h"
#include "runtime/app/real_options.h"
#include "runtime/app/study.h"
#include "runtime/base/files.h"
#include "runtime/engine/run.h"
#include "runtime/events/message_trace.h"
#include "runtime/net/net_device.h"
#include "runtime/pace/pace.h"

namespace lingua {

// Starts the processes of local workers, which load LibTorch while the model is read; the RealWorld of these
// options, which must be one, has them be its workers. Nothing where workers are not local.
void start_workers_ahead(const ClusterSpec& cluster, RealOptions& options);

class RealWorld {
 public:
  // Without threads that are asked for local workers get their share of the cores. The study outlives it, and the one that
  // it was made from.
  RealWorld(RealOptions options, const StudyOptions& study_options, Study& study);

  // Starts or awaits the workers, deploys the study's plan and serves one client; with a journal, which may be
  // null, it goes on where that ends.
  RunResult run(const ClientJob& client, Journal* journal = nullptr);

  // The same for whoever comes, until a signal or a loss ends it (WorldError). Both calls are on the
  // caller's thread: when clients may be opened, and before they must be gone.
  void serve(const std::function<void(NetCoordinator&)>& begin,
             const std::function<void(NetCoordinator&)>& end);

  // The mailbox of a client, whose messages are noted where that is asked for.
  std::unique_ptr<Mailbox> open_client(NetCoordinator& coordinator, const DeviceName& name);

  // Writes the messages, where that was asked for, of what has come to an end: all that went through this
  // process and through local workers. A run that fails writes it by itself.
  void write_messages();

  // "peak_memory_bytes" of each process that tells; "pace" of a paced run: how far each was behind the model;
  // "through_coordinator": what came through this process from one device to another.
  nlohmann::json extra() const;

 private:
  NetOptions net_options() const;
  void gather(NetCoordinator& coordinator, const NetOptions& net);
  void hear(std::vector<DeviceSpec> said);
  // One that joins while the run goes on.
  void hear_late(DeviceSpec said);
  std::set<DeviceName> missing_beside(const std::vector<DeviceSpec>& said) const;
  // Those that are there can hold the model; else it says why not, and until when another is waited for.
  bool suffice(const std::vector<DeviceSpec>& said);
  void plan_for_those_there();
  std::vector<DeviceName> names() const;
  CoordinatorJob coordinator_job();
  void keep_live(CoordinatorJob& job);
  void start_workers(const std::string& address);
  // Does it, with progress; of what goes wrong, the better reason.
  void watch(CoordinatorJob& job, const std::function<void()>& work);
  int threads() const;
  Computing computing_of(const DeviceSpec& device) const;
  void write_messages_of_failure();
  Mailbox& coordinator_mailbox(NetCoordinator& coordinator);
  void collect_reports();
  void tell_pace() const;
  void tell_relayed() const;

  RealOptions options_;
  const StudyOptions& study_options_;
  Study& study_;
  PlanRequest request_;  // of the run, for the balancer
  Balancing balancing_;
  std::unique_ptr<ModelSource> ahead_;  // the study's
  std::unique_ptr<ModelSource> kept_;   // where it is kept
  std::unique_ptr<TemporaryFolder> pace_folder_;
  std::unique_ptr<TemporaryFolder> messages_folder_;  // of the local workers'
  std::unique_ptr<Pace> pace_;                        // the coordinator's
  std::map<DeviceName, PaceReport> pace_reports_;
  std::shared_ptr<LocalProcesses> own_processes_;
  LocalProcesses& processes_;
  std::map<DeviceName, double> peak_memory_;
  std::vector<RelayedLink> relayed_;
  std::vector<DeviceSpec> said_;
  std::set<DeviceName> absent_;  // when the run begins
  std::set<DeviceName> lost_;    // at present
  std::optional<std::chrono::steady_clock::time_point>
      waits_until_;  // before it, as they do not suffice
  std::string waits_why_;
  std::unique_ptr<MessageTrace> messages_;  // of this process; none unless asked for
  std::unique_ptr<Mailbox> traced_;
};

}  // namespace lingua
