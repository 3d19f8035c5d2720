#include "runtime/predict/token_time.h"

#include "runtime/predict/plan_pipeline.h"

namespace lingua {
namespace {

TokenTime with_message(TokenTime way, const StageMessage& message, const Step& step) {
  const double latency_s = message.link.latency.count();
  way.latency_s += latency_s;
  way.bytes_s += message_time_at(message, step) - latency_s;
  ++way.hops;
  return way;
}

// From the header's start to the answer at the header.
TokenTime way_of(const PlanPipeline& pipeline, const Step& step) {
  std::vector<TokenTime> ways(pipeline.devices.size());
  auto message = pipeline.messages.begin();
  for (std::size_t s = 0; s < ways.size(); ++s) {
    TokenTime longest;
    if (pipeline.returns && s + 1 == ways.size()) longest = ways.front();
    for (; message != pipeline.messages.end() && message->to == static_cast<int>(s); ++message) {
      const TokenTime way =
          with_message(ways[static_cast<std::size_t>(message->from)], *message, step);
      if (way.sum_s() >= longest.sum_s()) longest = way;
    }
    longest.compute_s += compute_at(pipeline, s, step);
    ways[s] = longest;
  }
  const bool answers = !pipeline.returns && ways.size() > 1;
  return answers ? with_message(ways.back(), pipeline.answer, step) : ways.back();
}

}  // namespace

TokenTime token_time(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster,
                     const Workload& workload) {
  const PlanPipeline pipeline = make_pipeline(plan, segmentation, cluster, workload);
  const RequestSteps& steps = pipeline.steps;
  if (steps.count() < 2) return {};
  const auto mean = [&](double TokenTime::*part) {
    const auto of_step = [&](const Step& step) { return way_of(pipeline, step).*part; };
    return (steps.sum(of_step) - steps.first(of_step)) / static_cast<double>(steps.count() - 1);
  };
  return {mean(&TokenTime::compute_s), mean(&TokenTime::latency_s), mean(&TokenTime::bytes_s),
          mean(&TokenTime::hops)};
}

}  // namespace lingua
