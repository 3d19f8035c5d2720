#include "runtime/predict/plan_pipeline.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/device/roofline.h"
#include "runtime/plan/run_memory.h"
#include "runtime/predict/estimate.h"
#include "runtime/predict/wire_sizes.h"
#include "runtime/schedule/schedule.h"

namespace lingua {

PlanPipeline make_pipeline(const Plan& plan, const Segmentation& segmentation,
                           const ClusterSpec& cluster, const Workload& workload) {
  const Scheduling scheduling =
      with_batches(allowed_by(segmentation.freedom, workload.scheduling), workload.in_flight,
                   static_cast<int>(plan.stages.size()));
  PlanPipeline pipeline{plan,
                        segmentation,
                        cluster,
                        {},
                        header_keeps_last(plan.stages) > 0,
                        {},
                        {},
                        scheduling,
                        workload.communication.share_frames,
                        {workload, scheduling, static_cast<int>(plan.stages.size())}};
  // A device that has two stages sends from the first and receives in the last.
  std::map<DeviceName, int> sender;
  std::map<DeviceName, int> receiver;
  for (const Stage& stage : plan.stages) {
    const int s = static_cast<int>(pipeline.devices.size());
    sender.try_emplace(stage.device, s);
    receiver[stage.device] = s;
    pipeline.devices.push_back(&cluster.device(stage.device));
  }
  struct Contents {
    StepFunction bytes;
    std::vector<ValueId> values;
  };
  std::map<std::pair<int, int>, Contents> contents;  // by (to, from)
  for (const Transfer& transfer : plan.transfers) {
    Contents& message = contents[{receiver.at(transfer.to), sender.at(transfer.from)}];
    message.bytes += transfer.bytes;
    message.values.push_back(transfer.value);
  }
  for (const auto& [ends, message] : contents) {
    const auto [to, from] = ends;
    LINGUA_CHECK(from < to, "a transfer goes backwards");
    const StepFunction around(workload.messages.activations +
                              static_cast<double>(message.values.size()) *
                                  workload.messages.tensor);
    pipeline.messages.push_back(
        {from, to, message.bytes + around,
         link_alone(cluster, plan.stages[from].device, plan.stages[to].device), message.bytes,
         message.values});
  }
  pipeline.answer = {
      static_cast<int>(plan.stages.size()) - 1,          0,  return_bytes(segmentation, workload),
      link_alone(cluster, plan.tailer(), plan.header()), {}, {}};
  if (workload.max_tokens == 0) pipeline.answer.contents = pipeline.answer.bytes;
  return pipeline;
}

double compute_at(const PlanPipeline& pipeline, std::size_t stage, const Step& step) {
  const Stage& run = pipeline.plan.stages[stage];
  double sum = 0;
  for (SegmentId id = run.first_segment; id <= run.last_segment; ++id) {
    sum += compute_time(pipeline.segmentation.segments[id], *pipeline.devices[stage], step).count();
  }
  return sum;
}

double message_time_at(const StageMessage& message, const Step& step) {
  return transfer_time(message.link, message.bytes.at(step)).count();
}

double step_time(const PlanPipeline& pipeline, const Step& step) {
  std::vector<double> finish(pipeline.devices.size(), 0);
  auto message = pipeline.messages.begin();
  for (std::size_t s = 0; s < finish.size(); ++s) {
    double start = pipeline.returns && s + 1 == finish.size() ? finish.front() : 0;
    for (; message != pipeline.messages.end() && message->to == static_cast<int>(s); ++message) {
      start = std::max(start, finish[message->from] + message_time_at(*message, step));
    }
    finish[s] = start + compute_at(pipeline, s, step);
  }
  return finish.back() + (pipeline.returns ? 0 : message_time_at(pipeline.answer, step));
}

namespace {

// Which steps are played for a request, each standing for `stretch` of them: all where that is not
// too much work.
std::vector<PlayedStep> played_steps(const RequestKind& kind, double most) {
  const std::vector<Step>& steps = kind.steps;
  const auto group =
      static_cast<std::size_t>(std::ceil(static_cast<double>(steps.size()) / std::max(most, 4.0)));
  std::vector<PlayedStep> played;
  for (std::size_t piece = 0; piece < kind.pieces; ++piece) {
    played.push_back({steps[piece], 1, static_cast<std::int64_t>(piece), piece + 1 < kind.pieces});
  }
  for (std::size_t first = kind.pieces; first < steps.size(); first += group) {
    const std::size_t count = std::min(group, steps.size() - first);
    const std::size_t middle = first + count / 2;
    played.push_back(
        {steps[middle], static_cast<double>(count), static_cast<std::int64_t>(middle), false});
  }
  return played;
}

PipelineWork::Kind kind_work(const PlanPipeline& pipeline, const std::vector<PlayedStep>& played) {
  PipelineWork::Kind kind;
  for (const PlayedStep& step : played) {
    std::vector<double>& compute_s = kind.compute_s.emplace_back();
    for (std::size_t s = 0; s < pipeline.devices.size(); ++s)
      compute_s.push_back(step.stretch * compute_at(pipeline, s, step.step));
  }
  return kind;
}

PipelineWork::Bytes bytes_of(const WireSizes& sizes, const SizedRequest& request,
                             const std::vector<PlayedStep>& played) {
  PipelineWork::Bytes bytes;
  std::int64_t token = 0;
  for (const PlayedStep& step : played) {
    bytes.answers.push_back(step.stretch * sizes.answer(request, step));
    std::vector<double>& messages = bytes.messages.emplace_back();
    for (std::size_t m = 0; m < sizes.messages(); ++m)
      messages.push_back(step.stretch * sizes.activations(m, request, step));
    if (step.prompt_goes_on) continue;
    bytes.tokens_made.push_back(sizes.token_made(request, token));
    token += static_cast<std::int64_t>(step.stretch);
  }
  bytes.submit = sizes.submit(request);
  bytes.done = sizes.done(request);
  bytes.release = sizes.release(request);
  return bytes;
}

// Which messages may share a frame with others.
void add_sharing(const PlanPipeline& pipeline, const std::vector<PlayedStep>& played,
                 PipelineWork::Kind* kind) {
  const auto is_small = [](const StageMessage& message, const Step& step) {
    return message.contents.at(step) <= kMostSharedBytes;
  };
  for (const PlayedStep& step : played) {
    std::vector<char>& small = kind->message_is_small.emplace_back();
    for (const StageMessage& message : pipeline.messages)
      small.push_back(is_small(message, step.step));
    kind->answer_is_small.push_back(is_small(pipeline.answer, step.step));
  }
}

// The segments that the device of a stage runs, in all its stages.
template <class Visit>
void for_each_segment(const PlanPipeline& pipeline, std::size_t stage, const Visit& visit) {
  for (const Stage& other : pipeline.plan.stages) {
    if (other.device != pipeline.plan.stages[stage].device) continue;
    for (SegmentId id = other.first_segment; id <= other.last_segment; ++id)
      visit(pipeline.segmentation.segments[id]);
  }
}

// What the policies look at.
void add_scheduling(const PlanPipeline& pipeline, const std::vector<PlayedStep>& played,
                    std::int64_t capacity, PipelineWork::Kind* kind) {
  kind->capacity = capacity;
  for (const PlayedStep& step : played) {
    kind->steps.push_back(step.step);
    std::vector<double>& bytes = kind->activation_bytes.emplace_back();
    for (std::size_t s = 0; s < pipeline.devices.size(); ++s) {
      for_each_segment(pipeline, s, [&, most = &bytes.emplace_back()](const Segment& segment) {
        *most = std::max(*most, segment.activation_bytes(step.step));
      });
    }
  }
  for (std::size_t s = 0; s < pipeline.devices.size(); ++s) {
    for_each_segment(pipeline, s,
                     [&, sum = &kind->state_bytes.emplace_back()](const Segment& segment) {
                       *sum += segment.state_bytes(capacity);
                     });
  }
}

// Steps of some kinds as one: of those that stand for several as many share the weights as the longest
// stands for.
class TogetherTime {
 public:
  TogetherTime(const PlanPipeline& pipeline, const std::vector<double>& stretch)
      : pipeline_(pipeline), stretch_(stretch) {}

