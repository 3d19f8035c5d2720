#include "runtime/engine/work_meter.h"

#include <algorithm>
#include <utility>

#include "runtime/device/roofline.h"

namespace lingua {

WorkMeter::WorkMeter(const Prepare& prepare) : every_(prepare.measuring.every) {
  if (!measures()) return;
  expected_.flops_per_s = prepare.measuring.flops_per_s;
  expected_.memory_bytes_per_s = prepare.measuring.memory_bytes_per_s;
  expected_.overhead = prepare.measuring.overhead;
  for (const Segment& segment : prepare.segments) segments_.emplace(segment.id, segment);
}

void WorkMeter::ran(SegmentId segment, const std::vector<SegmentStep>& batch, Seconds took) {
  if (!measures()) return;
  steps_.clear();
  for (const SegmentStep& step : batch) steps_.push_back(step.context.step);
  const bool is_prompt = std::any_of(steps_.begin(), steps_.end(),
                                     [](const Step& step) { return step.new_tokens > 1; });
  WorkTime& time = is_prompt ? prompts_ : tokens_;
  ++time.runs;
  time.expected_s += compute_time(work_of(segments_.at(segment), steps_), expected_).count();
  time.measured_s += took.count();
}

void WorkMeter::arrived(const Message& message) {
  if (!measures()) return;
  LinkTime& link = links_[message.from];
  link.from = message.from;
  ++link.messages;
  link.bytes += message.wire_bytes;
  link.seconds += (message.arrived - message.sent).count();
}

bool WorkMeter::is_due(Seconds now) const {
  return measures() && prompts_.runs + tokens_.runs > 0 && now >= last_ + every_;
}

WorkReport WorkMeter::report(Seconds now, Epoch epoch, std::size_t queued,
                             const Telemetry& telemetry) {
  last_ = now;
  WorkReport report{epoch, std::exchange(prompts_, {}),       std::exchange(tokens_, {}),
                    {},    static_cast<std::int64_t>(queued), telemetry};
  for (auto& [from, link] : links_) report.links.push_back(std::move(link));
  links_.clear();
  return report;
}

}  // namespace lingua
