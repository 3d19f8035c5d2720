#include "runtime/balance/spares.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "runtime/balance/recover.h"
#include "runtime/balance/stored_plan.h"
#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"

namespace lingua {
namespace {

using Clock = std::chrono::steady_clock;
using Costs = std::vector<double>;  // by loss

constexpr double kSameCost = 1e-9;          // relative; costs that close are the same
constexpr std::size_t kMostLosses = 40;     // that are looked at
constexpr std::size_t kParts = 4;           // of what a device runs, to leave to be sent
constexpr std::size_t kMostExchanged = 60;  // choices of a device and a segment, for exchanges
constexpr std::size_t kMostOrdered = 4;     // losses that are tried in all orders
constexpr double kNever_s = std::numeric_limits<double>::infinity();

// A loss, and what does not depend on what is stored.
struct Loss {
  Membership left;  // who is lost
  std::optional<Plan> anew;
};

class SpareSearch {
 public:
  SpareSearch(const std::string& planner, const Plan& plan, const PlanRequest& request,
              const SpareOptions& options)
      : planner_(planner),
        plan_(plan),
        request_(request),
        options_(options),
        segments_(static_cast<int>(request.segmentation->segments.size())),
        runs_(held_by(plan)),
        deadline_(Clock::now() +
                  std::chrono::duration_cast<Clock::duration>(Seconds(request.time_limit_s))) {
    for (const DeviceSpec& device : request.cluster->devices) {
      const auto& excluded = request.rules.excluded;
      if (std::find(excluded.begin(), excluded.end(), device.name) != excluded.end()) continue;
      devices_.push_back(device.name);
      RunMemory memory(request.workload);
      for (const Stage& stage : plan.stages) {
        if (stage.device == device.name) memory.add(stage, *request.segmentation);
      }
      for (const SegmentId id : runs_[device.name]) memory.store(segment(id));
      memory_.emplace(device.name, memory);
    }
    fill_requests();
    fill_losses();
  }

  SparesPlan run() {
    SparesPlan spares;
    spares.copies = options_.copies;
    std::optional<Held> best = small() ? try_all() : ideal();
    spares.best = best.has_value();
    if (!best) best = best_order(costs({}));
    Held filled = *best;
    fill(filled);
    if (!better(costs(*best), costs(filled))) best = std::move(filled);
    spares.stored = *best;
    for (const auto& [device, ids] : *best)
      spares.stored_bytes +=
          with(device, ids)->weights_bytes() - memory_.at(device).weights_bytes();
    for (const Loss& loss : losses_) {
      if (loss.left.lost.size() == 1) {
        spares.without.push_back(outcome(loss, {}));
        spares.with.push_back(outcome(loss, *best));
      } else {
        spares.several.push_back(outcome(loss, *best));
      }
    }
    for (SegmentId id = 0; id < segments_; ++id) {
      if (copies_of(id, *best) < options_.copies) spares.lacking.push_back(id);
    }
    return spares;
  }

 private:
  const Segment& segment(SegmentId id) const {
    return request_.segmentation->segments[static_cast<std::size_t>(id)];
  }

  // Half of the run is over.
  void fill_requests() {
    const Workload& workload = request_.workload;
    const int all = std::max(1, workload.total_requests());
    const int running = std::min(all, workload.in_flight);
    for (int r = 0; r < running; ++r)
      requests_.push_back(
          {workload.prompt_tokens, workload.max_tokens / 2, workload.max_tokens, true});
    for (int r = 0; r < (all - running) / 2; ++r)
      requests_.push_back({workload.prompt_tokens, 0, workload.max_tokens, false});
  }

  // The losses of one device, of two, and so on, in the order of the pipeline and then of the cluster.
  void fill_losses() {
    std::vector<DeviceName> order;
    for (const DeviceName& device : plan_.devices()) {
      if (plan_.runs_on(device)) order.push_back(device);
    }
    const std::size_t running = order.size();
    for (const DeviceName& device : devices_) {
      if (!plan_.runs_on(device)) order.push_back(device);
    }
    std::vector<std::vector<std::size_t>> sets = {{}};
    for (int size = 1; size <= options_.copies; ++size) {
      std::vector<std::vector<std::size_t>> larger;
      for (const auto& set : sets) {
        for (std::size_t d = set.empty() ? 0 : set.back() + 1; d < order.size(); ++d) {
          larger.push_back(set);
          larger.back().push_back(d);
        }
      }
      sets = std::move(larger);
      if (size > 1 && losses_.size() + sets.size() > kMostLosses) return;
      for (const auto& set : sets) {
        if (set.front() < running) add_loss(set, order);
      }
    }
  }

