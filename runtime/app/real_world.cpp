#include "runtime/app/real_world.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "runtime/app/gathering.h"
#include "runtime/app/kept_model.h"
#include "runtime/app/machine.h"
#include "runtime/app/recovering.h"
#include "runtime/app/results.h"
#include "runtime/app/said_specs.h"
#include "runtime/balance/recover.h"
#include "runtime/base/cores.h"
#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/signals.h"
#include "runtime/base/units.h"
#include "runtime/cache/read_ahead.h"
#include "runtime/net/net_device.h"
#include "runtime/net/wire.h"

namespace lingua {
namespace {

// Of each of the plans that a recovery chooses from: the run stands still meanwhile.
constexpr double kRecoveryPlanning_s = 1;

nlohmann::json delays_json(const Delays& delays) {
  return {{"count", delays.count},
          {"late", delays.late},
          {"modelled_s", delays.modelled.count()},
          {"late_s", delays.late_by.count()},
          {"late_s_most", delays.most.count()}};
}

}  // namespace

void start_workers_ahead(const ClusterSpec& cluster, RealOptions& options) {
  if (!options.local) return;
  options.secret = random_secret();
  setenv(kRunSecret, options.secret.c_str(), 1);  // for the workers, which are started from here
  options.ahead = std::make_shared<LocalProcesses>();
  options.ahead->start_ahead({this_program(), kAwaitsArguments},
                             static_cast<int>(cluster.devices.size()));
}

RealWorld::RealWorld(RealOptions options, const StudyOptions& study_options, Study& study)
    : options_(std::move(options)),
      study_options_(study_options),
      study_(study),
      own_processes_(options_.ahead ? options_.ahead : std::make_shared<LocalProcesses>()),
      processes_(*own_processes_) {
  if (!study_options.output.messages.empty()) {
    messages_ = std::make_unique<MessageTrace>(wire_bytes);
    messages_folder_ = std::make_unique<TemporaryFolder>();
  }
  if (!options_.pace) return;
  pace_folder_ = std::make_unique<TemporaryFolder>();
  make_pace(pace_folder_->path(), study_options.plan.cluster, options_.supply,
            study_.weight_dtype());
  pace_ = std::make_unique<Pace>(pace_folder_->path(), kCoordinator);
}

NetOptions RealWorld::net_options() const {
  NetOptions net = coordinator_net(options_, study_.audience);
  if (pace_) net.slow_network = pace_->network();
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
  } else {
    constexpr Seconds kDay(86400);
    tell_to_join(net, names(), coordinator.address(),
                 options_.start_with > 0 ? std::max(net.join_timeout, kDay) : net.join_timeout,
                 study_.audience);
  }
  if (options_.start_with > 0)
    study_.audience.tell("{} of them are enough to begin\n", options_.start_with);
  const auto alive = [&] {
    if (ending_signal() != 0) throw WorldError("the run was told to end before it began");
    processes_.check();
    if (waits_until_ && std::chrono::steady_clock::now() >= *waits_until_)
      throw WorldError(fmt::format("{}; no device has joined for {:g} s that suffices", waits_why_,
                                   options_.wait_s));
  };
  std::vector<DeviceSpec> said =
      coordinator.wait_for(names(), alive, static_cast<std::size_t>(options_.start_with),
                           [&](const std::vector<DeviceSpec>& there) { return suffice(there); });
  absent_ = missing_beside(said);
  hear(std::move(said));
  if (!absent_.empty()) plan_for_those_there();
}

std::set<DeviceName> RealWorld::missing_beside(const std::vector<DeviceSpec>& said) const {
  const std::vector<DeviceName> all = names();
  std::set<DeviceName> missing(all.begin(), all.end());
  for (const DeviceSpec& device : said) missing.erase(device.name);
  return missing;
}

bool RealWorld::suffice(const std::vector<DeviceSpec>& said) {
  const std::set<DeviceName> missing = missing_beside(said);
  if (missing.empty()) return true;  // whether all do is for the plan to say
  const ClusterSpec cluster =
      options_.trusts_devices ? as_said(study_.cluster, said) : study_.cluster;
  PlanRequest request = plan_request(study_options_, study_);
  request.cluster = &cluster;
  try {
    plan_for_remaining(study_options_.plan.planner, request, {missing, {}});
    return true;
  } catch (const InfeasibleError& error) {
    if (options_.wait_s <= 0) throw;
    waits_why_ = one_line(error.what());
  }
  if (!waits_until_)
    waits_until_ =
        std::chrono::steady_clock::now() +
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(Seconds(options_.wait_s));
  study_.audience.tell("{}; waiting {:g} s for one more to join\n", waits_why_, options_.wait_s);
  return false;
}

