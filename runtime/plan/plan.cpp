#include "runtime/plan/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/device/wire_tensors.h"
#include "runtime/model/segmentation_digest.h"

namespace lingua {
namespace {

// Who makes a value and which stages use it.
struct Way {
  int from = 0;
  StepFunction bytes;
  std::set<int> to;
};

// The way of every value that any stage makes or the header is given.
std::map<ValueId, Way> ways_of(const Segmentation& segmentation, const std::vector<Stage>& stages,
                               WireType wire) {
  const auto bytes = [&](const TensorSpec& spec) {
    return wire_spec(spec, segmentation.model_outputs, wire).bytes;
  };
  std::map<ValueId, Way> ways;
  for (const TensorSpec& input : segmentation.model_inputs)
    ways[input.value] = {0, bytes(input), {}};
  for (std::size_t s = 0; s < stages.size(); ++s) {
    for (SegmentId id = stages[s].first_segment; id <= stages[s].last_segment; ++id) {
      for (const TensorSpec& output : segmentation.segments[id].outputs) {
        ways[output.value] = {static_cast<int>(s), bytes(output), {}};
      }
    }
  }
  const auto use = [&](ValueId value, int stage) {
    const auto way = ways.find(value);
    LINGUA_CHECK(way != ways.end(), "value {} is used and nobody makes it", value);
    if (stages[way->second.from].device != stages[stage].device) way->second.to.insert(stage);
  };
  for (std::size_t s = 0; s < stages.size(); ++s) {
    for (SegmentId id = stages[s].first_segment; id <= stages[s].last_segment; ++id) {
      for (const TensorSpec& input : segmentation.segments[id].inputs) {
        use(input.value, static_cast<int>(s));
      }
    }
  }
  for (ValueId value : segmentation.model_outputs) use(value, static_cast<int>(stages.size()) - 1);
  return ways;
}

}  // namespace

SegmentationMark mark_of(const Segmentation& segmentation) {
  return {segmentation.rule, static_cast<int>(segmentation.segments.size()),
          digest_of(segmentation)};
}

const char* optimality_name(Optimality optimality) {
  switch (optimality) {
    case Optimality::kOptimal: return "optimal";
    case Optimality::kFeasible: return "feasible";
    case Optimality::kHeuristic: break;
  }
  return "heuristic";
}

const DeviceName& Plan::device_of(SegmentId segment) const {
  for (const Stage& stage : stages) {
    if (segment >= stage.first_segment && segment <= stage.last_segment) return stage.device;
  }
  throw BugError(fmt::format("no stage runs segment {}", segment));
}

std::vector<DeviceName> Plan::devices() const {
  std::vector<DeviceName> names;
  for (const Stage& stage : stages) names.push_back(stage.device);
  if (header_keeps_last(stages) > 0) names.pop_back();
  for (const Keeper& keeper : keepers) names.push_back(keeper.device);
  return names;
}

bool Plan::runs_on(const DeviceName& device) const {
  return std::any_of(stages.begin(), stages.end(),
                     [&](const Stage& stage) { return stage.device == device; });
}

std::set<SegmentId> Plan::held_by(const DeviceName& device) const {
  std::set<SegmentId> held;
  for (const Stage& stage : stages) {
    if (stage.device != device) continue;
    held.insert(stage.stored_segments.begin(), stage.stored_segments.end());
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id) held.insert(id);
  }
  for (const Keeper& keeper : keepers) {
    if (keeper.device == device)
      held.insert(keeper.stored_segments.begin(), keeper.stored_segments.end());
  }
  return held;
}

Held held_by(const Plan& plan) {
  Held held;
  for (const DeviceName& device : plan.devices()) held[device] = plan.held_by(device);
  return held;
}

int header_keeps_last(const std::vector<Stage>& stages) {
  if (stages.size() < 3 || stages.front().device != stages.back().device) return 0;
  return stages.back().last_segment - stages.back().first_segment + 1;
}

std::vector<Transfer> transfers_of(const Segmentation& segmentation,
                                   const std::vector<Stage>& stages,
                                   const Communication& communication) {
  std::vector<std::tuple<int, int, ValueId, StepFunction>> rows;
  for (const auto& [value, way] : ways_of(segmentation, stages, communication.wire)) {
    if (communication.residuals == ResidualPath::kRelay && !way.to.empty()) {
      for (int s = way.from; s < *way.to.rbegin(); ++s)
        rows.emplace_back(s, s + 1, value, way.bytes);
      continue;
    }
    for (int to : way.to) rows.emplace_back(way.from, to, value, way.bytes);
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a), std::get<2>(a)) <
           std::tie(std::get<0>(b), std::get<1>(b), std::get<2>(b));
  });
  std::vector<Transfer> transfers;
  transfers.reserve(rows.size());
  for (const auto& [from, to, value, bytes] : rows) {
    transfers.push_back({value, stages[from].device, stages[to].device, to != from + 1, bytes});
  }
  return transfers;
}

}  // namespace lingua