  void add_loss(const std::vector<std::size_t>& set, const std::vector<DeviceName>& order) {
    Loss loss;
    for (const std::size_t d : set) loss.left.lost.insert(order[d]);
    try {
      loss.anew = plan_for_remaining(planner_, limited(request_), loss.left);
    } catch (const InfeasibleError&) {  // nothing helps
    }
    losses_.push_back(std::move(loss));
  }

  bool out_of_time() const { return Clock::now() > deadline_; }
  PlanRequest limited(PlanRequest request) const {
    const double left_s = Seconds(deadline_ - Clock::now()).count();
    request.time_limit_s = std::max(0.1, left_s);
    return request;
  }

  // The memory of a device with these segments stored besides; nothing where that does not fit.
  std::optional<RunMemory> with(const DeviceName& device, const std::set<SegmentId>& ids) const {
    RunMemory memory = memory_.at(device);
    for (const SegmentId id : ids) memory.store(segment(id));
    if (memory.total_bytes() > request_.cluster->device(device).memory_bytes) return std::nullopt;
    return memory;
  }

  Held held_with(const Held& stored) const {
    Held held = runs_;
    for (const auto& [device, ids] : stored) held[device].insert(ids.begin(), ids.end());
    return held;
  }

  RecoveryChoice recovery(const Loss& loss, const Held& stored) const {
    LossSnapshot snapshot;
    snapshot.planner = planner_;
    const PlanRequest request = limited(request_);
    snapshot.request = &request;
    snapshot.present = *request_.cluster;
    snapshot.left = loss.left;
    snapshot.held = held_with(stored);
    snapshot.requests = requests_;
    snapshot.anew = &*loss.anew;
    return choose_recovery(snapshot);
  }

  double cost(const Loss& loss, const Held& stored) const {
    return loss.anew ? recovery(loss, stored).total_s() : kNever_s;
  }

  Costs costs(const Held& stored) const {
    Costs all;
    for (const Loss& loss : losses_) all.push_back(cost(loss, stored));
    return all;
  }

  LossOutcome outcome(const Loss& loss, const Held& stored) const {
    LossOutcome outcome;
    outcome.lost.assign(loss.left.lost.begin(), loss.left.lost.end());
    if (!loss.anew) return outcome;
    const RecoveryChoice choice = recovery(loss, stored);
    outcome.survives = true;
    outcome.weights_bytes = choice.weights_bytes;
    outcome.ready_s = choice.sending_s;
    outcome.total_s = choice.total_s();
    outcome.tokens_per_s = choice.plan.estimate.tokens_per_s;
    return outcome;
  }

  // Losses of fewer devices count first, among these the worst.
  bool better(const Costs& a, const Costs& b) const {
    std::size_t begin = 0;
    while (begin < losses_.size()) {
      std::size_t end = begin;
      while (end < losses_.size() &&
             losses_[end].left.lost.size() == losses_[begin].left.lost.size())
        ++end;
      Costs worst_a(a.begin() + begin, a.begin() + end);
      Costs worst_b(b.begin() + begin, b.begin() + end);
      std::sort(worst_a.rbegin(), worst_a.rend());
      std::sort(worst_b.rbegin(), worst_b.rend());
      for (std::size_t i = 0; i < worst_a.size(); ++i) {
        if (worst_a[i] < worst_b[i] * (1 - kSameCost)) return true;
        if (worst_b[i] < worst_a[i] * (1 - kSameCost)) return false;
      }
      begin = end;
    }
    return false;
  }

  // Lets devices store what they would run, but for what is to be sent; false, and nothing is changed, where that does not fit.
  bool store_runs(const Plan& target, const std::set<SegmentId>& sent, Held& stored) const {
    Held more = stored;
    for (const Stage& stage : target.stages) {
      for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id) {
        if (!runs(stage.device, id) && !sent.contains(id)) more[stage.device].insert(id);
      }
    }
    for (const auto& [device, ids] : more) {
      if (!with(device, ids)) return false;
    }
    stored = std::move(more);
    return true;
  }
  bool runs(const DeviceName& device, SegmentId id) const {
    const auto place = runs_.find(device);
    return place != runs_.end() && place->second.contains(id);
  }

  // What lets every loss have the plan that is the best anew.
  std::optional<Held> ideal() const {
    Held stored;
    for (const Loss& loss : losses_) {
      if (loss.anew && !store_runs(*loss.anew, {}, stored)) return std::nullopt;
    }
    return stored;
  }