void RealWorld::plan_for_those_there() {
  study_.plan = plan_for_remaining(study_options_.plan.planner,
                                   plan_request(study_options_, study_), {absent_, {}});
  const ClusterSpec there = remaining_cluster(study_.cluster, {absent_, {}});
  PlanRequest request = plan_request(study_options_, study_);
  request.cluster = &there;
  request.rules = rules_among(request.rules, there);
  plan_spares(study_options_, request, study_);
  study_.audience.tell("planned without {}, which may join later:\n{}", fmt::join(absent_, ", "),
                       plan_text(study_));
}

// Local workers are all this machine, which is not what is planned for.
void RealWorld::hear(std::vector<DeviceSpec> said) {
  if (options_.local) return;
  said_ = std::move(said);
  if (!study_.cluster_of_file) study_.cluster_of_file = study_.cluster;
  const std::string differences = differences_text(*study_.cluster_of_file, said_);
  if (!options_.trusts_devices) {
    if (!differences.empty())
      study_.audience.tell("{}planned with the file (`trust` devices: with this)\n", differences);
    const std::string relayed = newly_relayed(*study_.cluster_of_file, said_);
    if (relayed.empty()) return;
    study_.cluster = as_reached(*study_.cluster_of_file, said_);
    plan_study(study_options_, study_);
    study_.audience.tell("planned with the way through this machine to {}:\n{}", relayed,
                         plan_text(study_));
    return;
  }
  study_.cluster = as_said(*study_.cluster_of_file, said_);
  plan_study(study_options_, study_);
  study_.audience.tell("{}planned with what the devices say:\n{}", differences, plan_text(study_));
}

void RealWorld::hear_late(DeviceSpec said) {
  const std::string differences = differences_text(*study_.cluster_of_file, {said});
  if (!differences.empty())
    study_.audience.tell("{}planned with {} from now on\n", differences,
                         options_.trusts_devices ? "this" : "the file");
  std::erase_if(said_, [&](const DeviceSpec& other) { return other.name == said.name; });
  said_.push_back(std::move(said));
  study_.cluster = options_.trusts_devices ? as_said(*study_.cluster_of_file, said_)
                                           : as_reached(*study_.cluster_of_file, said_);
}

CoordinatorJob RealWorld::coordinator_job() {
  ahead_ = std::make_unique<ReadAhead>(*study_.source());
  // Whoever gets a weight of another device must be able to check it.
  const bool knows_digests = !options_.local || policy(options_.balance.policy).moves;
  kept_ = kept_model(options_.cache, study_, *ahead_, knows_digests);
  CoordinatorJob job;
  job.in_flight = study_.workload.in_flight;
  job.keep = study_options_.output.needs_rows() ? Keep::kRows : Keep::kMeasures;
  job.log_arrivals = study_.trace.has_value();
  job.deployment.plan = study_.plan;
  job.deployment.segmentation = &study_.segmentation;
  job.deployment.cluster = std::make_shared<const ClusterSpec>(study_.cluster);
  job.deployment.source = kept_ ? kept_.get() : ahead_.get();
  job.deployment.scheduling = study_.workload.scheduling;
  job.deployment.communication = study_.workload.communication;
  job.deployment.computing.threads = threads();
  if (!options_.local) {
    for (const DeviceSpec& device : study_.cluster.devices)
      job.deployment.computing_of[device.name] = computing_of(device);
  }
  job.stall_timeout = Seconds(options_.stall_timeout_s);
  job.settle = Seconds(options_.loss_timeout_s) / 2;
  job.absent = absent_;
  BalanceOptions balance_options = options_.balance;
  balance_options.may_join = !options_.local;
  request_ = plan_request(study_options_, study_);
  balancing_ = balance(balance_options, study_options_.plan.planner, request_,
                       truth_of(study_.cluster, options_.supply), job);
  if (job.rebalance) {
    job.rebalance = [this, decide = job.rebalance](const RunState& state) {
      std::optional<Move> move = decide(state);
      if (move) study_.audience.tell("lingua: {}; moving to another plan\n", move->why);
      return move;
    };
  }
  if (!options_.local) {
    job.on_hello = [this](const DeviceName& name, DeviceSpec said) {
      said.name = name;
      hear_late(std::move(said));
    };
  }
  job.on_change = [this](const std::string& what) { study_.audience.tell("lingua: {}\n", what); };
  keep_live(job);
  if (!options_.recovers) return job;
  if (!options_.local) job.wait_for_devices = Seconds(options_.wait_s);
  PlanRequest asked = request_;
  asked.time_limit_s = std::min(asked.time_limit_s, kRecoveryPlanning_s);
  job.recover = recovery(study_options_.plan.planner, asked, job.deployment, balancing_);
  return job;
}

