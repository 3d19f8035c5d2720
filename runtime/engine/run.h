#pragma once
// A run with one client: what it was asked and what came of it.

#include <string>
#include <vector>

#include "runtime/engine/client.h"
#include "runtime/engine/coordinator.h"

namespace lingua {

struct RunJob {
  CoordinatorJob coordinator;
  ClientJob client;
};

struct RunResult {
  std::vector<Done> answers;  // in the order in which they were submitted
  std::vector<Refused> refusals;
  EventLog log;  // of all devices, sorted; empty without Keep::kRows
  // Without energy; by the rows that came, as is the digest. Nothing with Keep::kNothing.
  Metrics metrics;
  std::string digest;
  Seconds deployment{0};  // until the devices had their weights
  std::vector<std::string> notes;
  std::vector<Recovery> recoveries;
  std::vector<MoveRecord> moves;
  std::vector<JoinRecord> joins;
  std::map<DeviceName, double> peak_memory_bytes;  // of the devices that know it
};

// The name of the client of a run that has one.
inline const DeviceName kOnlyClient = std::string(kClientPrefix) + "1";

// Errors: WorldError with the first refusal, and how many more there are.
void check_all_answered(const RunResult& result);

RunResult result_of(CoordinatorResult coordinator, ClientResult client);

// Runs the coordinator in the caller's thread and the client in one of its own, each on its mailbox.
// Errors: as run_coordinator(); what a callback of the client throws, once the run is over.
RunResult run_job(Mailbox& coordinator, Mailbox& client, const RunJob& job);

}  // namespace lingua
