#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/plan/chain_search.h"
#include "runtime/plan/plan_costs.h"
#include "runtime/plan/run_memory.h"

namespace lingua {
namespace {

// Beside each other: they must not read the same.
std::pair<std::string, std::string> apart(double need, double has) {
  return format_apart(need, has, Unit::kBytes);
}

}  // namespace

void PlanCosts::explain_single() const {
  const auto& devices = request_->cluster->devices;
  const auto largest = std::max_element(
      devices.begin(), devices.end(),
      [](const DeviceSpec& a, const DeviceSpec& b) { return a.memory_bytes < b.memory_bytes; });
  for (const Segment& segment : request_->segmentation->segments) {
    RunMemory memory(request_->workload);
    memory.run(segment);
    if (memory.total_bytes() <= largest->memory_bytes) continue;
    const auto [need, has] = apart(memory.total_bytes(), largest->memory_bytes);
    throw InfeasibleError(
        fmt::format("no plan fits: segment {} ('{}') needs {} ({}); the largest device '{}' has {}",
                    segment.id, segment.name, need, memory.to_string(), largest->name, has));
  }
}

void PlanCosts::explain_header() const {
  if (header_ < 0) return;
  const DeviceSpec& header = request_->cluster->devices[header_];
  const RunMemory memory = memory_of(0, 0);
  if (memory.total_bytes() <= header.memory_bytes) return;
  const auto [need, has] = apart(memory.total_bytes(), header.memory_bytes);
  throw InfeasibleError(fmt::format(
      "no plan fits: segment 0 ('{}') needs {} ({}) on the header '{}', which has {}; "
      "choose another header",
      request_->segmentation->segments[0].name, need, memory.to_string(), header.name, has));
}

void PlanCosts::explain_total() const {
  const RunMemory memory = memory_of(0, segments_ - 1);
  double total = 0;
  for (const DeviceSpec& device : request_->cluster->devices) total += device.memory_bytes;
  if (memory.total_bytes() <= total) return;
  const auto [need, has] = apart(memory.total_bytes(), total);
  throw InfeasibleError(
      fmt::format("no plan fits: the model needs {} ({}); the {} devices together have {}", need,
                  memory.to_string(), devices_, has));
}

// What the first and the last segment both use: two devices hold it twice.
double PlanCosts::tied_bytes() const {
  if (segments_ < 2 || kept_ > 0) return 0;
  double sum = 0;
  const std::vector<Segment>& segments = request_->segmentation->segments;
  for (const WeightSpec& weight : segments.front().weights) {
    const auto& others = segments.back().weights;
    if (std::any_of(others.begin(), others.end(),
                    [&](const WeightSpec& other) { return other.name == weight.name; }))
      sum += static_cast<double>(weight.bytes());
  }
  return sum;
}

// Whether one device at both ends would do.
std::string PlanCosts::advice_for_tied() const {
  PlanRequest both_ends = *request_;
  both_ends.rules.header_keeps_last = 1;
  both_ends.rules.tailer.clear();
  const bool helps = rules_.tailer.empty() && !quick_chain(PlanCosts(both_ends)).empty();
  return helps ? "let one device keep both ends (--header-keeps-last 1), or hold weights in int8 "
                 "(--int8 fit)"
               : "hold weights in int8 (--int8 fit), or add memory";
}

void PlanCosts::explain_tied() const {
  const double tied = tied_bytes();
  if (tied == 0) return;
  const int last = segments_ - 1;
  double total = 0;
  std::vector<int> first_ones;
  std::vector<int> last_ones;
  for (int d = 0; d < devices_; ++d) {
    const bool may_begin = header_ < 0 || header_ == d;
    if (may_begin && fits({d, 0, last})) return;
    if (may_begin && fits({d, 0, 0})) first_ones.push_back(d);
    if ((tailer_ < 0 || tailer_ == d) && fits({d, last, last})) last_ones.push_back(d);
    total += request_->cluster->devices[d].memory_bytes;
  }
  if (first_ones.empty() || last_ones.empty()) return;
  const auto& name = request_->cluster->devices[first_ones.front()].name;
  if (first_ones.size() == 1 && last_ones == first_ones) {
    throw InfeasibleError(fmt::format(
        "no plan fits: the first and the last segment share weights of {}, and only '{}' can hold "
        "either of them; {}",
        format_bytes(tied), name, advice_for_tied()));
  }
  const double need = memory(0, last) + tied;
  if (need > total) {
    const auto [needed, has] = apart(need, total);
    throw InfeasibleError(
        fmt::format("no plan fits: the model needs {}, of which {} twice, as the first and the "
                    "last segment share "
                    "them; the {} devices together have {}; {}",
                    needed, format_bytes(tied), devices_, has, advice_for_tied()));
  }
}

void PlanCosts::explain_rules() const {
  const auto check = [&](const DeviceSpec& device, const char* role, int first, int last) {
    const RunMemory need = memory_of(first, last);
    if (need.total_bytes() <= device.memory_bytes) return;
    const bool keeps_last = first == 0 && kept_ > 0;
    const auto [needed, has] = apart(need.total_bytes(), device.memory_bytes);
    throw InfeasibleError(fmt::format(
        "no plan fits: the {} '{}' must run segments {} to {}{}, which need {} ({}); it has {}",
        role, device.name, first, last,
        keeps_last ? fmt::format(" and {} to {}", segments_, segments_ + kept_ - 1) : "", needed,
        need.to_string(), has));
  };
  if ((rules_.header_keeps > 1 || kept_ > 0) && header_ >= 0) {
    check(request_->cluster->devices[header_], "header", 0,
          std::min(rules_.header_keeps, segments_) - 1);
  }
  if (tailer_ < 0) return;
  check(request_->cluster->devices[tailer_], "tailer", segments_ - 1, segments_ - 1);
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
  throw InfeasibleError(fmt::format(
      "no plan fits: the model needs {} and the {} devices together have {}, but no "
      "order of runs of "
      "whole segments fits them (largest device first, {} of {} segments find a "
      "place); cut the model "
      "into more segments{}",
      format_bytes(memory(0, segments_ - 1)), devices_, format_bytes(total), next, segments_,
      tied_bytes() == 0 ? ""
                        : fmt::format(", or, as the first and the last share {}, {}",
                                      format_bytes(tied_bytes()), advice_for_tied())));
}

void PlanCosts::explain_infeasible() const {
  explain_battery();
  explain_rules();
  explain_single();
  explain_header();
  explain_total();
  explain_tied();
  explain_contiguity();
  throw BugError("explain_contiguity returned");
}

}  // namespace lingua
