#include "runtime/plan/plan_costs.h"

#include <algorithm>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/device/roofline.h"
#include "runtime/plan/estimate.h"
#include "runtime/plan/run_memory.h"
#include "runtime/plan/step_sum.h"

namespace lingua {

PlanCosts::PlanCosts(const PlanRequest& request)
    : request_(&request),
      segments_(static_cast<int>(request.segmentation->segments.size())),
      devices_(static_cast<int>(request.cluster->devices.size())),
      header_(
          index_of(request.rules.header.empty() ? request.cluster->header : request.rules.header)),
      tailer_(index_of(request.rules.tailer)),
      medium_bytes_per_s_(request.cluster->shared_bytes_per_s) {
  fill_compute();
  fill_memory();
  fill_messages();
  fill_links();
}

int PlanCosts::index_of(const DeviceName& name) const {
  return name.empty() ? -1 : request_->cluster->index_of(name);
}

void PlanCosts::fill_compute() {
  const std::vector<Step> steps = steps_of(request_->workload);
  steps_ = static_cast<double>(steps.size());
  compute_before_.assign(static_cast<std::size_t>(devices_) * (segments_ + 1), 0);
  for (int d = 0; d < devices_; ++d) {
    for (int s = 0; s < segments_; ++s) {
      const double time = sum_over_steps(steps, [&](const Step& step) {
        return compute_time(request_->segmentation->segments[s], request_->cluster->devices[d],
                            step)
            .count();
      });
      const std::size_t at = static_cast<std::size_t>(d) * (segments_ + 1) + s;
      compute_before_[at + 1] = compute_before_[at] + time;
    }
  }
}

void PlanCosts::fill_memory() {
  memory_.assign(static_cast<std::size_t>(segments_) * (segments_ + 1), 0);
  for (int first = 0; first < segments_; ++first) {
    RunMemory memory(request_->workload);
    for (int last = first; last < segments_; ++last) {
      memory.run(request_->segmentation->segments[last]);
      memory_[cell(first, last)] = memory.total_bytes();
    }
  }
}

void PlanCosts::fill_messages() {
  const Segmentation& segmentation = *request_->segmentation;
  const std::vector<Step> steps = steps_of(request_->workload);
  struct Life {
    int made = 0;
    double bytes = 0;
    std::vector<int> used;  // segments, ascending
  };
  std::map<ValueId, Life> lives;
  const auto make = [&](const TensorSpec& spec, int segment) {
    lives[spec.value] = {
        segment, sum_over_steps(steps, [&](const Step& step) { return spec.bytes.at(step); }), {}};
  };
  for (const TensorSpec& spec : segmentation.model_inputs) make(spec, 0);
  for (int s = 0; s < segments_; ++s) {
    for (const TensorSpec& spec : segmentation.segments[s].outputs) make(spec, s);
  }
  for (int s = 0; s < segments_; ++s) {
    for (const TensorSpec& spec : segmentation.segments[s].inputs)
      lives[spec.value].used.push_back(s);
  }
  for (ValueId value : segmentation.model_outputs) {
    std::vector<int>& used = lives[value].used;
    if (used.empty() || used.back() < segments_ - 1) used.push_back(segments_ - 1);
  }
  message_bytes_.assign(static_cast<std::size_t>(segments_) * (segments_ + 1), 0);
  std::vector<bool> fed(segments_, false);
  for (const auto& [value, life] : lives) {
    for (int cut : life.used) {
      if (cut <= life.made) continue;
      if (cut == life.made + 1) fed[cut] = true;
      for (int start = 0; start <= life.made; ++start)
        message_bytes_[cell(start, cut)] += life.bytes;
    }
  }
  chained_ = std::all_of(fed.begin() + 1, fed.end(), [](bool is_fed) { return is_fed; });
  answer_bytes_ = sum_over_steps(steps, [bytes = return_bytes(segmentation, request_->workload)](
                                            const Step& step) { return bytes.at(step); });
}

void PlanCosts::fill_links() {
  for (const DeviceSpec& from : request_->cluster->devices) {
    for (const DeviceSpec& to : request_->cluster->devices) {
      const LinkSpec link = link_alone(*request_->cluster, from.name, to.name);
      latency_s_.push_back(link.latency.count());
      bytes_per_s_.push_back(link.bytes_per_s);
    }
  }
}

bool PlanCosts::fits(const Run& run) const {
  return memory(run.first, run.last) <= request_->cluster->devices[run.device].memory_bytes;
}

bool PlanCosts::allowed(const Run& run) const {
  const bool keeps =
      run.first > 0 || run.last + 1 >= request_->rules.header_keeps || run.last + 1 == segments_;
  const bool last = run.last + 1 == segments_;
  return keeps && (tailer_ < 0 || last == (run.device == tailer_));
}

double PlanCosts::compute(const Run& run) const {
  const double* before = &compute_before_[static_cast<std::size_t>(run.device) * (segments_ + 1)];
  return before[run.last + 1] - before[run.first];
}

double PlanCosts::transfer(int from, int to, int start, int cut) const {
  return steps_ * latency_s_[pair(from, to)] + busy(from, to, start, cut);
}

double PlanCosts::busy(int from, int to, int start, int cut) const {
  return (message_bytes_[cell(start, cut)] + steps_ * kMessageBytes) / bytes_per_s_[pair(from, to)];
}

double PlanCosts::medium(int start, int cut) const {
  if (!has_medium()) return 0;
  return (message_bytes_[cell(start, cut)] + steps_ * kMessageBytes) / medium_bytes_per_s_;
}

int PlanCosts::same_message(int start, int cut) const {
  while (start > 0 && message_bytes_[cell(start - 1, cut)] == message_bytes_[cell(start, cut)]) {
    --start;
  }
  return start;
}

double PlanCosts::answer(int tailer, int header) const {
  if (tailer == header) return 0;
  return steps_ * latency_s_[pair(tailer, header)] + answer_busy(tailer, header);
}

double PlanCosts::answer_busy(int tailer, int header) const {
  return tailer == header ? 0 : answer_bytes_ / bytes_per_s_[pair(tailer, header)];
}

double PlanCosts::answer_medium(int tailer, int header) const {
  return tailer == header || !has_medium() ? 0 : answer_bytes_ / medium_bytes_per_s_;
}

std::vector<Stage> PlanCosts::stages(const std::vector<Run>& runs) const {
  std::vector<Stage> stages;
  stages.reserve(runs.size());
  for (const Run& run : runs) {
    stages.push_back({request_->cluster->devices[run.device].name, run.first, run.last, {}});
  }
  return stages;
}

double PlanCosts::latency(const std::vector<Run>& runs) const {
  double sum = answer(runs.back().device, runs.front().device);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    sum += compute(runs[r]);
    if (r > 0) {
      sum += transfer(runs[r - 1].device, runs[r].device, runs[r - 1].first, runs[r].first);
    }
  }
  return sum;
}

double PlanCosts::bottleneck(const std::vector<Run>& runs) const {
  double busiest = answer_busy(runs.back().device, runs.front().device);
  double medium_s = answer_medium(runs.back().device, runs.front().device);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    busiest = std::max(busiest, compute(runs[r]));
    if (r > 0) {
      const Run& sender = runs[r - 1];
      busiest = std::max(busiest, busy(sender.device, runs[r].device, sender.first, runs[r].first));
      medium_s += medium(sender.first, runs[r].first);
    }
  }
  return std::max(busiest, medium_s);
}

double PlanCosts::objective(const std::vector<Run>& runs) const {
  if (request_->objective == Objective::kLatency) return latency(runs);
  return std::max(bottleneck(runs), latency(runs) / request_->workload.overlap());
}

}  // namespace lingua
