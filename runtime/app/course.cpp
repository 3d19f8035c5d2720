#include "runtime/app/course.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "runtime/app/supply_of.h"
#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/units.h"

namespace lingua {
namespace {

// What is said of a device at a time, and by which option, where it is no file or specification.
struct Said {
  Seconds when{0};
  SupplyChange change;
  std::string by = {};

  bool is_join() const { return !by.empty() && *change.present; }
};
using SaidOf = std::map<DeviceName, std::vector<Said>>;

// "NAME:TIME".
void parse(const char* option, const std::string& text, const ClusterSpec& cluster, bool present,
           SaidOf& all) {
  const std::string by = fmt::format("{} '{}'", option, one_line(text));
  const auto colon = text.rfind(':');
  Said said{Seconds(0), {.present = present}, by};
  try {
    if (colon == std::string::npos) throw InputError("it has no colon");
    said.when = Seconds(parse_quantity(text.substr(colon + 1), Unit::kSeconds));
  } catch (const InputError& error) {
    throw UsageError(fmt::format("{}: {}; write DEVICE:TIME such as {}:2.5s", by, error.what(),
                                 cluster.devices.front().name));
  }
  const DeviceName device = text.substr(0, colon);
  if (cluster.index_of(device) < 0) {
    throw UsageError(fmt::format("{}: {} has no device '{}'; write DEVICE:TIME with one of {}", by,
                                 cluster.name, one_line(device), cluster.names()));
  }
  if (said.when > Seconds(kMostSupplySeconds) || (present && said.when == Seconds(0))) {
    throw UsageError(fmt::format("{}: write a time {} {:g} s", by,
                                 present ? "after 0 s, when others are there, and up to" : "up to",
                                 kMostSupplySeconds));
  }
  all[device].push_back(std::move(said));
}

// In the order of their times; whether it is there is said only where that changes.
std::vector<Said> said_by(const SupplyTrace& supply, const DeviceName& device) {
  std::vector<Said> all;
  const auto points = supply.devices().find(device);
  if (points == supply.devices().end()) return all;
  bool present = true;
  for (const auto& [from, state] : points->second) {
    Said said{from, {state.speed, state.bandwidth, {}, state.battery, state.temperature_c}};
    if (state.present != present) said.change.present = present = state.present;
    all.push_back(said);
  }
  return all;
}

// Errors: UsageError for one that joins where it is there, or at the time of its loss.
void check(const Said& join, const DeviceName& device, const SupplyTrace& so_far) {
  const auto points = so_far.devices().find(device);
  const bool present = points == so_far.devices().end() || points->second.back().state.present;
  if (!present && points->second.back().from < join.when) return;
  throw UsageError(fmt::format("{}: {} {} then; write a time after its loss (`lose` {}:TIME)",
                               join.by, device, present ? "is there" : "is lost", device));
}

}  // namespace

void visit_course(CourseOptions& options, SettingVisitor& visitor) {
  visitor.take(
      Setting("lose", &options.losses,
              "a device that is lost at a time of the run, as DEVICE:TIME; may be given again. "
              "The run goes on with those that are left")
          .several_at_once()
          .called("LOSS"));
  visitor.take(
      Setting("join", &options.joins,
              "a device that is not there before a time of the run, as DEVICE:TIME, or that comes "
              "back then after its loss; may be given again. It is used where that pays")
          .several_at_once()
          .called("JOIN"));
  visit_supply(options.supply, visitor);
}

SupplyTrace course_of(const CourseOptions& options, const ClusterSpec& cluster,
                      std::uint64_t seed) {
  SupplyTrace supply = supply_of(options.supply, cluster, seed, true);
  SaidOf more;
  for (const std::string& text : options.losses) parse("`lose`", text, cluster, false, more);
  for (const std::string& text : options.joins) parse("`join`", text, cluster, true, more);
  if (more.empty()) return supply;
  SupplyTrace course;
  course.name = supply.name;
  course.source = supply.source;
  for (const DeviceSpec& device : cluster.devices) {
    std::vector<Said> all = said_by(supply, device.name);
    all.insert(all.end(), more[device.name].begin(), more[device.name].end());
    std::stable_sort(all.begin(), all.end(),
                     [](const Said& a, const Said& b) { return a.when < b.when; });
    const auto first = std::find_if(
        all.begin(), all.end(), [](const Said& said) { return said.change.present.has_value(); });
    if (first != all.end() && first->is_join())
      course.add(device.name, Seconds(0), {.present = false});
    for (const Said& said : all) {
      if (said.is_join()) check(said, device.name, course);
      course.add(device.name, said.when, said.change);
    }
  }
  return course;
}

}  // namespace lingua