  double operator()(int stage, const std::vector<PipelineWork::Part>& batch) const {
    double sum = 0;
    const Stage& run = pipeline_.plan.stages[static_cast<std::size_t>(stage)];
    const DeviceSpec& device = *pipeline_.devices[static_cast<std::size_t>(stage)];
    for (SegmentId id = run.first_segment; id <= run.last_segment; ++id)
      sum += segment_s(pipeline_.segmentation.segments[id], device, batch);
    return sum;
  }

 private:
  double segment_s(const Segment& segment, const DeviceSpec& device,
                   const std::vector<PipelineWork::Part>& batch) const {
    Work work;
    double all = 0;
    double longest = 0;
    for (const PipelineWork::Part& part : batch) {
      const std::size_t later =
          part.step < part.kind->pieces ? 0 : part.step - part.kind->pieces + 1;
      const Step& step = part.kind->steps[part.step];
      const double times = stretch_[later];
      work.flops += times * segment.flops.at(step);
      work.bytes += times * segment.bytes_moved.at(step);
      all += times;
      longest = std::max(longest, times);
    }
    work.bytes -= (all - longest) * segment.weights_read;
    return (compute_time(work, device) + (longest - 1) * device.overhead).count();
  }

  const PlanPipeline& pipeline_;
  std::vector<double> stretch_;
};

// Memory that is left beside weights.
std::vector<double> free_bytes(const PlanPipeline& pipeline, const Workload& workload) {
  std::map<DeviceName, double> left;
  for (const StageEstimate& row : stages_memory(pipeline.plan, pipeline.segmentation, workload)) {
    const double memory_bytes = pipeline.cluster.device(row.device).memory_bytes;
    left.try_emplace(row.device, memory_bytes).first->second -= row.weights_bytes;
  }
  std::vector<double> bytes;
  for (const Stage& stage : pipeline.plan.stages) bytes.push_back(left.at(stage.device));
  return bytes;
}

struct PlayedKind {
  std::int64_t prompt_tokens = 0;
  std::vector<PlayedStep> steps;
};

// Requests whose numbers take as much room as each other's have messages of the same sizes.
void add_bytes(const WireSizes& sizes, const std::vector<PlayedKind>& kinds, PipelineWork* work) {
  std::map<double, int> widths;
  for (int r = 0; r < work->requests; ++r) {
    const int next = static_cast<int>(widths.size());
    const int width = widths.try_emplace(sizes.release({r, 0}), next).first->second;
    work->widths.push_back(width);
    const auto kind = static_cast<std::size_t>(work->turn[r % work->turn.size()]);
    std::vector<PipelineWork::Bytes>& bytes = work->kinds[kind].bytes;
    bytes.resize(std::max(bytes.size(), widths.size()));
    if (bytes[width].answers.empty())
      bytes[width] = bytes_of(sizes, {r, kinds[kind].prompt_tokens}, kinds[kind].steps);
  }
}

struct TogetherBytes {
  WireSizes sizes;
  std::vector<PlayedKind> kinds;
  std::vector<int> turn;  // of the requests

