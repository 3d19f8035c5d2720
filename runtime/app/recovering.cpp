#include "runtime/app/recovering.h"

#include <nlohmann/json.hpp>

#include "runtime/balance/recover.h"
#include "runtime/balance/stored_plan.h"

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

}  // namespace lingua
