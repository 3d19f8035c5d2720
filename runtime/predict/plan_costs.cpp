#include "runtime/predict/plan_costs.h"

#include <algorithm>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/device/roofline.h"
#include "runtime/device/wire_tensors.h"
#include "runtime/predict/estimate.h"
#include "runtime/predict/request_steps.h"

namespace lingua {

PlanCosts::PlanCosts(const PlanRequest& request)
    : request_(&request),
      rules_(resolved_rules(request)),
      segments_(static_cast<int>(request.segmentation->segments.size()) - rules_.header_keeps_last),
      kept_(rules_.header_keeps_last),
      devices_(static_cast<int>(request.cluster->devices.size())),
      sizes_(request.workload.messages),
      header_(index_of(rules_.header)),
      tailer_(index_of(rules_.tailer)),
      medium_bytes_per_s_(request.cluster->shared_bytes_per_s) {
  weigh_goals();
  fill_compute();
  fill_memory();
  fill_batteries();
  fill_reach();
  fill_messages();
  fill_links();
}

int PlanCosts::index_of(const DeviceName& name) const {
  return name.empty() ? -1 : request_->cluster->index_of(name);
}

void PlanCosts::weigh_goals() {
  const Objective& goal = request_->objective;
  steps_ = static_cast<double>(RequestSteps(request_->workload).count());
  first_price_ = goal.latency + goal.ttft;
  later_price_ = goal.latency + (steps_ > 1 ? goal.tpot / (steps_ - 1) : 0);
  joule_price_ = goal.energy / steps_;
  busy_price_ = goal.throughput / steps_;
}

void PlanCosts::fill_compute() {
  const RequestSteps steps(request_->workload);
  compute_before_.assign(static_cast<std::size_t>(devices_) * (segments_ + 1), 0);
  compute_first_before_ = compute_before_;
  kept_compute_.assign(devices_, 0);
  kept_compute_first_.assign(devices_, 0);
  for (int d = 0; d < devices_; ++d) {
    for (int s = 0; s < segments_ + kept_; ++s) {
      const auto time = [&](const Step& step) {
        return compute_time(request_->segmentation->segments[s], request_->cluster->devices[d],
                            step)
            .count();
      };
      const double all_s = steps.sum(time);
      const double first_s = steps.first(time);
      if (s >= segments_) {
        kept_compute_[d] += all_s;
        kept_compute_first_[d] += first_s;
        continue;
      }
      const std::size_t at = static_cast<std::size_t>(d) * (segments_ + 1) + s;
      compute_before_[at + 1] = compute_before_[at] + all_s;
      compute_first_before_[at + 1] = compute_first_before_[at] + first_s;
    }
  }
}

void PlanCosts::fill_memory() {
  memory_.assign(static_cast<std::size_t>(segments_) * (segments_ + 1), 0);
  for (int first = 0; first < segments_; ++first) {
    RunMemory memory = run_memory(first, first - 1);
    for (int last = first; last < segments_; ++last) {
      memory.run(request_->segmentation->segments[last]);
      memory_[cell(first, last)] = memory.total_bytes();
    }
  }
}

RunMemory PlanCosts::run_memory(int first, int last) const {
  const std::vector<Segment>& segments = request_->segmentation->segments;
  RunMemory memory(request_->workload);
  for (int s = first; s <= last; ++s) memory.run(segments[s]);
  for (int s = segments_; first == 0 && s < segments_ + kept_; ++s) memory.run(segments[s]);
  return memory;
}

void PlanCosts::fill_batteries() {
  const double floor = request_->rules.battery_floor;
  for (const DeviceSpec& device : request_->cluster->devices) {
    const bool limited = floor > 0 && device.battery_j > 0 && device.power_w > 0;
    const double joules = std::max(0.0, device.charge - floor) * device.battery_j;
    battery_s_.push_back(limited ? joules / device.power_w / request_->workload.total_requests()
                                 : kNoLimit);
  }
}

void PlanCosts::fill_messages() {
  const Segmentation& segmentation = *request_->segmentation;
  const RequestSteps steps(request_->workload);
  const int all = segments_ + kept_;
  struct Life {
    int made = 0;
    double bytes = 0;
    double first_bytes = 0;  // in the first step
    std::vector<int> used;   // segments, ascending
  };
  std::map<ValueId, Life> lives;
  const Communication& communication = request_->workload.communication;
  const auto make = [&](const TensorSpec& spec, int segment) {
    const StepFunction travels =
        wire_spec(spec, segmentation.model_outputs, communication.wire).bytes;
    const auto bytes = [&](const Step& step) { return travels.at(step); };
    lives[spec.value] = {segment, steps.sum(bytes), steps.first(bytes), {}};
  };
  for (const TensorSpec& spec : segmentation.model_inputs) make(spec, 0);
  for (int s = 0; s < all; ++s) {
    for (const TensorSpec& spec : segmentation.segments[s].outputs) make(spec, s);
  }
  for (int s = 0; s < all; ++s) {
    for (const TensorSpec& spec : segmentation.segments[s].inputs)
      lives[spec.value].used.push_back(s);
  }
  for (ValueId value : segmentation.model_outputs) {
    std::vector<int>& used = lives[value].used;
    if (used.empty() || used.back() < all - 1) used.push_back(all - 1);
  }
  message_bytes_.assign(static_cast<std::size_t>(segments_) * (segments_ + 1), 0);
  message_first_bytes_ = message_bytes_;
  std::vector<bool> fed(all, false);
  const auto add = [&](const Life& life, int start, int cut) {
    message_bytes_[cell(start, cut)] += life.bytes + steps_ * sizes_.tensor;
    message_first_bytes_[cell(start, cut)] += life.first_bytes + sizes_.tensor;
  };
  for (const auto& [value, life] : lives) {
    bool kept_gets_it = false;
    for (int user : life.used) {
      if (user <= life.made) continue;
      if (user == life.made + 1) fed[user] = true;
      if (communication.residuals == ResidualPath::kRelay) continue;
      // Whichever of the kept segments uses it: it goes to them once.
      if (life.made >= segments_ || (user >= segments_ && kept_gets_it)) continue;
      kept_gets_it = user >= segments_;
      const int cut = std::min(user, segments_);
      for (int start = 0; start <= life.made; ++start) add(life, start, cut);
    }
    if (communication.residuals == ResidualPath::kDirect || life.made >= segments_) continue;
    // Relayed: with every message until the last use, whichever run makes it. To what the header keeps only
    // what another run makes: of values from before the sender's run nobody knows here whose they are.
    for (int cut = life.made + 1; cut <= segments_; ++cut) {
      const bool goes_to_run = std::any_of(life.used.begin(), life.used.end(), [&](int user) {
        return user >= cut && user < segments_;
      });
      const bool goes_to_kept = !life.used.empty() && life.used.back() >= segments_;
      for (int start = 0; start < cut && (goes_to_run || goes_to_kept); ++start) {
        const bool from_other = start > 0 && start <= life.made;
        const bool reaches_kept = cut == segments_ && start <= life.made;
        if (goes_to_run || from_other || reaches_kept) add(life, start, cut);
      }
    }
  }
  chained_ = std::all_of(fed.begin() + 1, fed.end(), [](bool is_fed) { return is_fed; });
  const StepFunction answer = return_bytes(segmentation, request_->workload);
  const auto bytes = [&](const Step& step) { return answer.at(step); };
  answer_bytes_ = steps.sum(bytes);
  answer_first_bytes_ = steps.first(bytes);
}

void PlanCosts::fill_links() {
  const ClusterSpec& cluster = *request_->cluster;
  const std::size_t pairs = static_cast<std::size_t>(devices_) * devices_;
  latency_s_.assign(pairs, 0);
  bytes_per_s_.assign(pairs, 0);
  joules_per_byte_.assign(pairs, 0);
  const auto set = [&](std::size_t at, const DeviceName& from, const DeviceName& to) {
    const LinkSpec link = link_alone(cluster, from, to);
    latency_s_[at] = link.latency.count();
    bytes_per_s_[at] = link.bytes_per_s;
    joules_per_byte_[at] = transfer_energy(cluster, cluster.link(from, to), 1);
  };
  // Nearly all of a large cluster's links are the default: found once.
  std::map<DeviceName, int> indices;
  for (int d = 0; d < devices_; ++d) indices[cluster.devices[d].name] = d;
  ClusterSpec usual;
  usual.default_link = cluster.default_link;
  usual.shared_bytes_per_s = cluster.shared_bytes_per_s;
  const LinkSpec link = link_alone(usual, "a", "b");
  const double joules = transfer_energy(cluster, usual.link("a", "b"), 1);
  std::fill(latency_s_.begin(), latency_s_.end(), link.latency.count());
  std::fill(bytes_per_s_.begin(), bytes_per_s_.end(), link.bytes_per_s);
  std::fill(joules_per_byte_.begin(), joules_per_byte_.end(), joules);
  for (int d = 0; d < devices_; ++d)
    set(pair(d, d), cluster.devices[d].name, cluster.devices[d].name);
  for (const auto& [ends, own] : cluster.links) {
    const auto from = indices.find(ends.first);
    const auto to = indices.find(ends.second);
    if (from != indices.end() && to != indices.end())
      set(pair(from->second, to->second), ends.first, ends.second);
  }
}

bool PlanCosts::fits(const Run& run) const {
  return may_run(run) &&
         memory(run.first, run.last) <= request_->cluster->devices[run.device].memory_bytes &&
         keeps_battery(run);
}

void PlanCosts::fill_reach() {
  const MayRun& may_run = request_->may_run;
  reach_.assign(static_cast<std::size_t>(devices_) * segments_, segments_);
  for (int d = 0; may_run && d < devices_; ++d) {
    const DeviceName& name = request_->cluster->devices[d].name;
    const bool may_head = kept_ == 0 || may_run(name, segments_, segments_ + kept_ - 1);
    int end = 0;
    for (int first = 0; first < segments_; ++first) {
      end = std::max(end, first);
      while (end < segments_ && may_run(name, first, end)) ++end;
      reach_[static_cast<std::size_t>(d) * segments_ + first] = first == 0 && !may_head ? 0 : end;
    }
  }
}

std::string PlanCosts::misfit(const Run& run) const {
  const DeviceSpec& device = request_->cluster->devices[run.device];
  const double need = memory(run.first, run.last);
  if (!may_run(run)) return "which it may not run here";
  if (need > device.memory_bytes) {
    const auto [needed, has] = format_apart(need, device.memory_bytes, Unit::kBytes);
    return fmt::format("which need {}; it has {}", needed, has);
  }
  const int requests = request_->workload.total_requests();
  const double left =
      device.charge - requests * compute_energy(device, Seconds(compute(run))) / device.battery_j;
  return fmt::format("which leave its battery at {:.1f}% after {} {}; the floor is {:.1f}%",
                     100 * std::max(0.0, left), requests, requests == 1 ? "request" : "requests",
                     100 * request_->rules.battery_floor);
}

bool PlanCosts::allowed(const Run& run) const {
  const bool keeps =
      run.first > 0 || run.last + 1 >= rules_.header_keeps || run.last + 1 == segments_;
  const bool last = run.last + 1 == segments_;
  return keeps && (tailer_ < 0 || last == (run.device == tailer_));
}

double PlanCosts::compute(const Run& run) const {
  const double* before = &compute_before_[static_cast<std::size_t>(run.device) * (segments_ + 1)];
  return before[run.last + 1] - before[run.first] +
         (run.first == 0 ? kept_compute_[run.device] : 0);
}

double PlanCosts::transfer(int from, int to, int start, int cut) const {
  return steps_ * latency_s_[pair(from, to)] + busy(from, to, start, cut);
}

double PlanCosts::busy(int from, int to, int start, int cut) const {
  return (message_bytes_[cell(start, cut)] + steps_ * sizes_.activations) /
         bytes_per_s_[pair(from, to)];
}

double PlanCosts::medium(int start, int cut) const {
  if (!has_medium()) return 0;
  return (message_bytes_[cell(start, cut)] + steps_ * sizes_.activations) / medium_bytes_per_s_;
}

int PlanCosts::same_message(int start, int cut) const {
  while (start > 0 && message_bytes_[cell(start - 1, cut)] == message_bytes_[cell(start, cut)]) {
    --start;
  }
  return start;
}

double PlanCosts::answer(const Run& last, int header) const {
  if (last.device == header) return 0;
  return steps_ * latency_s_[pair(last.device, header)] + answer_busy(last, header);
}

double PlanCosts::answer_busy(const Run& last, int header) const {
  if (last.device == header) return 0;
  if (kept_ > 0) return busy(last.device, header, last.first, segments_);
  return answer_bytes_ / bytes_per_s_[pair(last.device, header)];
}

double PlanCosts::answer_medium(const Run& last, int header) const {
  if (last.device == header || !has_medium()) return 0;
  return kept_ > 0 ? medium(last.first, segments_) : answer_bytes_ / medium_bytes_per_s_;
}

std::vector<Stage> PlanCosts::stages(const std::vector<Run>& runs) const {
  std::vector<Stage> stages;
  stages.reserve(runs.size());
  for (const Run& run : runs) {
    stages.push_back({request_->cluster->devices[run.device].name, run.first, run.last, {}});
  }
  if (kept_ == 0) return stages;
  const int last = segments_ + kept_ - 1;
  if (stages.size() == 1) {
    stages.front().last_segment = last;
  } else {
    stages.push_back({stages.front().device, segments_, last, {}});
  }
  return stages;
}

std::vector<Run> PlanCosts::runs(const std::vector<Stage>& stages) const {
  const int kept = header_keeps_last(stages);
  if (stages.empty() || (stages.size() > 1 && kept != kept_)) return {};
  std::vector<Run> runs;
  std::vector<bool> used(devices_, false);
  for (const Stage& stage : stages) {
    if (kept > 0 && &stage == &stages.back()) break;
    Run run{request_->cluster->index_of(stage.device), stage.first_segment, stage.last_segment};
    if (stages.size() == 1) run.last -= kept_;
    const bool follows = run.first == (runs.empty() ? 0 : runs.back().last + 1) &&
                         run.last >= run.first && run.last < segments_;
    if (run.device < 0 || used[run.device] || !follows || !fits(run) || !allowed(run)) return {};
    used[run.device] = true;
    runs.push_back(run);
  }
  const bool right_header = header_ < 0 || runs.front().device == header_;
  return right_header && runs.back().last + 1 == segments_ ? runs : std::vector<Run>{};
}

double PlanCosts::latency(const std::vector<Run>& runs) const {
  double sum = answer(runs.back(), runs.front().device);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    sum += compute(runs[r]);
    if (r > 0) {
      sum += transfer(runs[r - 1].device, runs[r].device, runs[r - 1].first, runs[r].first);
    }
  }
  return sum;
}

