#include "runtime/cli/recovering.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/balance/recover.h"
#include "runtime/balance/stored_plan.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/units.h"

namespace lingua {
namespace {

const char* kind_name(RecoveryKind kind) {
  return kind == RecoveryKind::kStored ? "stored" : "anew";
}

}  // namespace

std::function<RecoveryPlan(const LossState&)> recovery(const std::string& planner,
                                                       const PlanRequest& request,
                                                       const Deployment& deployment,
                                                       const Balancing& balancing) {
  return [planner, request, deployment, balancer = balancing.balancer](const LossState& loss) {
    LossSnapshot snapshot;
    snapshot.planner = planner;
    snapshot.request = &request;
    snapshot.present = balancer ? balancer->present(loss.now) : *request.cluster;
    snapshot.left = loss;
    snapshot.held = loss.held;
    snapshot.requests = requests_left(loss.requests);
    RecoveryChoice choice = choose_recovery(snapshot);
    if (balancer) balancer->planned(choice.plan, remaining_cluster(snapshot.present, loss));
    RecoveryPlan planned = deployment;
    planned.deployment.plan = std::move(choice.plan);
    planned.chosen = kind_name(choice.kind);
    planned.forecast = {choice.weights_bytes, choice.sending_s, choice.rebuild_s};
    return planned;
  };
}

nlohmann::json recoveries_json(const std::vector<Recovery>& recoveries) {
  nlohmann::json json = nlohmann::json::array();
  for (const Recovery& recovery : recoveries) {
    json.push_back({{"why", recovery.why},
                    {"lost_s", recovery.lost.count()},
                    {"ready_s", recovery.ready.count()},
                    {"weights_bytes", recovery.weights_bytes},
                    {"requests", recovery.requests}});
    nlohmann::json& entry = json.back();
    if (recovery.resumed) entry["resumed_s"] = recovery.resumed->count();
    if (!recovery.chosen.empty()) entry["plan"] = recovery.chosen;
    if (const auto& forecast = recovery.forecast) {
      entry["predicted"] = {{"weights_bytes", forecast->weights_bytes},
                            {"ready_s", forecast->ready_s},
                            {"rebuild_s", forecast->rebuild_s}};
    }
  }
  return json;
}

std::string recoveries_text(const std::vector<Recovery>& recoveries) {
  const auto seconds = [](double s) { return format_quantity(s, Unit::kSeconds); };
  const auto predicted = [&](const Recovery& recovery, double RecoveryForecast::*part) {
    return recovery.forecast ? fmt::format(" (predicted {})", seconds((*recovery.forecast).*part))
                             : "";
  };
  std::string text;
  for (const Recovery& recovery : recoveries) {
    text += fmt::format(
        "after {:.3f} s: {}; {}those left were ready {} later{}, with {} of weights sent, and {} "
        "requests began again with the tokens they had",
        recovery.lost.count(), one_line(recovery.why),
        recovery.chosen == "stored" ? "by a plan within what they stored " : "",
        seconds((recovery.ready - recovery.lost).count()),
        predicted(recovery, &RecoveryForecast::ready_s),
        format_quantity(recovery.weights_bytes, Unit::kBytes), recovery.requests);
    if (recovery.resumed)
      text += fmt::format("; all had the next one {} after that{}",
                          seconds((*recovery.resumed - recovery.ready).count()),
                          predicted(recovery, &RecoveryForecast::rebuild_s));
    text += "\n";
  }
  return text;
}

}  // namespace lingua
