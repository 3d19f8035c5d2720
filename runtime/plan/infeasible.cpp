#include <algorithm>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/plan/chain_search.h"
#include "runtime/plan/plan_costs.h"
#include "runtime/plan/run_memory.h"

namespace lingua {
namespace {

std::string bytes(double value) { return format_quantity(value, Unit::kBytes); }

RunMemory memory_of(const PlanRequest& request, int first, int last) {
  RunMemory memory(request.workload);
  for (int s = first; s <= last; ++s) memory.run(request.segmentation->segments[s]);
  return memory;
}

void explain_single(const PlanRequest& request, const DeviceSpec& largest) {
  for (const Segment& segment : request.segmentation->segments) {
    const RunMemory memory = memory_of(request, segment.id, segment.id);
    if (memory.total_bytes() <= largest.memory_bytes) continue;
    throw InfeasibleError(
        fmt::format("no plan fits: segment {} ('{}') needs {} ({}); the largest device '{}' has {}",
                    segment.id, segment.name, bytes(memory.total_bytes()), memory.to_string(),
                    largest.name, bytes(largest.memory_bytes)));
  }
}

void explain_header(const PlanRequest& request) {
  if (request.cluster->header.empty()) return;
  const DeviceSpec& header = request.cluster->device(request.cluster->header);
  const RunMemory memory = memory_of(request, 0, 0);
  if (memory.total_bytes() <= header.memory_bytes) return;
  throw InfeasibleError(
      fmt::format("no plan fits: segment 0 ('{}') needs {} ({}) on the header '{}', which has {}; "
                  "choose another "
                  "header",
                  request.segmentation->segments[0].name, bytes(memory.total_bytes()),
                  memory.to_string(), header.name, bytes(header.memory_bytes)));
}

void explain_total(const PlanRequest& request) {
  const int last = static_cast<int>(request.segmentation->segments.size()) - 1;
  const RunMemory memory = memory_of(request, 0, last);
  double total = 0;
  for (const DeviceSpec& device : request.cluster->devices) total += device.memory_bytes;
  if (memory.total_bytes() <= total) return;
  throw InfeasibleError(
      fmt::format("no plan fits: the model needs {} ({}); the {} devices together have {}",
                  bytes(memory.total_bytes()), memory.to_string(), request.cluster->devices.size(),
                  bytes(total)));
}

}  // namespace

void PlanCosts::explain_rules() const {
  const PlanRules& rules = request_->rules;
  const auto check = [&](const DeviceSpec& device, const char* role, int first, int last) {
    const RunMemory need = memory_of(*request_, first, last);
    if (need.total_bytes() <= device.memory_bytes) return;
    throw InfeasibleError(fmt::format(
        "no plan fits: the {} '{}' must run segments {} to {}, which need {} ({}); it has {}", role,
        device.name, first, last, bytes(need.total_bytes()), need.to_string(),
        bytes(device.memory_bytes)));
  };
  if (rules.header_keeps > 1 && header_ >= 0)
    check(request_->cluster->devices[header_], "header", 0, rules.header_keeps - 1);
  if (tailer_ < 0) return;
  const DeviceSpec& tailer = request_->cluster->devices[tailer_];
  check(tailer, "tailer", tailer_ == header_ ? 0 : segments_ - 1, segments_ - 1);
}

// Where a plan could do without the floor: how far each device may go.
void PlanCosts::explain_battery() const {
  if (request_->rules.battery_floor == 0) return;
  PlanRequest without = *request_;
  without.rules.battery_floor = 0;
  const PlanCosts free(without);
  if (quick_chain(free).empty()) return;
  constexpr int kNamed = 8;
  std::string reach;
  for (int d = 0; d < std::min(devices_, kNamed); ++d) {
    int most = 0;
    for (int first = 0; first < segments_; ++first) {
      int last = first;
      while (last < segments_ && compute({d, first, last}) <= battery_s_[d]) ++last;
      most = std::max(most, last - first);
    }
    reach += fmt::format("{}{} {}", d == 0 ? "" : ", ", request_->cluster->devices[d].name, most);
  }
  throw InfeasibleError(fmt::format(
      "no plan leaves every battery at {:.1f}% or more; of {} segments could run at most: {}{}. "
      "Lower the floor or ask for fewer requests ({})",
      100 * request_->rules.battery_floor, segments_, reach, devices_ > kNamed ? ", ..." : "",
      request_->workload.total_requests()));
}

void PlanCosts::explain_contiguity() const {
  // Devices with the most memory first reach as far as any order when all are alike; the message
  // says how far that is.
  std::vector<int> order(devices_);
  for (int d = 0; d < devices_; ++d) order[d] = d;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    if ((a == header_) != (b == header_)) return a == header_;
    return request_->cluster->devices[a].memory_bytes > request_->cluster->devices[b].memory_bytes;
  });
  int next = 0;
  for (int d : order) {
    const int first = next;
    while (next < segments_ && fits({d, first, next})) ++next;
  }
  double total = 0;
  for (const DeviceSpec& device : request_->cluster->devices) total += device.memory_bytes;
  throw InfeasibleError(
      fmt::format("no plan fits: the model needs {} and the {} devices together have {}, but no "
                  "order of runs of "
                  "whole segments fits them (largest device first, {} of {} segments find a "
                  "place); cut the model "
                  "into more segments",
                  bytes(memory(0, segments_ - 1)), devices_, bytes(total), next, segments_));
}

void PlanCosts::explain_infeasible() const {
  const auto& devices = request_->cluster->devices;
  const auto largest = std::max_element(
      devices.begin(), devices.end(),
      [](const DeviceSpec& a, const DeviceSpec& b) { return a.memory_bytes < b.memory_bytes; });
  explain_battery();
  explain_rules();
  explain_single(*request_, *largest);
  explain_header(*request_);
  explain_total(*request_);
  explain_contiguity();
  throw BugError("explain_contiguity returned");
}

}  // namespace lingua
