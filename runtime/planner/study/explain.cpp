#include "runtime/planner/study/explain.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/device/roofline.h"
#include "runtime/planner/search/chain_bounds.h"
#include "runtime/planner/study/best_alone.h"
#include "runtime/predict/estimate.h"
#include "runtime/predict/estimated_value.h"

namespace lingua {
namespace {

constexpr double kBusy = 0.95;  // of the time: a resource that works as good as always

std::string segments_text(const Run& run) {
  if (run.first == run.last) return fmt::format("segment {}", run.first);
  return fmt::format("segments {} to {}", run.first, run.last);
}

class Explainer {
 public:
  Explainer(const Plan& plan, const PlanRequest& request)
      : plan_(plan), request_(request), costs_(request), runs_(costs_.runs(plan.stages)) {
    LINGUA_CHECK(!runs_.empty(), "the plan does not keep the request's rules");
  }

  Explanation explain() {
    result_.value = objective_value(plan_.estimate, request_.objective);
    for (std::size_t s = 0; s < plan_.stages.size(); ++s) add_stage(s);
    for (int d = 0; d < costs_.devices(); ++d) {
      if (!runs_anything(d)) add_idle(d);
    }
    result_.binds = what_binds();
    add_other_plans();
    add_other_clusters();
    return std::move(result_);
  }

 private:
  const DeviceSpec& device(int index) const { return request_.cluster->devices[index]; }
  bool runs_anything(int index) const {
    return std::any_of(runs_.begin(), runs_.end(),
                       [&](const Run& run) { return run.device == index; });
  }

  void add_stage(std::size_t s) {
    const StageEstimate& estimate = plan_.estimate.stages[s];
    const double steps = static_cast<double>(steps_of(request_.workload).size());
    StageReason row;
    row.device = estimate.device;
    row.compute_s = estimate.compute_s;
    row.transfer_s = estimate.transfer_s;
    double device_s = 0;
    row.free_bytes = estimate.memory_bytes;
    for (const StageEstimate& other : plan_.estimate.stages) {  // of the same device
      if (other.device != row.device) continue;
      device_s += other.compute_s;
      row.free_bytes -= used_bytes(other);
    }
    row.busy_share = device_s * plan_.estimate.tokens_per_s / steps;
    row.slack_s = std::max(0.0, plan_.estimate.bottleneck_s - device_s);
    row.used_bytes = used_bytes(estimate);
    if (s == runs_.size()) {  // what the header keeps: no choice
      result_.stages.push_back(row);
      return;
    }
    row.no_room = no_room(s);
    result_.stages.push_back(row);
  }

  std::string no_room(std::size_t s) const {
    const Run& run = runs_[s];
    if (s > 0) {
      Run giver = runs_[s - 1];
      --giver.last;
      const bool gives =
          giver.last >= giver.first ? costs_.allowed(giver) : s > 1 || costs_.header() < 0;
      const std::string lack = what_lacks({run.device, run.first - 1, run.last}, run.first - 1);
      if (gives && !lack.empty()) return lack;
    }
    if (s + 1 < runs_.size())
      return what_lacks({run.device, run.first, run.last + 1}, run.last + 1);
    return "";
  }

  // For a longer run with one more segment; empty when it could be.
  std::string what_lacks(const Run& run, int segment) const {
    if (!costs_.allowed(run) || costs_.fits(run)) return "";
    const double lack = costs_.memory(run.first, run.last) - device(run.device).memory_bytes;
    if (lack <= 0) return fmt::format("segment {} would take its battery below the floor", segment);
    return fmt::format("segment {} of its neighbour would need {} more than is free", segment,
                       format_bytes(lack));
  }

  static double used_bytes(const StageEstimate& row) {
    return row.weights_bytes + row.state_bytes + row.activation_bytes;
  }

