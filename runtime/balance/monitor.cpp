#include "runtime/balance/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/base/plain_text.h"
#include "runtime/device/roofline.h"

namespace lingua {
namespace {

constexpr int kFirstReports = 5;        // that a link is held against
constexpr double kClockError_s = 0.05;  // of what a device calls the time
constexpr double kMostSlowness = 1e4;   // more is a fault of measuring, not a speed
constexpr double kDead = 0.02;          // a difference below it is none

std::string wrong_time(const char* name, const WorkTime& time, Seconds passed) {
  if (time.runs == 0) return "";
  const bool is_number = std::isfinite(time.expected_s) && std::isfinite(time.measured_s);
  if (time.runs < 0 || !is_number || time.expected_s <= 0 || time.measured_s <= 0)
    return fmt::format("{} runs of {} took {} s where {} s were expected", time.runs, name,
                       time.measured_s, time.expected_s);
  if (time.measured_s > passed.count() + kClockError_s)
    return fmt::format("{} took {:.3f} s in a time of {:.3f} s", name, time.measured_s,
                       passed.count());
  const double ratio = time.measured_s / time.expected_s;
  if (ratio > kMostSlowness || ratio < 1 / kMostSlowness)
    return fmt::format("{} took {:.3g} times as long as expected", name, ratio);
  return "";
}

bool differs(double slowness) { return std::abs(std::log(slowness)) > kDead; }

}  // namespace

std::string Monitor::take(const DeviceName& device, const WorkReport& report, Seconds now) {
  if (cluster_.index_of(device) < 0) return fmt::format("{} is not in the cluster", device);
  Speed& speed = speeds_[device];
  const Seconds passed = now - speed.last_report;
  speed.last_report = now;
  for (const std::string& wrong : {wrong_time("prompts", report.prompts, passed),
                                   wrong_time("tokens", report.tokens, passed)}) {
    if (!wrong.empty()) return wrong;
  }
  const auto take_time = [&](SpeedEstimate* estimate, const WorkTime& time) {
    return time.runs > 0 && estimate->take(time.measured_s / time.expected_s);
  };
  const bool prompts_changed = take_time(&speed.prompts, report.prompts);
  const bool tokens_changed = take_time(&speed.tokens, report.tokens);
  if (prompts_changed || tokens_changed) changes_.push_back(now);
  for (const LinkTime& link : report.links) take_link(device, link, now);
  speed.queued = report.queued;
  speed.telemetry = report.telemetry;
  return "";
}

void Monitor::take_link(const DeviceName& to, const LinkTime& time, Seconds now) {
  const bool is_sane = time.messages > 0 && std::isfinite(time.bytes) && time.bytes > 0 &&
                       std::isfinite(time.seconds) && time.seconds > 0 &&
                       cluster_.index_of(time.from) >= 0 && time.from != to;
  if (!is_sane) return;
  const LinkSpec spec = cluster_.link(time.from, to);
  // What latency takes says nothing of the bandwidth.
  const double latency_s = static_cast<double>(time.messages) * spec.latency.count();
  const double expected_s = time.bytes / spec.bytes_per_s;
  const double measured_s = time.seconds - latency_s;
  if (expected_s < 0.1 * latency_s || measured_s <= 0) return;
  const double ratio = measured_s / expected_s;
  if (!(ratio < kMostSlowness && ratio > 1 / kMostSlowness)) return;
  Link& link = links_[{time.from, to}];
  if (link.first_reports < kFirstReports) {
    link.first_ratio += (ratio - link.first_ratio) / ++link.first_reports;
    return;
  }
  if (link.speed.take(ratio / link.first_ratio)) changes_.push_back(now);
}

// Of prompts and of tokens.
std::pair<double, double> Monitor::slowness(const Speed& speed) {
  double prompts = speed.prompts.slowness();
  double tokens = speed.tokens.slowness();
  if (speed.prompts.samples() == 0) prompts = tokens;
  if (speed.tokens.samples() == 0) tokens = prompts;
  return {differs(prompts) ? prompts : 1, differs(tokens) ? tokens : 1};
}

ClusterSpec Monitor::present() const {
  ClusterSpec present = cluster_;
  for (const auto& [name, speed] : speeds_) {
    const auto [prompts, tokens] = slowness(speed);
    DeviceSpec& device = present.devices[static_cast<std::size_t>(present.index_of(name))];
    device.flops_per_s /= prompts;
    device.memory_bytes_per_s /= tokens;
    device.overhead *= tokens;
  }
  for (const auto& [ends, link] : links_) {
    const double slowness = link.speed.slowness();
    if (link.speed.samples() == 0 || !differs(slowness)) continue;
    LinkSpec spec = cluster_.link(ends.first, ends.second);
    spec.bytes_per_s /= slowness;
    present.links[ends] = spec;
  }
  return present;
}

std::map<DeviceName, Monitor::DeviceView> Monitor::devices() const {
  std::map<DeviceName, DeviceView> views;
  for (const auto& [name, speed] : speeds_) {
    if (!speed.telemetry) continue;
    const auto [prompts, tokens] = slowness(speed);
    views[name] = {1 / prompts, 1 / tokens, speed.queued, *speed.telemetry};
  }
  return views;
}

std::map<std::pair<DeviceName, DeviceName>, double> Monitor::links() const {
  std::map<std::pair<DeviceName, DeviceName>, double> speeds;
  for (const auto& [ends, link] : links_) {
    if (link.first_reports == kFirstReports) speeds[ends] = 1 / link.speed.slowness();
  }
  return speeds;
}

std::string Monitor::differences() const {
  std::string text;
  for (const auto& [name, speed] : speeds_) {
    const auto [prompts, tokens] = slowness(speed);
    if (prompts == 1 && tokens == 1) continue;
    text += fmt::format("{}{} {:.2f}x", text.empty() ? "" : ", ", name, tokens);
    if (differs(prompts / tokens)) text += fmt::format(" (prompts {:.2f}x)", prompts);
  }
  for (const auto& [ends, link] : links_) {
    if (link.speed.samples() == 0 || !differs(link.speed.slowness())) continue;
    text += fmt::format("{}{}->{} {:.2f}x", text.empty() ? "" : ", ", ends.first, ends.second,
                        link.speed.slowness());
  }
  return text.empty() ? text : text + " the time planned with";
}

}  // namespace lingua