double PlanCosts::busiest(const std::vector<Run>& runs) const {
  double busiest = answer_busy(runs.back(), runs.front().device);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    busiest = std::max(busiest, compute(runs[r]));
    if (r == 0) continue;
    const Run& sender = runs[r - 1];
    busiest = std::max(busiest, busy(sender.device, runs[r].device, sender.first, runs[r].first));
  }
  return busiest;
}

double PlanCosts::bottleneck(const std::vector<Run>& runs) const {
  double medium_s = answer_medium(runs.back(), runs.front().device);
  for (std::size_t r = 1; r < runs.size(); ++r)
    medium_s += medium(runs[r - 1].first, runs[r].first);
  return std::max(busiest(runs), medium_s);
}

// Of seconds on the way of a request (in its first step and in all), joules, and seconds on the medium.
Price PlanCosts::priced(double first_s, double all_s, double joules, double medium_s) const {
  const double sum =
      first_price_ * first_s + later_price_ * (all_s - first_s) + joule_price_ * joules;
  return {sum + busy_price_ * all_s / request_->workload.overlap(),
          weighs_medium() ? sum + busy_price_ * medium_s : 0};
}

Price PlanCosts::price(const Run& run) const {
  const double* before =
      &compute_first_before_[static_cast<std::size_t>(run.device) * (segments_ + 1)];
  const double all_s = compute(run);
  const DeviceSpec& device = request_->cluster->devices[run.device];
  const double kept_s = run.first == 0 ? kept_compute_first_[run.device] : 0;
  return priced(before[run.last + 1] - before[run.first] + kept_s, all_s,
                compute_energy(device, Seconds(all_s)), 0);
}

