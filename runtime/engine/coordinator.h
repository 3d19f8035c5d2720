#pragma once
// The coordinator: deploys plans, gives the requests of clients to the header, watches the devices.
//
// It sees control traffic only: activations go from phone to phone, tokens from tailer to header. A role
// without I/O, and the loop that binds it to a mailbox.
// Threads: run_coordinator() runs in the caller's thread. Determinism: as its mailbox's.
// Losses: a device that is lost or fails, and a link between two that is, take what runs with them. With
// `recover` the requests begin again on a plan for what is left, with the tokens that they have; without, the
// run ends. A link that no deployment uses is kept for the next plan and changes nothing.
// Errors: WorldError for a loss that ends the run, for a device that answers nonsense, and when nothing moves
// any more: one line with who, which segments, why, and how far the run had come; and when Stop comes from the
// coordinator itself, which ends it early. A request that is wrong is refused alone, to its client. However it
// ends, every device and every client is told to stop.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/device/mailbox.h"
#include "runtime/engine/answer_checks.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/move.h"
#include "runtime/engine/recovery.h"
#include "runtime/engine/request_table.h"
#include "runtime/engine/requests_that_cross.h"
#include "runtime/engine/stall_watch.h"
#include "runtime/events/event_log.h"
#include "runtime/events/run_meter.h"
#include "runtime/plan/membership.h"

namespace lingua {

// What is kept of the rows of the event log: nothing, what they come to, or the rows too.
enum class Keep { kNothing, kMeasures, kRows };

// A device that came, or came back, in mid-run.
struct JoinRecord {
  DeviceName device;
  Seconds joined{0};
  Epoch after = 0;                        // the newest epoch then
  std::optional<Seconds> first_use = {};  // when a plan that uses it first served
};

// How a run stands, for who shows it.
struct Overview {
  Epoch epoch = 0;  // that takes new requests, or was the last to
  int moves = 0;    // that were made
  int failed_moves = 0;
  int recoveries = 0;
  std::set<DeviceName> lost;
};

struct CoordinatorJob {
  Deployment deployment;
  // Not there when it begins; they may join. REQUIRES: the deployment does not use them.
  std::set<DeviceName> absent = {};
  // So many will come; when the last has gone, the run is over. 0: it goes on until it is told to end.
  int clients = 1;
  int in_flight = 1;
  // For how long a device may give no sign of what it does while nothing else comes: then the run
  // ends. See stall_watch.h; kNever where the world itself sees a standstill.
  Seconds stall_timeout = kNever;
  // How long the loss of a link between two devices waits for that of a device to explain it.
  Seconds settle{1};
  Keep keep = Keep::kRows;
  bool log_arrivals = false;  // rows of when requests came from clients
  // Called as things happen; may be empty.
  std::function<void(double bytes, double total)> on_weights;
  std::function<void()> on_serving;  // the devices are ready
  // Asked when a request has ended and when a device has reported, while no move is under way: another
  // deployment, beside which the present one serves until it is ready. Empty: nothing changes.
  std::function<std::optional<Move>(const RunState&)> rebalance;
  // What a device that joins says of itself, before it is planned with; may be empty. Not checked.
  std::function<void(const DeviceName&, const DeviceSpec&)> on_hello;
  // What a device of the present deployment says of its work; may be empty. Not checked.
  std::function<void(const DeviceName&, const WorkReport&, Seconds now)> on_report;
  // Asked for a deployment on what is left when something of the present one is lost; its epoch is the
  // coordinator's to say. What it throws ends the run. Empty: a loss ends the run.
  std::function<RecoveryPlan(const LossState&)> recover;
  // For how long the run waits for a device to join where what is left cannot go on.
  Seconds wait_for_devices{0};
  // Losses that the run goes on after, waiting, and who has joined; may be empty.
  std::function<void(const std::string& what)> on_change;
  // Where requests and tokens are noted, and from where those of a coordinator that was lost go on with the
  // tokens that they had; one that is not as it was there is refused. None: null.
  Journal* journal = nullptr;
  // Each time something of it has changed; may be empty.
  std::function<void(const Overview&)> on_overview;
};

struct CoordinatorResult {
  EventLog log;  // of all devices, sorted; empty without Keep::kRows
  // Without energy; by the rows that came, as is the digest. Nothing with Keep::kNothing.
  Metrics metrics;
  std::string digest;
  Seconds deployment{0};  // until the devices had their weights
  // What is missing from the log and why, and deployments that came to nothing: the answers were given.
  std::vector<std::string> notes;
  std::vector<Recovery> recoveries;
  std::vector<JoinRecord> joins;
  std::vector<MoveRecord> moves;
  std::map<DeviceName, double> peak_memory_bytes;  // of the devices that know it
};

class Coordinator {
 public:
  // REQUIRES: the job outlives it.
  explicit Coordinator(const CoordinatorJob& job);

  void begin(Seconds now, Effects& effects);
  void take(Message message, Seconds now, Effects& effects);
  // When tick() is to be called at the latest.
  Seconds deadline() const;
  void tick(Seconds now, Effects& effects);
  // Everything has been answered and gathered.
  bool finished() const { return gathering_ && gathered_.size() == workers_.size(); }
  CoordinatorResult result() &&;
  // Tells devices and clients to stop.
  void stop_all(Effects& effects) const;

