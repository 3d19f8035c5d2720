#include "runtime/app/balancing.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/units.h"

namespace lingua {
namespace {

constexpr std::size_t kMostNotes = 10;
// Pieces of weights that are under way to a device while it computes: what else is sent waits little for them.
constexpr int kBackgroundWindow = 8;
constexpr Seconds kBackgroundDelay{0.25};
constexpr double kLeastRate = 1000;  // bytes/s: less moves no model within a day

double move_rate(const std::string& text) {
  if (text == "none") return 0;
  try {
    const double bytes_per_s = parse_quantity(text, Unit::kBytesPerSecond);
    if (bytes_per_s >= kLeastRate) return bytes_per_s;
  } catch (const InputError& error) {
    throw UsageError(fmt::format("`move-bandwidth`: {}, or none", error.what()));
  }
  throw UsageError(fmt::format("`move-bandwidth`: '{}' is too little; write at least {}, or none",
                               text, format_quantity(kLeastRate, Unit::kBytesPerSecond)));
}

}  // namespace

void visit_balance(BalanceOptions& options, SettingVisitor& visitor) {
  std::string names;
  for (const PolicyEntry& entry : policies())
    names += fmt::format("{}{} ({})", names.empty() ? "" : "; ", entry.name, entry.summary);
  visitor.take(Setting(
                   "balance",
                   [&options](const std::string& text) { options.policy = policy(text).name; },
                   "when the plan changes as devices become slower or faster: " + names)
                   .by_default("none")
                   .called("POLICY"));
  visitor.take(Setting("report-every", &options.report_every_s,
                       "with `balance`: seconds between two reports of a device, at least")
                   .in(0.001, 3600.0));
  visitor.take(
      Setting(
          "move-bandwidth",
          [&options](const std::string& text) { options.move_bytes_per_s = move_rate(text); },
          "what the coordinator and each device send at most of weights, on average, while a new "
          "plan is prepared beside the running one: a rate as \"4 Mbit/s\", or none (as fast as "
          "links carry them)")
          .by_default("none")
          .called("RATE"));
}

void visit_wait(double& seconds, SettingVisitor& visitor) {
  visitor.take(
      Setting("wait-for-devices", &seconds,
              "for how many seconds a run waits for a device to join when those that are left "
              "cannot hold the model; 0: it ends at once")
          .in(0.0, 1e6));
}

std::vector<RequestLeft> requests_left(const std::vector<RunState::Request>& requests) {
  std::vector<RequestLeft> left;
  for (const RunState::Request& request : requests)
    left.push_back({request.prompt_tokens, request.made, request.max_tokens, request.runs,
                    request.id, request.since.count()});
  return left;
}

Balancing balance(const BalanceOptions& options, const std::string& planner,
                  const PlanRequest& request, Truth truth, CoordinatorJob& job) {
  const PolicyEntry& entry = policy(options.policy);
  if (!entry.moves && !options.may_join) return {};
  const auto balancer = std::make_shared<Balancer>(entry, planner, request, std::move(truth));
  balancer->bound_moves(options.move_bytes_per_s);
  job.deployment.move_bytes_per_s = options.move_bytes_per_s;
  const auto notes = std::make_shared<std::vector<std::string>>();
  for (const DeviceName& device : job.absent) balancer->was_absent(device);
  if (entry.moves) {
    job.deployment.measured_against = request.cluster;
    job.deployment.report_every = Seconds(options.report_every_s);
  }
  job.on_report = [=](const DeviceName& device, const WorkReport& report, Seconds now) {
    const std::string wrong = balancer->heard(device, report, now);
    if (wrong.empty() || notes->size() == kMostNotes) return;
    notes->push_back(fmt::format("after {:.3f} s a report of {} was not used: {}", now.count(),
                                 device, one_line(wrong)));
  };
  job.rebalance = [=](const RunState& state) -> std::optional<Move> {
    for (const DeviceName& device : state.joined) balancer->was_absent(device);
    std::optional<Decision> decision = balancer->consider(
        state.deployment->plan, *state.membership, [&] { return requests_left(state.requests()); },
        state.between, state.now);
    if (!decision) return std::nullopt;
    Move move;
    move.deployment = *state.deployment;
    move.deployment.plan = std::move(decision->plan);
    move.deployment.window = kBackgroundWindow;
    move.deployment.most_under_way = kBackgroundDelay;
    move.deployment.cluster = std::make_shared<const ClusterSpec>(balancer->decided_with());
    move.crossings = std::move(decision->crossings);
    move.forecast = {decision->gain_s, decision->weights_bytes, decision->prepare_s,
                     decision->copy_s, decision->pause_s};
    move.why = decision->why;
    if (!decision->crosses) return move;
    move.cross = [balancer, running = state.deployment->plan,
                  next = move.deployment.plan](const RunState& then) {
      CrossingChoice choice = balancer->crossing(running, next, *then.membership,
                                                 requests_left(then.requests()), then.now);
      return CrossingPlan{std::move(choice.crossings), choice.copy_s, choice.pause_s};
    };
    return move;
  };
  return {balancer, notes};
}

Truth truth_of(const ClusterSpec& cluster, const SupplyTrace& supply) {
  if (supply.devices().empty()) return {};
  return {[cluster, supply](Seconds now) { return cluster_at(cluster, supply, now); },
          change_times(supply)};
}

nlohmann::json moves_json(const std::vector<MoveRecord>& moves) {
  nlohmann::json json = nlohmann::json::array();
  for (const MoveRecord& move : moves) {
    nlohmann::json entry = {{"why", move.why},
                            {"plan", move.plan},
                            {"requests", move.requests()},
                            {"states",
                             {{"rebuilt", move.rebuilt},
                              {"moved", move.moved},
                              {"kept_twice", move.kept_twice},
                              {"ended", move.ended}}},
                            {"states_bytes", move.states_bytes},
                            {"decided_s", move.decided.count()},
                            {"ready_s", move.ready.count()},
                            {"switched_s", move.switched.count()},
                            {"weights_bytes", move.weights_bytes},
                            {"weights_from", move.weights_from},
                            {"pause_s", move.pause_s},
                            {"predicted",
                             {{"gain_s", move.forecast.gain_s},
                              {"weights_bytes", move.forecast.weights_bytes},
                              {"prepare_s", move.forecast.prepare_s},
                              {"copy_s", move.forecast.copy_s},
                              {"pause_s", move.forecast.pause_s}}}};
    if (!move.failed.empty()) entry["failed"] = move.failed;
    json.push_back(std::move(entry));
  }
  return json;
}

nlohmann::json joins_json(const std::vector<JoinRecord>& joins) {
  nlohmann::json json = nlohmann::json::array();
  for (const JoinRecord& join : joins) {
    json.push_back({{"device", join.device}, {"joined_s", join.joined.count()}});
    json.back()["first_use_s"] =
        join.first_use ? nlohmann::json(join.first_use->count()) : nlohmann::json();
  }
  return json;
}

}  // namespace lingua
