#include "runtime/predict/estimate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/device/roofline.h"
#include "runtime/plan/run_memory.h"
#include "runtime/predict/plan_pipeline.h"

namespace lingua {
namespace {

constexpr double kNoTime = std::numeric_limits<double>::infinity();

// Rather fewer requests than fewer steps: a step that stands for several is as long as a prefill, and
// others do not wait for it as they would. Whole rounds of those in flight are left out.
Excerpt excerpt_of(const Workload& workload, double stages, double steps,
                   const PlayLimits& limits) {
  constexpr int kFewestRounds = 4;
  constexpr double kFewestSteps = 8;
  const int total = workload.total_requests();
  const int round = round_of(workload);
  const double by_effort = limits.stage_steps / (stages * steps);
  const double most =
      std::max({std::min<double>(limits.requests, by_effort), 1.0 * round * kFewestRounds});
  int requests = total;
  if (most < total) {
    requests -= static_cast<int>(std::ceil((total - most) / round)) * round;
    if (requests < std::min(total, round * kFewestRounds)) requests += round;
  }
  return {requests, std::max(kFewestSteps, limits.stage_steps / (stages * requests))};
}

// One request that has the pipeline for itself.
struct AloneTimes {
  double ttft_s = 0;
  double latency_s = 0;
};

AloneTimes alone_times(const PlanPipeline& pipeline, const RequestKind& kind,
                       const Workload& workload, const PlayLimits& limits) {
  const auto time = [&](const Step& step) { return step_time(pipeline, step); };
  const bool whole_prompt = kind.pieces == 1;
  const bool residual = pipeline.messages.size() >= pipeline.devices.size();
  AloneTimes times{0, sum_over_request(kind, time)};
  for (std::size_t piece = 0; piece < kind.pieces; ++piece) times.ttft_s += time(kind.steps[piece]);
  if (whole_prompt && !residual) return times;
  Workload alone = workload;
  alone.prompt_tokens = kind.prompt_tokens();
  alone.prompt_lengths.clear();
  alone.in_flight = 1;
  alone.requests = 1;
  const Excerpt whole = excerpt_of(alone, static_cast<double>(pipeline.devices.size()),
                                   static_cast<double>(kind.steps.size()), limits);
  const RequestSteps steps(alone, pipeline.scheduling, static_cast<int>(pipeline.devices.size()));
  const Replay played = replay(pipeline_work(pipeline, steps, alone, whole), pipeline.cluster);
  if (!played.complete) return times;
  if (!whole_prompt) return {played.first_step_s, played.makespan_s};  // stages overlap
  return {std::max(times.ttft_s, played.first_step_s),
          std::max(times.latency_s, played.makespan_s)};
}

void add_latency(const PlanPipeline& pipeline, const Workload& workload, const PlayLimits& limits,
                 Estimate* estimate) {
  const RequestSteps& steps = pipeline.steps;
  for (const RequestKind& kind : steps.kinds()) {
    const AloneTimes times = alone_times(pipeline, kind, workload, limits);
    estimate->ttft_s += kind.share * times.ttft_s;
    estimate->latency_s += kind.share * times.latency_s;
  }
  const double later = std::max(1.0, static_cast<double>(steps.count()) - 1);
  estimate->tpot_s = (estimate->latency_s - estimate->ttft_s) / later;
}

struct PlayedTime {
  double per_request_s = 0;  // of all requests together
  double error = 0;          // how far off that may be, relatively
};

// From the end of one request to the next, in the middle of a play: without those that began together,
// and the last ones, which have the pipeline for themselves.
double pace(const std::vector<double>& ends_s, std::size_t first, std::size_t last, int round) {
  const std::size_t rounds = (last - first) / static_cast<std::size_t>(round);
  if (rounds == 0) return (ends_s[last] - ends_s[first]) / std::max<double>(1, last - first);
  const std::size_t count = rounds * static_cast<std::size_t>(round);
  return (ends_s[last] - ends_s[last - count]) / static_cast<double>(count);
}

// The whole workload by its excerpt: what is not played goes on at the pace of the middle, of which
// little is known when few rounds were played.
PlayedTime continued(const Replay& played, const Workload& workload) {
  const auto total = static_cast<double>(workload.total_requests());
  const auto count = static_cast<double>(played.ends_s.size());
  if (count == total) return {played.makespan_s / total, 0};
  const int round_count = round_of(workload);
  const auto round = static_cast<std::size_t>(round_count);
  const std::size_t last = played.ends_s.size() - 1 - round;
  const std::size_t middle = (round + last) / 2;
  const double rest = total - count;
  const double rest_s = rest * pace(played.ends_s, round, last, round_count);
  const double difference_s = rest * (pace(played.ends_s, middle, last, round_count) -
                                      pace(played.ends_s, round, middle, round_count));
  const double all_s = played.makespan_s + rest_s;
  const double rounds =
      std::max(1.0, static_cast<double>(last - round) / static_cast<double>(round));
  return {all_s / total, (std::abs(difference_s) / 2 + rest_s / 2 / rounds) / all_s};
}

ReplayLimits replay_limits(const PipelineWork& work, const Workload& workload,
                           const PlayLimits& limits) {
  ReplayLimits most;
  if (limits.most_s == kNoTime) return most;
  if (work.requests == workload.total_requests()) most.most_s = limits.most_s * work.requests;
  if (limits.race == nullptr) return most;
  const RacePace& pace = limits.race->to_beat;
  if (pace.requests != work.requests || pace.steps != work.stretch.size()) return most;
  most.marks_s = pace.marks_s;
  // Early on, less is certain.
  constexpr double kFirstSlack = 0.06;
  const double slower = limits.most_s / pace.per_request_s;
  for (std::size_t mark = 0; mark < most.marks_s.size(); ++mark) {
    most.marks_s[mark] *= slower * (1 + kFirstSlack / static_cast<double>(mark + 1));
  }
  return most;
}

bool is_played(const Workload& workload) {
  constexpr int kMostInFlight = 10'000;
  return workload.total_requests() > 1 && workload.in_flight <= kMostInFlight;
}

// Where it is beyond its limits, all that is known is that it takes longer.
PlayedTime play_workload(const PlanPipeline& pipeline, const Workload& workload,
                         const PlayLimits& limits) {
  const RequestSteps& steps = pipeline.steps;
  const auto most_steps = static_cast<double>(steps.most_steps());
  const Excerpt excerpt =
      excerpt_of(workload, static_cast<double>(pipeline.devices.size()), most_steps, limits);
  const auto work_of = [&](double played_steps) {
    return pipeline_work(pipeline, steps, workload, {excerpt.requests, played_steps});
  };
  const PipelineWork work = work_of(excerpt.steps);
  const Replay played = replay(work, pipeline.cluster, replay_limits(work, workload, limits));
  if (limits.race != nullptr) {
    limits.race->stage_steps += played.stage_steps;
    limits.race->last = {};
  }
  if (!played.complete) return {kNoTime, 0};
  PlayedTime time = continued(played, workload);
  if (limits.race != nullptr) {
    limits.race->last = {work.requests, work.stretch.size(), time.per_request_s, played.marks_s};
  }
  if (limits.most_s == kNoTime && excerpt.steps < most_steps) {
    const PlayedTime coarser =
        continued(replay(work_of(excerpt.steps / 2), pipeline.cluster), workload);
    time.error += std::abs(coarser.per_request_s / time.per_request_s - 1);
  }
  return time;
}

// Each message a few bytes larger or smaller.
PipelineWork nudged(PipelineWork work, Rng& rng) {
  constexpr double kFramingBytes = 3;
  const auto nudge = [&](double& bytes) {
    bytes = std::max(0.0, bytes + rng.uniform(-kFramingBytes, kFramingBytes));
  };
  for (PipelineWork::Kind& kind : work.kinds) {
    for (PipelineWork::Bytes& bytes : kind.bytes) {
      for (std::vector<double>& messages : bytes.messages)
        std::for_each(messages.begin(), messages.end(), nudge);
      std::for_each(bytes.answers.begin(), bytes.answers.end(), nudge);
      nudge(bytes.submit);
    }
  }
  return work;
}

// How far from the play of a workload those are in which every message is a little larger or smaller.
double framing_error(const PlanPipeline& pipeline, const Workload& workload, double as_is_s) {
  constexpr double kStageSteps = 100'000;  // that are spent on it
  constexpr double kFewest = 2;
  constexpr double kMost = 6;
  const Excerpt excerpt = excerpt_of(workload, static_cast<double>(pipeline.devices.size()),
                                     static_cast<double>(pipeline.steps.most_steps()), {});
  const PipelineWork work = pipeline_work(pipeline, pipeline.steps, workload, excerpt);
  const double stage_steps =
      static_cast<double>(pipeline.devices.size() * work.stretch.size()) * work.requests;
  const double plays = std::clamp(kStageSteps / stage_steps, kFewest, kMost);
  Rng rng(1);
  double error = 0;
  for (int i = 0; i < static_cast<int>(plays); ++i) {
    const Replay other = replay(nudged(work, rng), pipeline.cluster);
    if (!other.complete) return 0;
    error = std::max(error, std::abs(continued(other, workload).per_request_s / as_is_s - 1));
  }
  return error;
}

// Never below what the bottleneck and the latency allow.
// Requests whose steps run as one take less than that.
PlayedTime played_time(const PlanPipeline& pipeline, const Workload& workload,
                       const Estimate& alone, const PlayLimits& limits) {
  const double bound = std::max(alone.bottleneck_s, alone.latency_s / workload.overlap());
  if (!is_played(workload)) return {bound, 0};
  const bool is_bound = pipeline.scheduling.max_batch == 1;
  if (is_bound && bound > limits.most_s) return {kNoTime, 0};
  PlayedTime time = play_workload(pipeline, workload, limits);
  if (time.per_request_s == kNoTime) return {limits.most_s < kNoTime ? kNoTime : bound, 0};
  if (is_bound) time.per_request_s = std::max(bound, time.per_request_s);
  return time;
}

// Of a device, all its stages.
double compute_of(const Estimate& estimate, const DeviceName& device) {
  double sum = 0;
  for (const StageEstimate& row : estimate.stages) {
    if (row.device == device) sum += row.compute_s;
  }
  return sum;
}

// Raises the bottleneck to a resource that is busier.
void offer(Estimate* estimate, double busy_s, const std::string& resource) {
  if (busy_s <= estimate->bottleneck_s && !estimate->bottleneck.empty()) return;
  estimate->bottleneck_s = busy_s;
  estimate->bottleneck = resource;
}

void add_transfers(const PlanPipeline& pipeline, Estimate* estimate) {
  const RequestSteps& steps = pipeline.steps;
  double shared_bytes = 0;
  const auto add = [&](const StageMessage& message) {
    const DeviceName& from = pipeline.plan.stages[message.from].device;
    const DeviceName& to = pipeline.plan.stages[message.to].device;
    if (from == to) return;
    const double bytes = steps.sum([&](const Step& step) { return message.bytes.at(step); });
    estimate->stages[message.from].transfer_s +=
        steps.sum([&](const Step& step) { return message_time_at(message, step); });
    const double energy_j =
        transfer_energy(pipeline.cluster, pipeline.cluster.link(from, to), bytes);
    estimate->stages[message.from].energy_j += energy_j / 2;
    estimate->stages[message.to].energy_j += energy_j / 2;
    offer(estimate, bytes / message.link.bytes_per_s, from + " -> " + to);
    shared_bytes += bytes;
  };
  for (const StageMessage& message : pipeline.messages) add(message);
  if (!pipeline.returns) add(pipeline.answer);
  if (pipeline.cluster.shared_bytes_per_s > 0) {
    offer(estimate, shared_bytes / pipeline.cluster.shared_bytes_per_s, "the shared medium");
  }
}

}  // namespace

LinkSpec link_alone(const ClusterSpec& cluster, const DeviceName& from, const DeviceName& to) {
  LinkSpec link = cluster.link(from, to);
  if (cluster.shared_bytes_per_s > 0 && from != to) {
    link.bytes_per_s = std::min(link.bytes_per_s, cluster.shared_bytes_per_s);
  }
  return link;
}

StepFunction return_bytes(const Segmentation& segmentation, const Workload& workload) {
  StepFunction bytes(workload.messages.result);
  if (workload.max_tokens > 0) return bytes;
  for (ValueId value : segmentation.model_outputs) {
    for (const Segment& segment : segmentation.segments) {
      for (const TensorSpec& output : segment.outputs) {
        if (output.value == value) bytes += output.bytes + StepFunction(workload.messages.tensor);
      }
    }
  }
  return bytes;
}

Estimate estimate(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster,
                  const Workload& workload, const PlayLimits& limits) {
  const PlanPipeline pipeline = make_pipeline(plan, segmentation, cluster, workload);
  const RequestSteps& steps = pipeline.steps;
  Estimate result;
  result.stages = stages_memory(plan, segmentation, workload);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    StageEstimate& row = result.stages[s];
    row.memory_bytes = pipeline.devices[s]->memory_bytes;
    row.compute_s = steps.sum([&](const Step& step) { return compute_at(pipeline, s, step); });
    row.energy_j = compute_energy(*pipeline.devices[s], Seconds(row.compute_s));
  }
  for (const DeviceName& device : plan.devices())
    offer(&result, compute_of(result, device), device + " computing");
  add_transfers(pipeline, &result);
  add_latency(pipeline, workload, limits, &result);
  const auto count = static_cast<double>(steps.count());
  for (const StageEstimate& stage : result.stages) {
    result.energy_per_token_j += stage.energy_j / count;
  }
  const PlayedTime time = played_time(pipeline, workload, result, limits);
  result.tokens_per_s = count / time.per_request_s;
  result.tokens_per_s_error = time.error;
  return result;
}

