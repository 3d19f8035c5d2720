#include "runtime/balance/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/base/plain_text.h"
#include "runtime/device/roofline.h"

namespace lingua {
namespace {

constexpr int kFirstReports = 5;         // that a link is held against
constexpr double kClockError_s = 0.05;   // of what a device calls the time
constexpr double kMostSlowness = 1e4;    // more is a fault of measuring, not a speed
constexpr double kDead = 0.02;           // a difference below it is none
constexpr double kChange = 0.1;          // of a speed's logarithm: below it the speed is the same
constexpr Seconds kOneChange{5};         // what is found within it is one change
constexpr std::size_t kLastChanges = 5;  // that tell how soon the next one comes
constexpr double kHorizons = 2;          // times the mean time between them

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

double apart(double a, double b) { return std::abs(std::log(a / b)); }

// Messages of a power of four bytes are about as large.
int size_of(const LinkTime& time) {
  return static_cast<int>(std::log2(time.bytes / static_cast<double>(time.messages)) / 2);
}

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
    if (time.runs > 0) estimate->take(time.measured_s / time.expected_s);
  };
  take_time(&speed.prompts, report.prompts);
  take_time(&speed.tokens, report.tokens);
  speed.changes.note(slowness(speed).second, now);
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
  const int large = size_of(time);
  Size& size = link.sizes[large];
  if (size.first_reports < kFirstReports) {
    size.first_ratio += (ratio - size.first_ratio) / ++size.first_reports;
    return;
  }
  if (size.speed.take(ratio / size.first_ratio)) link.changed = large;
  link.changes.note(link.slowness(), now);
}

double Monitor::Link::slowness() const {
  if (!changed) return 1;
  const Size& size = sizes.at(*changed);
  const double slowness = size.speed.slowness();
  if (slowness >= 1) return slowness;
  return std::max(slowness, std::min(1.0, slowness * size.first_ratio));
}

void Monitor::Changes::note(double now_slowness, Seconds now) {
  if (all.empty()) all.push_back({now, 1});
  if (apart(now_slowness, all.back().slowness) < kChange) return;
  if (all.size() == 1 || now > all.back().at + kOneChange) all.push_back({now, now_slowness});
  all.back().slowness = now_slowness;
}

// What goes on in the same direction has not come to its end yet, and one that turns back is the end of another.
bool Monitor::Changes::have_turned_back() const {
  for (std::size_t i = 2; i < all.size(); ++i) {
    const bool slower = all[i].slowness > all[i - 1].slowness;
    if (slower != (all[i - 1].slowness > all[i - 2].slowness)) return true;
  }
  return false;
}

double Monitor::Changes::lasts_s(Seconds now) const {
  if (!have_turned_back()) return std::numeric_limits<double>::infinity();
  const std::size_t changes = std::min(all.size() - 1, kLastChanges);
  const Seconds first = all[all.size() - changes].at;
  return kHorizons * (now - first).count() / static_cast<double>(changes);
}

double Monitor::Changes::mean(Seconds now) const {
  double sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Seconds end = i + 1 < all.size() ? all[i + 1].at : now;
    sum += all[i].slowness * (end - all[i].at).count();
  }
  const double span_s = (now - all.front().at).count();
  return span_s > 0 ? sum / span_s : all.back().slowness;
}

double Monitor::lasts_s(const ClusterSpec& planned_with, Seconds now) const {
  const ClusterSpec present = this->present();
  double most = 0;
  double lasts_s = std::numeric_limits<double>::infinity();
  const auto look = [&](double off, const Changes& changes) {
    if (off <= most) return;
    most = off;
    lasts_s = changes.lasts_s(now);
  };
  for (const auto& [name, speed] : speeds_) {
    if (planned_with.index_of(name) < 0) continue;
    look(apart(present.device(name).memory_bytes_per_s,
               planned_with.device(name).memory_bytes_per_s),
         speed.changes);
  }
  for (const auto& [ends, link] : links_) {
    look(apart(present.link(ends.first, ends.second).bytes_per_s,
               planned_with.link(ends.first, ends.second).bytes_per_s),
         link.changes);
  }
  return lasts_s;
}

ClusterSpec Monitor::usual(Seconds now) const {
  ClusterSpec usual = present();
  const auto off = [&](const Changes& changes) {
    return changes.have_turned_back() ? changes.mean(now) / changes.all.back().slowness : 1;
  };
  for (const auto& [name, speed] : speeds_)
    usual.devices[static_cast<std::size_t>(usual.index_of(name))].slow_down(off(speed.changes));
  for (const auto& [ends, link] : links_) {
    if (!link.changes.have_turned_back()) continue;
    LinkSpec spec = usual.link(ends.first, ends.second);
    spec.bytes_per_s /= off(link.changes);
    usual.links[ends] = spec;
  }
  return usual;
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
    const double slowness = link.slowness();
    if (!differs(slowness)) continue;
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
    const auto is_known = [](const auto& size) {
      return size.second.first_reports == kFirstReports;
    };
    if (std::any_of(link.sizes.begin(), link.sizes.end(), is_known))
      speeds[ends] = 1 / link.slowness();
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
    if (!differs(link.slowness())) continue;
    text += fmt::format("{}{}->{} {:.2f}x", text.empty() ? "" : ", ", ends.first, ends.second,
                        link.slowness());
  }
  return text.empty() ? text : text + " the time planned with";
}

}  // namespace lingua