  // Every chain in which an idle device takes what lies around a cut or all of a stage.
  std::vector<std::vector<Run>> chains_with(int idle) const {
    std::vector<std::vector<Run>> chains;
    const auto add = [&](std::size_t left, int first, int last) {
      // `left` stages stand before it, cut off at `first`; the others begin after `last`.
      if (first > last || !costs_.fits({idle, first, last})) return;
      std::vector<Run> chain;
      for (std::size_t s = 0; s < runs_.size(); ++s) {
        Run run = runs_[s];
        if (s == left) chain.push_back({idle, first, last});
        if (s < left) run.last = std::min(run.last, first - 1);
        if (s >= left) run.first = std::max(run.first, last + 1);
        if (run.first <= run.last) chain.push_back(run);
      }
      if (left == runs_.size()) chain.push_back({idle, first, last});
      const bool holds = std::all_of(chain.begin(), chain.end(), [&](const Run& run) {
        return costs_.fits(run) && costs_.allowed(run);
      });
      const bool right_header = costs_.header() < 0 || chain.front().device == costs_.header();
      if (holds && right_header) chains.push_back(std::move(chain));
    };
    for (std::size_t left = 0; left <= runs_.size(); ++left) {
      const int cut = left == runs_.size() ? costs_.segments() : runs_[left].first;
      const int lowest = left == 0 ? cut : runs_[left - 1].first;
      const int highest = left == runs_.size() ? cut - 1 : runs_[left].last;
      for (int first = lowest; first <= cut; ++first) {
        for (int last = cut - 1; last <= highest; ++last) add(left, first, last);
      }
    }
    return chains;
  }