  double operator()(int message, const std::vector<PipelineWork::Part>& parts) const {
    std::vector<WireSizes::Part> sized;
    for (const PipelineWork::Part& part : parts) {
      const PlayedKind& kind = kinds[static_cast<std::size_t>(turn[part.request % turn.size()])];
      sized.push_back({{part.request, kind.prompt_tokens}, kind.steps[part.step]});
    }
    const bool is_answer = message == PipelineWork::kAnswers;
    return sizes.together(is_answer ? WireSizes::kAnswers : static_cast<std::size_t>(message),
                          sized);
  }
};

}  // namespace

PipelineWork pipeline_work(const PlanPipeline& pipeline, const RequestSteps& steps,
                           const Workload& workload, const Excerpt& excerpt) {
  PipelineWork work;
  work.scheduling = pipeline.scheduling;
  work.in_flight = workload.in_flight;
  work.requests = excerpt.requests;
  work.turn = steps.turn();
  work.returns = pipeline.returns;
  for (const Stage& stage : pipeline.plan.stages) work.devices.push_back(stage.device);
  for (const StageMessage& message : pipeline.messages) {
    work.messages.push_back({message.from, message.to});
  }
  std::vector<PlayedKind> played_kinds;
  for (const RequestKind& kind : steps.kinds()) {
    played_kinds.push_back({kind.prompt_tokens(), played_steps(kind, excerpt.steps)});
    const std::vector<PlayedStep>& played = played_kinds.back().steps;
    work.kinds.push_back(kind_work(pipeline, played));
    work.kinds.back().pieces = kind.pieces;
    if (work.scheduling != Scheduling{}) {
      const std::int64_t tokens = kind.prompt_tokens() + workload.max_tokens;
      add_scheduling(pipeline, played, workload.max_tokens > 0 ? tokens : 0, &work.kinds.back());
    }
    if (pipeline.shares_frames && work.scheduling.max_batch > 1)
      add_sharing(pipeline, played, &work.kinds.back());
    work.stretch.clear();
    for (std::size_t s = kind.pieces - 1; s < played.size(); ++s)
      work.stretch.push_back(played[s].stretch);
  }
  const WireSizes sizes(pipeline, workload);
  add_bytes(sizes, played_kinds, &work);
  if (work.scheduling.max_batch > 1) {
    work.together_s = TogetherTime(pipeline, work.stretch);
    if (pipeline.shares_frames)
      work.together_bytes = TogetherBytes{sizes, std::move(played_kinds), work.turn};
    work.free_bytes = free_bytes(pipeline, workload);
  }
  return work;
}

}  // namespace lingua