  // Lets a loss have the best plan that has room beside what is stored. Where none has: the one for which a part of
  // what is lost, the smaller the better, is left to be sent; or, `partly`, what has room of the best plan anew.
  void place(const Loss& loss, bool partly, Held& stored) const {
    if (!loss.anew || store_runs(*loss.anew, {}, stored)) return;
    if (partly) {
      store_part(*loss.anew, stored);
      return;
    }
    std::vector<SegmentId> lost;
    for (const DeviceName& device : loss.left.lost) {
      for (SegmentId id = 0; id < segments_; ++id) {
        if (plan_.runs_on(device) && plan_.device_of(id) == device) lost.push_back(id);
      }
    }
    if (place_but({}, loss, stored)) return;
    std::size_t before = 0;
    for (std::size_t parts = 1; parts <= kParts; ++parts) {
      const std::size_t count = (lost.size() * parts + kParts - 1) / kParts;
      if (count == std::exchange(before, count)) continue;
      if (place_but({lost.begin(), lost.begin() + static_cast<std::ptrdiff_t>(count)}, loss,
                    stored) ||
          place_but({lost.end() - static_cast<std::ptrdiff_t>(count), lost.end()}, loss, stored) ||
          out_of_time())
        return;
    }
  }

  // The largest segments first.
  void store_part(const Plan& target, Held& stored) const {
    std::vector<std::pair<double, SegmentId>> wanted;
    for (SegmentId id = 0; id < segments_; ++id) {
      if (!runs(target.device_of(id), id)) wanted.emplace_back(-segment(id).weights_bytes(), id);
    }
    std::sort(wanted.begin(), wanted.end());
    for (const auto& [bytes, id] : wanted) {
      std::set<SegmentId> ids = stored[target.device_of(id)];
      ids.insert(id);
      if (with(target.device_of(id), ids)) stored[target.device_of(id)] = std::move(ids);
    }
  }

  bool place_but(const std::set<SegmentId>& sent, const Loss& loss, Held& stored) const {
    PlanRequest asked = limited(request_);
    asked.may_run = [&](const DeviceName& device, SegmentId first, SegmentId last) {
      const auto place = stored.find(device);
      std::set<SegmentId> ids = place == stored.end() ? std::set<SegmentId>() : place->second;
      for (SegmentId id = first; id <= last; ++id) {
        if (!sent.contains(id)) ids.insert(id);
      }
      return memory_.contains(device) && with(device, ids).has_value();
    };
    try {
      return store_runs(plan_for_remaining(planner_, asked, loss.left), sent, stored);
    } catch (const InfeasibleError&) {
      return false;
    }
  }

  // Losses in turn, each order until the time is over.
  Held best_order(const Costs& unaided) {
    std::vector<std::size_t> single;
    std::vector<std::size_t> several;
    for (std::size_t l = 0; l < losses_.size(); ++l)
      (losses_[l].left.lost.size() == 1 ? single : several).push_back(l);
    const auto worse = [&](std::size_t a, std::size_t b) { return unaided[a] > unaided[b]; };
    std::stable_sort(single.begin(), single.end(), worse);
    std::vector<std::size_t> ranks(single.size());
    for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = i;
    Held best;
    Costs best_costs = unaided;
    do {
      for (const bool partly : {false, true}) {
        Held stored;
        for (const std::size_t rank : ranks) place(losses_[single[rank]], partly, stored);
        for (const std::size_t l : several) place(losses_[l], partly, stored);
        for (const bool filled : {false, true}) {
          if (filled) fill(stored);
          const Costs found = costs(stored);
          if (!better(found, best_costs)) continue;
          best = stored;
          best_costs = found;
        }
      }
    } while (!out_of_time() && ranks.size() <= kMostOrdered &&
             std::next_permutation(ranks.begin(), ranks.end()));
    if (choices().size() <= kMostExchanged) exchange(best, best_costs);
    return best;
  }

  // Stores one segment instead of another, or besides, as long as that is better.
  void exchange(Held& best, Costs& best_costs) const {
    for (bool again = true; again;) {
      again = false;
      for (const auto& [device, id] : choices()) {
        std::set<SegmentId> outs = best[device];
        if (outs.contains(id)) continue;
        outs.insert(-1);  // none
        for (const SegmentId out : outs) {
          Held stored = best;
          stored[device].erase(out);
          stored[device].insert(id);
          if (!with(device, stored[device])) continue;
          const Costs found = costs(stored);
          if (!better(found, best_costs)) continue;
          best = std::move(stored);
          best_costs = found;
          again = !out_of_time();
          break;
        }
        if (out_of_time()) return;
      }
    }
  }