  void add_idle(int index) {
    IdleReason idle;
    idle.device = device(index).name;
    const auto& excluded = request_.rules.excluded;
    if (std::count(excluded.begin(), excluded.end(), idle.device) > 0) {
      idle.why = "it is excluded";
      result_.idle.push_back(std::move(idle));
      return;
    }
    std::vector<std::pair<double, std::vector<Run>>> hopeful;  // by what bounds them
    for (std::vector<Run>& chain : chains_with(index)) {
      hopeful.emplace_back(costs_.objective(chain), std::move(chain));
    }
    std::stable_sort(hopeful.begin(), hopeful.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    constexpr std::size_t kTried = 40;
    hopeful.resize(std::min(hopeful.size(), kTried));
    const std::vector<Run>* best = nullptr;
    for (const auto& [bound, chain] : hopeful) {
      const double value = estimated_value(costs_, chain);
      if (idle.value && value >= *idle.value) continue;
      idle.value = value;
      best = &chain;
    }
    idle.why = best == nullptr ? why_it_cannot(index) : why_it_does_not_help(index, *best);
    result_.idle.push_back(std::move(idle));
  }

  std::string why_it_cannot(int index) const {
    double least = kNoLimit;
    for (int s = 0; s < costs_.segments(); ++s) least = std::min(least, costs_.memory(s, s));
    if (least > device(index).memory_bytes) {
      return fmt::format("no segment fits its {} (the smallest needs {})",
                         format_bytes(device(index).memory_bytes), format_bytes(least));
    }
    if (request_.rules.battery_floor > 0) {
      return fmt::format(
          "nothing that it could take over fits its {} and keeps {:.0f}% of its battery",
          format_bytes(device(index).memory_bytes), 100 * request_.rules.battery_floor);
    }
    return fmt::format("nothing that it could take over fits its {}",
                       format_bytes(device(index).memory_bytes));
  }

  std::string why_it_does_not_help(int index, const std::vector<Run>& chain) const {
    const Run& at = *std::find_if(chain.begin(), chain.end(),
                                  [&](const Run& run) { return run.device == index; });
    double before = 0;  // the same segments where they run now
    std::string givers;
    bool whole = false;  // one of them gives all that it has
    for (const Run& run : runs_) {
      const Run common{run.device, std::max(run.first, at.first), std::min(run.last, at.last)};
      if (common.first > common.last) continue;
      before += costs_.compute(common);
      givers += (givers.empty() ? "" : " and ") + device(run.device).name;
      whole = whole || common == run;
    }
    const double transfers = transfers_s(chain) - transfers_s(runs_);
    const std::string taken = whole
                                  ? fmt::format("{} in the place of {}", segments_text(at), givers)
                                  : fmt::format("{} from {}", segments_text(at), givers);
    return fmt::format("at best it would take {}: {}, {}", taken, computing_instead(at, before),
                       transfers_text(transfers));
  }

  static std::string transfers_text(double more_s) {
    constexpr double kNothing = 1e-6;
    if (std::abs(more_s) < kNothing) return "transfers as before";
    return fmt::format("transfers {} by {} per request", more_s > 0 ? "grow" : "shrink",
                       format_seconds(std::abs(more_s)));
  }

  std::string computing_instead(const Run& at, double before) const {
    if (request_.objective == Objective::kEnergy) {
      const double joules = compute_energy(device(at.device), Seconds(costs_.compute(at)));
      return fmt::format("computing draws {} instead of {}", format_quantity(joules, Unit::kJoules),
                         format_quantity(energy_now(at.first, at.last), Unit::kJoules));
    }
    return fmt::format("computing takes {} instead of {}", format_seconds(costs_.compute(at)),
                       format_seconds(before));
  }

  // What computing these segments draws, where they run in the plan.
  double energy_now(int first, int last) const {
    double joules = 0;
    for (const Run& run : runs_) {
      const Run common{run.device, std::max(run.first, first), std::min(run.last, last)};
      if (common.first > common.last) continue;
      joules += compute_energy(device(run.device), Seconds(costs_.compute(common)));
    }
    return joules;
  }

  double transfers_s(const std::vector<Run>& runs) const {
    double sum = costs_.latency(runs);
    for (const Run& run : runs) sum -= costs_.compute(run);
    return sum;
  }

  const StageReason& busiest() const {
    return *std::max_element(
        result_.stages.begin(), result_.stages.end(),
        [](const StageReason& a, const StageReason& b) { return a.busy_share < b.busy_share; });
  }

  std::string what_binds() const {
    std::string memory;
    for (const StageReason& stage : result_.stages) {
      if (!stage.no_room.empty()) memory += (memory.empty() ? "" : ", ") + stage.device;
    }
    if (!memory.empty()) memory = fmt::format("; no room for one more segment on {}", memory);
    if (request_.objective == Objective::kEnergy) return what_draws() + memory;
    if (costs_.busy_price() == 0) {
      const double transfers = transfers_s(runs_) / plan_.estimate.latency_s;
      return fmt::format("{:.0f}% of a request's time is computing and {:.0f}% transfers{}",
                         100 * (1 - transfers), 100 * transfers, memory);
    }
    if (busiest().busy_share >= kBusy) {
      return fmt::format("{} computes {:.0f}% of the time{}", busiest().device,
                         100 * busiest().busy_share, memory);
    }
    const double steps = static_cast<double>(steps_of(request_.workload).size());
    const double used = plan_.estimate.bottleneck_s * plan_.estimate.tokens_per_s / steps;
    if (used >= kBusy)
      return fmt::format("{}, {:.0f}% of the time{}", plan_.estimate.bottleneck, 100 * used,
                         memory);
    return fmt::format(
        "no device and no link is busy all the time ({} computes most, {:.0f}%): requests wait for "
        "each other and for transfers; more than {} in flight may help{}",
        busiest().device, 100 * busiest().busy_share, request_.workload.in_flight, memory);
  }

  // Of the energy, which device's computing draws most, and what the radios do.
  std::string what_draws() const {
    const double steps = static_cast<double>(steps_of(request_.workload).size());
    const double all = plan_.estimate.energy_per_token_j * steps;
    double computing = 0;
    std::pair<double, DeviceName> most;
    for (const Run& run : runs_) {
      const double joules = compute_energy(device(run.device), Seconds(costs_.compute(run)));
      computing += joules;
      most = std::max(most, {joules, device(run.device).name});
    }
    return fmt::format(
        "{:.0f}% of the energy is computing ({} draws most, {:.0f}%) and {:.0f}% radios",
        100 * computing / all, most.second, 100 * most.first / all, 100 * (1 - computing / all));
  }

  std::optional<double> plan_again(const std::string& planner, const PlanRequest& request) const {
    try {
      return objective_value(make_plan(planner, request).estimate, request.objective);
    } catch (const InfeasibleError&) {
      return std::nullopt;
    }
  }

  void add_other_plans() {
    result_.other_plans.push_back({"planner even", plan_again("even", request_)});
    Alternative single{"one device alone", std::nullopt};
    if (const auto best = best_device_alone(costs_))
      single = {fmt::format("{} alone", best->device), best->value};
    result_.other_plans.push_back(std::move(single));
  }

  std::string planner() const {
    for (const PlannerEntry& entry : planners()) {
      if (plan_.planner == entry.name) return entry.name;
    }
    return "dp";  // the plan came from elsewhere
  }

  void try_cluster(const std::string& what, const ClusterSpec& cluster) {
    PlanRequest request = request_;
    request.cluster = &cluster;
    result_.other_clusters.push_back({what, plan_again(planner(), request)});
  }

  // A cluster in which this plan can stay as it is.
  void try_better_cluster(const std::string& what, const ClusterSpec& cluster) {
    try_cluster(what, cluster);
    const double kept = objective_value(
        estimate(plan_, *request_.segmentation, cluster, request_.workload), request_.objective);
    std::optional<double>& value = result_.other_clusters.back().value;
    value = std::min(value.value_or(kept), kept);
  }

  void try_faster_device(const DeviceName& name) {
    ClusterSpec cluster = *request_.cluster;
    cluster.devices[cluster.index_of(name)].slow_down(0.5);
    try_better_cluster(fmt::format("{} twice as fast", name), cluster);
  }

  void add_other_clusters() {
    constexpr double kMore = 1e9;
    for (const StageReason& stage : result_.stages) {
      if (stage.no_room.empty() && stage.free_bytes > kMore) continue;
      ClusterSpec cluster = *request_.cluster;
      cluster.devices[cluster.index_of(stage.device)].memory_bytes += kMore;
      try_better_cluster(fmt::format("1 GB more on {}", stage.device), cluster);
    }
    try_faster_device(busiest().device);
    for (std::size_t r = 0; runs_.size() > 1 && r < runs_.size(); ++r) {
      const DeviceName& from = plan_.stages[r].device;
      const DeviceName& to = plan_.stages[(r + 1) % runs_.size()].device;
      ClusterSpec cluster = *request_.cluster;
      LinkSpec link = cluster.link(from, to);
      link.bytes_per_s *= 2;
      link.latency /= 2;
      cluster.links[{from, to}] = link;
      try_better_cluster(
          fmt::format("twice the bandwidth and half the latency from {} to {}", from, to), cluster);
    }
    for (const Run& run : runs_) {
      const DeviceName& name = device(run.device).name;
      const bool pinned = costs_.header() == run.device || name == request_.rules.tailer;
      if (pinned || request_.cluster->devices.size() == request_.rules.excluded.size() + 1)
        continue;
      PlanRequest request = request_;
      request.rules.excluded.push_back(name);
      result_.other_clusters.push_back(
          {fmt::format("without {}", name), plan_again(planner(), request)});
    }
  }

  const Plan& plan_;
  const PlanRequest& request_;
  PlanCosts costs_;
  std::vector<Run> runs_;
  Explanation result_;
};

}  // namespace

Explanation explain(const Plan& plan, const PlanRequest& request) {
  LINGUA_CHECK(plan.estimate.stages.size() == plan.stages.size(), "the plan has no estimate");
  return Explainer(plan, request).explain();
}

}  // namespace lingua