void RealWorld::keep_live(CoordinatorJob& job) {
  const auto live = options_.live;
  job.on_overview = [this, live](const Overview& overview) {
    lost_ = overview.lost;
    if (live) live->changed(overview);
  };
  if (!live) return;
  live->begin(names());
  if (!job.on_report) return;
  job.on_report = [live, take = job.on_report, balancer = balancing_.balancer](
                      const DeviceName& device, const WorkReport& report, Seconds now) {
    take(device, report, now);
    live->measured(balancer->monitor());
  };
}

RunResult RealWorld::run(const ClientJob& client, Journal* journal) {
  const NetOptions net = net_options();
  NetCoordinator coordinator(net);
  if (pace_) pace_->begin(coordinator.mailbox().now());
  const OrderlyEnd on_signal([&] { coordinator.tell_to_end(); });
  gather(coordinator, net);
  RunJob job{coordinator_job(), client};
  job.coordinator.journal = journal;
  const auto mailbox = open_client(coordinator, kOnlyClient);
  RunResult result;
  try {
    watch(job.coordinator,
          [&] { result = run_job(coordinator_mailbox(coordinator), *mailbox, job); });
  } catch (const Error&) {
    write_messages_of_failure();
    throw;
  }
  for (const std::string& note : result.notes) study_.audience.tell("lingua: {}\n", note);
  for (const std::string& note : balancing_.unused()) study_.audience.tell("lingua: {}\n", note);
  for (const DeviceName& name : names()) coordinator_mailbox(coordinator).send(name, Stop{});
  if (options_.local) collect_reports();
  relayed_ = coordinator.relayed();
  tell_relayed();
  peak_memory_ = result.peak_memory_bytes;
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
  job.keep = Keep::kNothing;
  job.on_serving = [&] { begin(coordinator); };
  try {
    watch(job, [&] { run_coordinator(coordinator_mailbox(coordinator), job); });
  } catch (const Error&) {
    if (options_.live) options_.live->end();
    end(coordinator);
    write_messages_of_failure();
    throw;
  }
}

std::unique_ptr<Mailbox> RealWorld::open_client(NetCoordinator& coordinator,
                                                const DeviceName& name) {
  auto mailbox = coordinator.open_client(name);
  if (!messages_) return mailbox;
  return std::make_unique<TracedMailbox>(std::move(mailbox), *messages_);
}

Mailbox& RealWorld::coordinator_mailbox(NetCoordinator& coordinator) {
  if (!messages_) return coordinator.mailbox();
  if (!traced_) traced_ = std::make_unique<TracedMailbox>(coordinator.mailbox(), *messages_);
  return *traced_;
}

void RealWorld::write_messages() {
  if (!messages_) return;
  std::istringstream own(messages_->text());
  std::vector<std::istream*> texts = {&own};
  std::deque<std::ifstream> workers;
  for (const DeviceName& name : names())
    texts.push_back(&workers.emplace_back(messages_folder_->file(name)));
  const OutputOptions& output = study_options_.output;
  write_file_atomically(output.messages,
                        [&](std::ostream& out) { merge_message_traces(texts, out); });
  if (!output.json) study_.audience.tell("messages: {}\n", output.messages);
}

// Workers have been told to stop; those that do not are not waited for.
void RealWorld::write_messages_of_failure() {
  if (!messages_) return;
  processes_.wait(Seconds(2));
  try {
    write_messages();
  } catch (const Error& error) {
    study_.audience.tell("lingua: {}\n", error.what());
  }
}

