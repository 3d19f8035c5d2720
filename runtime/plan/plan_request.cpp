#include "runtime/plan/plan_request.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

// So many first segments there are up to the last that is given a token, those aside that the header
// keeps at the end.
int users_of_inputs(const Segmentation& segmentation, const PlanRules& rules) {
  const int between = static_cast<int>(segmentation.segments.size()) - rules.header_keeps_last;
  int count = 1;
  for (int s = 0; s < between; ++s) {
    for (const TensorSpec& used : segmentation.segments[s].inputs) {
      const auto& inputs = segmentation.model_inputs;
      const bool given = std::any_of(inputs.begin(), inputs.end(),
                                     [&](const auto& input) { return input.value == used.value; });
      if (given) count = s + 1;
    }
  }
  return count;
}

}  // namespace

void check_rules(const PlanRules& rules, const ClusterSpec& cluster) {
  const auto check_known = [&](const DeviceName& name, const char* what) {
    if (name.empty() || cluster.index_of(name) >= 0) return;
    throw UsageError(fmt::format("{} '{}' is no device of cluster '{}'; write one of {}", what,
                                 name, cluster.name, cluster.names()));
  };
  const auto excluded = [&](const DeviceName& name) {
    return std::count(rules.excluded.begin(), rules.excluded.end(), name) > 0;
  };
  const auto check_pinned = [&](const DeviceName& name, const char* role) {
    if (!excluded(name)) return;
    throw UsageError(
        fmt::format("device '{}' is to be {} and excluded; write one of the two", name, role));
  };
  for (const DeviceName& name : rules.excluded) check_known(name, "excluded device");
  check_known(rules.header, "header");
  check_known(rules.tailer, "tailer");
  check_pinned(rules.header, "header");
  check_pinned(rules.tailer, "tailer");
  if (rules.header.empty()) check_pinned(cluster.header, "header (by the cluster file)");
  if (std::all_of(cluster.devices.begin(), cluster.devices.end(),
                  [&](const DeviceSpec& device) { return excluded(device.name); }))
    throw UsageError("every device is excluded; leave one at least");
  const DeviceName& header = rules.header.empty() ? cluster.header : rules.header;
  if (rules.header_keeps_last > 0 && !rules.tailer.empty() && !header.empty() &&
      rules.tailer != header) {
    throw UsageError(
        fmt::format("the header '{}' is to keep the last segments and '{}' is to be tailer; write "
                    "one of the two",
                    header, rules.tailer));
  }
}

PlanRules resolved_rules(const PlanRequest& request) {
  PlanRules rules = request.rules;
  if (rules.header.empty()) rules.header = request.cluster->header;
  if (!rules.tailer.empty() && (rules.tailer == rules.header || rules.header_keeps_last > 0)) {
    const bool has_two_ends = request.segmentation->segments.size() > 1;
    rules.header = rules.tailer;
    rules.header_keeps_last = std::max(rules.header_keeps_last, has_two_ends ? 1 : 0);
    rules.tailer.clear();
  }
  if (rules.header_keeps_last > 0)
    rules.header_keeps =
        std::max(rules.header_keeps, users_of_inputs(*request.segmentation, rules));
  return rules;
}

std::string broken_rule(const std::vector<Stage>& stages, const PlanRules& rules) {
  for (const Stage& stage : stages) {
    if (std::count(rules.excluded.begin(), rules.excluded.end(), stage.device) > 0)
      return fmt::format("'{}' is excluded and runs segments", stage.device);
  }
  if (!rules.header.empty() && stages.front().device != rules.header)
    return fmt::format("the header is '{}', not '{}'", stages.front().device, rules.header);
  if (!rules.tailer.empty() && stages.back().device != rules.tailer)
    return fmt::format("the tailer is '{}', not '{}'", stages.back().device, rules.tailer);
  if (stages.size() > 1 && stages.front().last_segment + 1 < rules.header_keeps) {
    return fmt::format("the header keeps {} segments, not {}", stages.front().last_segment + 1,
                       rules.header_keeps);
  }
  const int kept = header_keeps_last(stages);
  if (stages.size() > 1 && kept != rules.header_keeps_last) {
    return fmt::format("the header keeps the last {} segments, not {}", kept,
                       rules.header_keeps_last);
  }
  return "";
}

}  // namespace lingua
