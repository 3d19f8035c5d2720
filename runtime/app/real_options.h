#pragma once
// What may be asked of a run for real, and the cluster that this stands for.

#include <memory>
#include <string>

#include "runtime/app/balancing.h"
#include "runtime/app/cache_options.h"
#include "runtime/app/link_options.h"
#include "runtime/net/local_processes.h"
#include "runtime/supply/supply.h"

namespace lingua {

class LiveView;

struct RealOptions {
  bool local = false;
  int workers = 0;
  std::string listen;
  LinkOptions links;
  CacheOptions cache;
  double join_timeout_s = 60;
  double loss_timeout_s = 2;
  double stall_timeout_s = 600;
  int start_with = 0;           // of the cluster's devices, which is enough to begin; 0: all
  bool recovers = true;         // on a loss it goes on with the workers that are left
  double wait_s = 30;           // for a device to join where those that are left cannot go on
  bool trusts_devices = false;  // plans with what they say of themselves when they have joined
  BalanceOptions balance = {};
  bool pace = false;        // local workers take as long as the cluster's phones would
  SupplyTrace supply = {};  // which they do as this says
  // Of workers that were started ahead.
  std::shared_ptr<LocalProcesses> ahead = nullptr;
  // Kept up to date while a run goes on; may be null.
  std::shared_ptr<LiveView> live = nullptr;
  std::string secret = {};
};

// Where workers meet the coordinator, and how long it waits for them.
void visit_meeting(RealOptions& options, SettingVisitor& visitor);
void visit_real(RealOptions& options, SettingVisitor& visitor);

// The cluster file, or equal workers on this machine. Errors: UsageError for what contradicts.
ClusterSpec real_cluster(const RealOptions& options, const std::string& cluster_file);

}  // namespace lingua
