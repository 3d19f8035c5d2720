#include "runtime/planner/search/infeasible.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"
#include "runtime/planner/search/beam.h"

namespace lingua {
namespace {

// Beside each other: they must not read the same.
std::pair<std::string, std::string> apart(double need, double has) {
  return format_apart(need, has, Unit::kBytes);
}

class Explainer {
 public:
  explicit Explainer(const PlanCosts& costs) : costs_(costs) {}

  // Each ends with InfeasibleError where it is the reason; the last one always does.
  [[noreturn]] void explain() const {
    explain_battery();
    explain_rules();
    explain_single();
    explain_header();
    explain_total();
    explain_tied();
    explain_contiguity();
  }

 private:
  const PlanRequest& request() const { return costs_.request(); }
  int segments() const { return costs_.segments(); }
  int devices() const { return costs_.devices(); }
  int header() const { return costs_.header(); }
  int tailer() const { return costs_.tailer(); }

  void explain_single() const {
    const auto& devices = request().cluster->devices;
    const auto largest = std::max_element(
        devices.begin(), devices.end(),
        [](const DeviceSpec& a, const DeviceSpec& b) { return a.memory_bytes < b.memory_bytes; });
    for (const Segment& segment : request().segmentation->segments) {
      RunMemory memory(request().workload);
      memory.run(segment);
      if (memory.total_bytes() <= largest->memory_bytes) continue;
      const auto [need, has] = apart(memory.total_bytes(), largest->memory_bytes);
      throw InfeasibleError(fmt::format(
          "no plan fits: segment {} ('{}') needs {} ({}); the largest device '{}' has {}",
          segment.id, segment.name, need, memory.to_string(), largest->name, has));
    }
  }

  void explain_header() const {
    if (header() < 0) return;
    const DeviceSpec& device = request().cluster->devices[header()];
    const RunMemory memory = costs_.run_memory(0, 0);
    if (memory.total_bytes() <= device.memory_bytes) return;
    const auto [need, has] = apart(memory.total_bytes(), device.memory_bytes);
    throw InfeasibleError(fmt::format(
        "no plan fits: segment 0 ('{}') needs {} ({}) on the header '{}', which has {}; "
        "choose another header",
        request().segmentation->segments[0].name, need, memory.to_string(), device.name, has));
  }

  void explain_total() const {
    const RunMemory memory = costs_.run_memory(0, segments() - 1);
    double total = 0;
    for (const DeviceSpec& device : request().cluster->devices) total += device.memory_bytes;
    if (memory.total_bytes() <= total) return;
    const auto [need, has] = apart(memory.total_bytes(), total);
    throw InfeasibleError(
        fmt::format("no plan fits: the model needs {} ({}); the {} devices together have {}", need,
                    memory.to_string(), devices(), has));
  }

  // What the first and the last segment both use: two devices hold it twice.
  double tied_bytes() const {
    if (segments() < 2 || costs_.kept() > 0) return 0;
    double sum = 0;
    const std::vector<Segment>& segments = request().segmentation->segments;
    for (const WeightSpec& weight : segments.front().weights) {
      const auto& others = segments.back().weights;
      if (std::any_of(others.begin(), others.end(),
                      [&](const WeightSpec& other) { return other.name == weight.name; }))
        sum += static_cast<double>(weight.bytes());
    }
    return sum;
  }

  // Whether one device at both ends would do.
  std::string advice_for_tied() const {
    PlanRequest both_ends = request();
    both_ends.rules.header_keeps_last = 1;
    both_ends.rules.tailer.clear();
    const bool helps = costs_.rules().tailer.empty() && !quick_chain(PlanCosts(both_ends)).empty();
    return helps ? "let one device keep both ends (`header-keeps-last` 1), or hold weights in int8 "
                   "(`int8` fit)"
                 : "hold weights in int8 (`int8` fit), or add memory";
  }