void RealWorld::tell_relayed() const {
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(relayed_.size(), kMost); ++i) {
    const RelayedLink& link = relayed_[i];
    text += fmt::format("{} {} to {} ({} messages, {})", text.empty() ? "" : ",", link.from,
                        link.to, link.messages, format_quantity(link.bytes, Unit::kBytes));
  }
  if (text.empty()) return;
  study_.audience.tell("lingua: through this machine came{}{}\n", text,
                       relayed_.size() > kMost ? ", ..." : "");
}

nlohmann::json RealWorld::extra() const {
  nlohmann::json json = nlohmann::json::object();
  if (!said_.empty()) json["devices_say"] = said_json(said_);
  for (const RelayedLink& link : relayed_) {
    json["through_coordinator"].push_back(
        {{"from", link.from}, {"to", link.to}, {"messages", link.messages}, {"bytes", link.bytes}});
  }
  if (!options_.supply.source.empty()) json["supply"] = options_.supply.source;
  for (const auto& [name, bytes] : peak_memory_) json["peak_memory_bytes"][name] = bytes;
  for (const auto& [name, report] : pace_reports_) {
    json["pace"][name] = {{"work", delays_json(report.work)},
                          {"messages", delays_json(report.messages)}};
  }
  return json;
}

void RealWorld::start_workers(const std::string& address) {
  for (const DeviceSpec& device : study_.cluster.devices) {
    LocalProcess worker = local_worker(device.name, address, options_.loss_timeout_s);
    if (pace_) {
      worker.argv.insert(worker.argv.end(), {"--pace", pace_folder_->path().string(), "--memory",
                                             fmt::format("{:.0f} B", device.memory_bytes)});
    }
    if (messages_) {
      worker.argv.insert(worker.argv.end(),
                         {"--trace-messages", messages_folder_->file(device.name)});
    }
    processes_.start(worker);
  }
}

void RealWorld::watch(CoordinatorJob& job, const std::function<void()>& work) {
  ProgressUpdate progress = study_.audience.begin("sending weights");
  job.on_weights = [&](double bytes, double total) {
    if (!progress) return;
    progress(bytes, total, format_quantity(bytes, Unit::kBytes));
    if (bytes == total) progress = nullptr;
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

// A device of its own is as its cluster file has it, but for the number of threads that the run says.
Computing RealWorld::computing_of(const DeviceSpec& device) const {
  Computing computing = device.computing;
  if (study_options_.threads > 0) computing.threads = study_options_.threads;
  return computing;
}

int RealWorld::threads() const {
  const int threads = study_options_.threads;
  if (threads > 0 || !options_.local) return threads;
  // Local workers share the cores: with one request in flight only one of them computes at a time.
  const int cores = static_cast<int>(allowed_cores().size());
  const std::size_t computing = study_.plan.devices().size() - study_.plan.keepers.size();
  const int active = std::min<int>(study_.workload.in_flight, static_cast<int>(computing));
  return std::max(1, cores / std::max(active, 1));
}

void RealWorld::collect_reports() {
  for (const DeviceName& name : lost_) processes_.kill(name);  // one that hangs would not end
  processes_.wait(Seconds(10));
  if (!pace_) return;
  for (const DeviceName& name : names())
    pace_reports_[name] = read_pace_report(pace_folder_->path(), name);
  pace_reports_[kCoordinator].messages = pace_->messages();
  tell_pace();
}

void RealWorld::tell_pace() const {
  constexpr double kMuch = 0.05;  // of the modelled time
  PaceReport all;
  for (const auto& [name, report] : pace_reports_) {
    all.work.add(report.work);
    all.messages.add(report.messages);
  }
  const auto time = [](Seconds seconds) {
    return format_quantity(seconds.count(), Unit::kSeconds);
  };
  const bool is_behind = all.work.late_by > kMuch * all.work.modelled;
  study_.audience.tell(
      "pace: {} of {} runs of segments took longer than on the phones, by {} of {} in all, {} at "
      "most; {} of {} messages came late, by {} in all, {} at most{}\n",
      all.work.late, all.work.count, time(all.work.late_by), time(all.work.modelled),
      time(all.work.most), all.messages.late, all.messages.count, time(all.messages.late_by),
      time(all.messages.most),
      is_behind ? ": this machine is too slow for these phones, and the times are its own" : "");
}

}  // namespace lingua