Price PlanCosts::transfer_price(int from, int to, int start, int cut) const {
  const std::size_t ends = pair(from, to);
  const double first_bytes = message_first_bytes_[cell(start, cut)] + sizes_.activations;
  const double bytes = message_bytes_[cell(start, cut)] + steps_ * sizes_.activations;
  return priced(latency_s_[ends] + first_bytes / bytes_per_s_[ends], transfer(from, to, start, cut),
                joules_per_byte_[ends] * bytes, medium(start, cut));
}

Price PlanCosts::answer_price(const Run& last, int header) const {
  if (last.device == header) return {};
  if (kept_ > 0) return transfer_price(last.device, header, last.first, segments_);
  const std::size_t ends = pair(last.device, header);
  return priced(latency_s_[ends] + answer_first_bytes_ / bytes_per_s_[ends], answer(last, header),
                joules_per_byte_[ends] * answer_bytes_, answer_medium(last, header));
}

Price PlanCosts::price(const std::vector<Run>& runs) const {
  Price sum = answer_price(runs.back(), runs.front().device);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    sum = sum + price(runs[r]);
    if (r == 0) continue;
    const Run& sender = runs[r - 1];
    sum = sum + transfer_price(sender.device, runs[r].device, sender.first, runs[r].first);
  }
  return sum;
}

double PlanCosts::objective(const std::vector<Run>& runs) const {
  const Price sum = price(runs);
  if (busy_price_ == 0) return sum.value();
  return std::max(sum.value(), other_goals(runs) + busy_price_ * busiest(runs));
}

double PlanCosts::other_goals(const std::vector<Run>& runs) const {
  return price(runs).cost - busy_price_ * latency(runs) / request_->workload.overlap();
}

}  // namespace lingua