  std::vector<std::pair<DeviceName, SegmentId>> choices() const {
    std::vector<std::pair<DeviceName, SegmentId>> choices;
    for (const DeviceName& device : devices_) {
      for (SegmentId id = 0; id < segments_; ++id) {
        if (!runs(device, id)) choices.emplace_back(device, id);
      }
    }
    return choices;
  }
  bool small() const { return static_cast<int>(choices().size()) <= options_.exact_bits; }

  std::optional<Held> try_all() const {
    const auto choices = this->choices();
    Held best;
    Costs best_costs = costs({});
    for (std::uint64_t bits = 1; bits < std::uint64_t{1} << choices.size(); ++bits) {
      Held stored;
      for (std::size_t c = 0; c < choices.size(); ++c) {
        if ((bits >> c & 1) != 0) stored[choices[c].first].insert(choices[c].second);
      }
      if (!std::all_of(stored.begin(), stored.end(),
                       [&](const auto& item) { return with(item.first, item.second).has_value(); }))
        continue;
      const Costs found = costs(stored);
      if (!better(found, best_costs)) continue;
      best = std::move(stored);
      best_costs = found;
    }
    return best;
  }

  // Devices that hold it besides the one that runs it.
  int copies_of(SegmentId id, const Held& stored) const {
    int copies = -1;
    for (const auto& [device, ids] : held_with(stored)) copies += ids.contains(id) ? 1 : 0;
    return copies;
  }

  // What lacks copies goes where there is room: first beside segments that follow or go before.
  void fill(Held& stored) const {
    for (int copies = 1; copies <= options_.copies; ++copies) {
      for (SegmentId id = 0; id < segments_; ++id) {
        if (copies_of(id, stored) >= copies) continue;
        const Held held = held_with(stored);
        const DeviceName* best = nullptr;
        std::pair<int, double> best_worth{-1, 0};
        for (const DeviceName& device : devices_) {
          const auto place = held.find(device);
          const std::set<SegmentId> has =
              place == held.end() ? std::set<SegmentId>() : place->second;
          std::set<SegmentId> ids =
              stored.contains(device) ? stored.at(device) : std::set<SegmentId>();
          ids.insert(id);
          const auto memory = with(device, ids);
          if (has.contains(id) || !memory) continue;
          const double room = request_.cluster->device(device).memory_bytes - memory->total_bytes();
          const std::pair<int, double> worth{
              (has.contains(id - 1) ? 1 : 0) + (has.contains(id + 1) ? 1 : 0), room};
          if (worth <= best_worth) continue;
          best = &device;
          best_worth = worth;
        }
        if (best != nullptr) stored[*best].insert(id);
      }
    }
  }

  const std::string& planner_;
  const Plan& plan_;
  const PlanRequest& request_;
  const SpareOptions& options_;
  int segments_;
  Held runs_;  // and stores already
  Clock::time_point deadline_;
  std::vector<DeviceName> devices_;  // that may store
  std::map<DeviceName, RunMemory> memory_;
  std::vector<RequestLeft> requests_;
  std::vector<Loss> losses_;
};

}  // namespace

SparesPlan plan_spares(const std::string& planner, const Plan& plan, const PlanRequest& request,
                       const SpareOptions& options) {
  if (options.copies < 1)
    throw UsageError(fmt::format("spares: {} is out of range; write 1 or more", options.copies));
  return SpareSearch(planner, plan, request, options).run();
}

void apply_spares(const SparesPlan& spares, const PlanRequest& request, Plan* plan) {
  for (const auto& [device, ids] : spares.stored) {
    if (ids.empty()) continue;
    const auto is_there = [&name = device](const auto& one) { return one.device == name; };
    const auto stage = std::find_if(plan->stages.begin(), plan->stages.end(), is_there);
    const auto keeper = std::find_if(plan->keepers.begin(), plan->keepers.end(), is_there);
    if (stage == plan->stages.end() && keeper == plan->keepers.end()) {
      plan->keepers.push_back({device, {ids.begin(), ids.end()}});
      continue;
    }
    auto& stored = stage != plan->stages.end() ? stage->stored_segments : keeper->stored_segments;
    std::set<SegmentId> all(stored.begin(), stored.end());
    all.insert(ids.begin(), ids.end());
    stored.assign(all.begin(), all.end());
  }
  const auto memory = stages_memory(*plan, *request.segmentation, request.workload);
  for (std::size_t s = 0; s < plan->estimate.stages.size(); ++s)
    plan->estimate.stages[s].weights_bytes = memory[s].weights_bytes;
}

}  // namespace lingua