Estimate estimate_with_error(const Plan& plan, const Segmentation& segmentation,
                             const ClusterSpec& cluster, const Workload& workload) {
  Estimate result = estimate(plan, segmentation, cluster, workload);
  if (is_played(workload)) {
    const PlanPipeline pipeline = make_pipeline(plan, segmentation, cluster, workload);
    const double as_is_s = static_cast<double>(pipeline.steps.count()) / result.tokens_per_s;
    const double error = framing_error(pipeline, workload, as_is_s);
    result.tokens_per_s_error = std::max(result.tokens_per_s_error, error);
  }
  return result;
}

double played_request_s(const Plan& plan, const Segmentation& segmentation,
                        const ClusterSpec& cluster, const Workload& workload,
                        const PlayLimits& limits) {
  if (!is_played(workload)) {
    return static_cast<double>(RequestSteps(workload).count()) /
           estimate(plan, segmentation, cluster, workload, limits).tokens_per_s;
  }
  const PlanPipeline pipeline = make_pipeline(plan, segmentation, cluster, workload);
  return play_workload(pipeline, workload, limits).per_request_s;
}

double objective_value(const Estimate& estimate, const Objective& objective) {
  double value = objective.latency * estimate.latency_s + objective.ttft * estimate.ttft_s +
                 objective.tpot * estimate.tpot_s + objective.energy * estimate.energy_per_token_j;
  if (objective.throughput > 0) value += objective.throughput / estimate.tokens_per_s;
  return value;
}

}  // namespace lingua