 private:
  void deploy(Deployment deployment, Effects& effects);
  std::string hold_room_for(const Deployment& next);
  StateRoom room_beside_what_runs() const;
  bool take_of_coming(const Message& message, Seconds now, Effects& effects);
  void note_delivery();
  bool is_late_of_weights(const MessageBody& body) const;
  bool take_from_client(Message& message, Seconds now, Effects& effects);
  void take_from_worker(Message& message, Seconds now, Effects& effects);
  bool is_stale(const Message& message) const;
  void take_answer(Message& message, Seconds now, Effects& effects);
  void become_current(Seconds now, Effects& effects);
  void serve_coming(Seconds now, Effects& effects);
  void give_up_coming(const Message& message, const std::string& why, Seconds now,
                      Effects& effects);
  void retire_unused(Effects& effects);
  void give_back_weights_of(const Deployment& gone);
  bool survives(const Message& message, const std::string& trouble) const;
  void lose(const DeviceName& device, const std::string& why, Seconds now, Effects& effects);
  void begin_again(const std::string& why, Seconds now, Effects& effects);
  void plan_again(Seconds now, Effects& effects);
  void join(const DeviceName& device, Seconds now, Effects& effects);
  void note_first_use(Seconds now);
  bool finish_if_complete(RequestId request, Effects& effects);
  void take_up(RequestId request, Seconds now, Effects& effects);
  void note_end(const RequestTable::Entry& entry, Ending ending, Effects& effects) const;
  void note_held();
  void end_recovery(Seconds now);
  void note_resumed(RequestId request, Seconds now);
  void take_report(const Message& message, Seconds now, Effects& effects);
  RunState run_state(Seconds now) const;
  void consider_move(bool between, Seconds now, Effects& effects);
  std::vector<RunState::Request> requests_left(Seconds now) const;
  Crossing crossing_of(const RequestTable::Entry& entry) const;
  std::int64_t computed_tokens(const RequestTable::Entry& entry) const;
  bool has_token_of_its_epoch(const RequestTable::Entry& entry) const;
  void begin_crossing(Seconds now, Effects& effects);
  void go_on_crossing(Seconds now, Effects& effects);
  void copy_states(RequestId id, RequestThatCrosses& request, Effects& effects);
  void stop(RequestId id, Effects& effects);
  void take_suspended(const Message& message, Seconds now, Effects& effects);
  void go_on_there(RequestId id, Effects& effects);
  void end_crossing(Seconds now, Effects& effects);
  void release(RequestId request, Effects& effects);
  void end_move(const std::string& failed, Seconds now);
  void show() const;
  void note_token(RequestId request, Seconds now, Effects& effects);
  void admit(Seconds now, Effects& effects);
  void end_request(RequestId request, Seconds now, Effects& effects);
  void gather_when_all_is_answered(Seconds now, Effects& effects);
  void take_last_rows(Message& message, Seconds now);
  void end_of_wait(RequestId request, Seconds now);
  void keep(const EventRow& row);
  void take_rows(std::vector<EventRow> rows, const DeviceName& from, Seconds now);
  bool uses(const DeviceName& a, const DeviceName& b) const;
  void note_link(const DeviceName& from, const LinkLost& link, Seconds now);
  std::string trouble_of(const Message& message) const;
  std::string segments_of(const DeviceName& worker) const;
  std::string progress() const;
  void refuse_if(const std::string& wrong, const Message& message) const;
  const Deployment& current() const { return services_.back().deployer->deployment(); }
  // Something is under way, so that a standstill would be one.
  bool expects() const { return coming_ || gathering_ || table_.running() > 0; }

  const CoordinatorJob& job_;
  std::vector<DeviceName> workers_;  // of all deployments, in pipeline order
  StallWatch stall_;
  Service& service_of(Epoch epoch);

  std::unique_ptr<Deployer> coming_;
  std::map<DeviceName, double> coming_bytes_;  // of weights, beside those of the services
  std::set<Epoch> given_up_;  // that never came to serve: what devices still say of them is dropped
  std::vector<Service> services_;  // ascending; the last takes new requests, the others end theirs
  AnswerChecks checks_;
  RequestTable table_;
  Epoch last_epoch_ = 0;
  bool served_ = false;  // at some time
  Membership membership_;
  Held held_;  // what devices had when something was lost last
  std::optional<Recovery> recovering_;
  std::set<RequestId> resuming_;                      // that have no token since a recovery
  std::map<Epoch, std::vector<DeviceName>> leaving_;  // what was lost, and who had a part in it
  Seconds waits_until_ = kNever;                      // for a device to join
  std::string waits_why_;
  std::vector<DeviceName> newcomers_;  // since a move was considered last
  std::optional<MoveRecord> moving_;
  Crossings choices_;                                         // of it
  std::function<CrossingPlan(const RunState&)> choose_anew_;  // when it is ready
  std::optional<RequestsThatCross> crossing_;                 // to the newest
  // With moves: when the last token of a request came, and of those that cross, which move it was.
  std::map<RequestId, Seconds> last_token_;
  std::map<RequestId, std::size_t> crossed_;
  std::set<DeviceName> old_headers_;  // of what was lost: what they had sent still counts
  std::set<RequestId> refused_;       // by devices: what a header had sent of them comes later
  std::set<DeviceName> clients_;      // that are there
  int clients_gone_ = 0;
  // That nothing has explained yet, and what a device said of it.
  std::map<std::pair<DeviceName, DeviceName>, std::string> links_lost_;
  Seconds settled_ = kNever;
  Seconds begun_{0};
  bool gathering_ = false;
  std::set<DeviceName> gathered_;
  std::optional<Seconds> no_room_since_;          // for the states of the next request
  std::map<DeviceName, double> rows_;             // of the event log, by device
  std::map<DeviceName, std::size_t> wrong_rows_;  // that it cannot have written
  RunMeter meter_;
  LogDigest digest_;
  CoordinatorResult result_;
};

// Runs a job from deployment until the last client has gone, and stops the devices.
CoordinatorResult run_coordinator(Mailbox& mailbox, const CoordinatorJob& job);

}  // namespace lingua
