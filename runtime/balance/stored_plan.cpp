#include "runtime/balance/stored_plan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/balance/recover.h"
#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"

namespace lingua {
namespace {

// A plan that runs nothing, of whose devices each stores what it has.
Plan only_stores(const Held& held) {
  Plan plan;
  for (const auto& [device, segments] : held)
    plan.keepers.push_back({device, {segments.begin(), segments.end()}});
  return plan;
}

Held without_lost(Held held, const Membership& left) {
  std::erase_if(held, [&](const auto& item) { return left.lost.contains(item.first); });
  return held;
}

// Each device runs what it has; what none has runs anywhere.
MayRun within(Held held, int segments) {
  std::vector<SegmentId> nobodys;
  for (SegmentId id = 0; id < segments; ++id) {
    if (std::none_of(held.begin(), held.end(),
                     [&](const auto& item) { return item.second.contains(id); }))
      nobodys.push_back(id);
  }
  for (auto& [device, ids] : held) ids.insert(nobodys.begin(), nobodys.end());
  return [held = std::move(held), nobodys = std::set<SegmentId>(nobodys.begin(), nobodys.end())](
             const DeviceName& device, SegmentId first, SegmentId last) {
    const auto place = held.find(device);
    const std::set<SegmentId>& has = place == held.end() ? nobodys : place->second;
    for (SegmentId id = first; id <= last; ++id) {
      if (!has.contains(id)) return false;
    }
    return true;
  };
}

// Of what a device has besides, what fits; first what the fewest others have.
std::vector<SegmentId> kept_besides(const Plan& plan, const DeviceName& device, const Held& held,
                                    const PlanRequest& request) {
  const std::vector<Segment>& segments = request.segmentation->segments;
  RunMemory memory(request.workload);
  for (const Stage& stage : plan.stages) {
    if (stage.device == device) memory.add(stage, *request.segmentation);
  }
  const std::set<SegmentId> run = plan.held_by(device);
  std::vector<SegmentId> others;
  const auto holders = [&](SegmentId id) {
    return std::count_if(held.begin(), held.end(),
                         [&](const auto& item) { return item.second.contains(id); });
  };
  for (const SegmentId id : held.at(device)) {
    if (!run.contains(id)) others.push_back(id);
  }
  std::stable_sort(others.begin(), others.end(),
                   [&](SegmentId a, SegmentId b) { return holders(a) < holders(b); });
  std::vector<SegmentId> kept;
  for (const SegmentId id : others) {
    RunMemory with = memory;
    with.store(segments[static_cast<std::size_t>(id)]);
    if (with.total_bytes() > request.cluster->device(device).memory_bytes) continue;
    memory = std::move(with);
    kept.push_back(id);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

// Lets devices keep what they have, which costs no weight.
void keep_what_fits(const Held& held, const PlanRequest& request, Plan& plan) {
  for (const auto& [device, segments] : held) {
    if (request.cluster->index_of(device) < 0) continue;
    std::vector<SegmentId> kept = kept_besides(plan, device, held, request);
    const auto stage =
        std::find_if(plan.stages.begin(), plan.stages.end(),
                     [&name = device](const Stage& one) { return one.device == name; });
    if (stage != plan.stages.end()) {
      stage->stored_segments = std::move(kept);
    } else if (!kept.empty()) {
      plan.keepers.push_back({device, std::move(kept)});
    }
  }
}

}  // namespace

RecoveryChoice choose_recovery(const LossSnapshot& snapshot) {
  const Held held = without_lost(snapshot.held, snapshot.left);
  const Plan before = only_stores(held);
  PlanRequest request = *snapshot.request;
  request.cluster = &snapshot.present;
  const Forecast forecast(request, snapshot.present, snapshot.requests);
  const auto judged = [&](RecoveryKind kind, Plan plan) {
    RecoveryChoice choice;
    choice.kind = kind;
    choice.plan = std::move(plan);
    keep_what_fits(held, request, choice.plan);
    choice.weights_bytes = forecast.missing_bytes(before, choice.plan);
    choice.sending_s = forecast.sending_after_loss_s(before, choice.plan, snapshot.left.cut);
    choice.rebuild_s = forecast.rebuild_s(choice.plan, forecast.requests());
    choice.rest_s = forecast.rest_s(choice.plan);
    return choice;
  };
  std::optional<RecoveryChoice> stored;
  if (!held.empty()) {
    PlanRequest asked = request;
    asked.may_run = within(held, static_cast<int>(request.segmentation->segments.size()));
    try {
      stored =
          judged(RecoveryKind::kStored, plan_for_remaining(snapshot.planner, asked, snapshot.left));
    } catch (const InfeasibleError&) {  // no order of the devices has it all in their memory
    }
  }
  RecoveryChoice best = judged(RecoveryKind::kAnew,
                               snapshot.anew != nullptr
                                   ? *snapshot.anew
                                   : plan_for_remaining(snapshot.planner, request, snapshot.left));
  if (stored && stored->total_s() <= best.total_s()) best = *std::move(stored);
  return best;
}

}  // namespace lingua