  void explain_tied() const {
    const double tied = tied_bytes();
    if (tied == 0) return;
    const int last = segments() - 1;
    double total = 0;
    std::vector<int> first_ones;
    std::vector<int> last_ones;
    for (int d = 0; d < devices(); ++d) {
      const bool may_begin = header() < 0 || header() == d;
      if (may_begin && costs_.fits({d, 0, last})) return;
      if (may_begin && costs_.fits({d, 0, 0})) first_ones.push_back(d);
      if ((tailer() < 0 || tailer() == d) && costs_.fits({d, last, last})) last_ones.push_back(d);
      total += request().cluster->devices[d].memory_bytes;
    }
    if (first_ones.empty() || last_ones.empty()) return;
    const auto& name = request().cluster->devices[first_ones.front()].name;
    if (first_ones.size() == 1 && last_ones == first_ones) {
      throw InfeasibleError(
          fmt::format("no plan fits: the first and the last segment share weights of {}, and only "
                      "'{}' can hold "
                      "either of them; {}",
                      format_bytes(tied), name, advice_for_tied()));
    }
    const double need = costs_.memory(0, last) + tied;
    if (need > total) {
      const auto [needed, has] = apart(need, total);
      throw InfeasibleError(
          fmt::format("no plan fits: the model needs {}, of which {} twice, as the first and the "
                      "last segment share "
                      "them; the {} devices together have {}; {}",
                      needed, format_bytes(tied), devices(), has, advice_for_tied()));
    }
  }

  void explain_rules() const {
    const auto check = [&](const DeviceSpec& device, const char* role, int first, int last) {
      const RunMemory need = costs_.run_memory(first, last);
      if (need.total_bytes() <= device.memory_bytes) return;
      const bool keeps_last = first == 0 && costs_.kept() > 0;
      const auto [needed, has] = apart(need.total_bytes(), device.memory_bytes);
      throw InfeasibleError(fmt::format(
          "no plan fits: the {} '{}' must run segments {} to {}{}, which need {} ({}); it has {}",
          role, device.name, first, last,
          keeps_last ? fmt::format(" and {} to {}", segments(), segments() + costs_.kept() - 1)
                     : "",
          needed, need.to_string(), has));
    };
    if ((costs_.rules().header_keeps > 1 || costs_.kept() > 0) && header() >= 0) {
      check(request().cluster->devices[header()], "header", 0,
            std::min(costs_.rules().header_keeps, segments()) - 1);
    }
    if (tailer() < 0) return;
    check(request().cluster->devices[tailer()], "tailer", segments() - 1, segments() - 1);
  }

  // Where a plan could do without the floor: how far each device may go.
  void explain_battery() const {
    if (request().rules.battery_floor == 0) return;
    PlanRequest without = request();
    without.rules.battery_floor = 0;
    const PlanCosts free(without);
    if (quick_chain(free).empty()) return;
    constexpr int kNamed = 8;
    std::string reach;
    for (int d = 0; d < std::min(devices(), kNamed); ++d) {
      int most = 0;
      for (int first = 0; first < segments(); ++first) {
        int last = first;
        while (last < segments() && costs_.keeps_battery({d, first, last})) ++last;
        most = std::max(most, last - first);
      }
      reach += fmt::format("{}{} {}", d == 0 ? "" : ", ", request().cluster->devices[d].name, most);
    }
    throw InfeasibleError(fmt::format(
        "no plan leaves every battery at {:.1f}% or more; of {} segments could run at most: {}{}. "
        "Lower the floor or ask for fewer requests ({})",
        100 * request().rules.battery_floor, segments(), reach, devices() > kNamed ? ", ..." : "",
        request().workload.total_requests()));
  }

  [[noreturn]] void explain_contiguity() const {
    // Devices with the most memory first reach as far as any order when all are alike; the message
    // says how far that is.
    std::vector<int> order(devices());
    for (int d = 0; d < devices(); ++d) order[d] = d;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      if ((a == header()) != (b == header())) return a == header();
      return request().cluster->devices[a].memory_bytes >
             request().cluster->devices[b].memory_bytes;
    });
    int next = 0;
    for (int d : order) {
      const int first = next;
      while (next < segments() && costs_.fits({d, first, next})) ++next;
    }
    double total = 0;
    for (const DeviceSpec& device : request().cluster->devices) total += device.memory_bytes;
    throw InfeasibleError(fmt::format(
        "no plan fits: the model needs {} and the {} devices together have {}, but no "
        "order of runs of "
        "whole segments fits them (largest device first, {} of {} segments find a "
        "place); cut the model "
        "into more segments{}",
        format_bytes(costs_.memory(0, segments() - 1)), devices(), format_bytes(total), next,
        segments(),
        tied_bytes() == 0 ? ""
                          : fmt::format(", or, as the first and the last share {}, {}",
                                        format_bytes(tied_bytes()), advice_for_tied())));
  }

  const PlanCosts& costs_;
};

}  // namespace

void explain_infeasible(const PlanCosts& costs) { Explainer(costs).explain(); }

}  // namespace lingua
