#include "runtime/app/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

#include "runtime/base/plain_text.h"
#include "runtime/http/counters.h"

namespace lingua {
namespace {

constexpr double kSlower = 1.1;  // than planned, for people
constexpr Seconds kWindow{5};
constexpr Seconds kLeast{2};

// As a label's value is written.
std::string label(const std::string& name) {
  std::string value;
  for (const char c : one_line(name)) {
    if (c == '"' || c == '\\') value += '\\';
    value += c;
  }
  return value;
}

bool is_known_battery(double battery) { return battery >= 0 && battery <= 1; }
bool is_known_temperature(double celsius) { return std::isfinite(celsius) && celsius != 0; }

}  // namespace

void LiveView::begin(const std::vector<DeviceName>& devices) {
  const std::lock_guard lock(mutex_);
  is_present_.clear();
  for (const DeviceName& device : devices) is_present_[device] = true;
}

void LiveView::changed(const Overview& overview) {
  const std::lock_guard lock(mutex_);
  overview_ = overview;
  for (auto& [device, is_present] : is_present_) is_present = !overview.lost.contains(device);
}

void LiveView::measured(const Monitor& monitor) {
  auto devices = monitor.devices();
  auto links = monitor.links();
  const std::lock_guard lock(mutex_);
  devices_ = std::move(devices);
  links_ = std::move(links);
}

void LiveView::end() {
  const std::lock_guard lock(mutex_);
  for (auto& [device, is_present] : is_present_) is_present = false;
  before_.moves += overview_.moves;
  before_.failed_moves += overview_.failed_moves;
  before_.recoveries += overview_.recoveries;
  overview_ = {};
  devices_.clear();
  links_.clear();
}

// REQUIRES: mutex_ is held.
std::map<DeviceName, Monitor::DeviceView> LiveView::present() const {
  std::map<DeviceName, Monitor::DeviceView> present;
  for (const auto& [name, view] : devices_) {
    const auto place = is_present_.find(name);
    if (place != is_present_.end() && place->second) present.insert({name, view});
  }
  return present;
}

std::string LiveView::metrics() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  const auto to = std::back_inserter(out);
  const auto one = [&](const char* name, const char* type, const char* help, std::int64_t value) {
    add_metric_head(out, name, type, help);
    fmt::format_to(to, "{} {}\n", name, value);
  };
  one("lingua_epoch", "gauge", "The deployment that takes new requests; 0: none.", overview_.epoch);
  one("lingua_moves_total", "counter", "Times that another plan took over.",
      before_.moves + overview_.moves);
  one("lingua_failed_moves_total", "counter", "Plans that were prepared and came to nothing.",
      before_.failed_moves + overview_.failed_moves);
  one("lingua_recoveries_total", "counter", "Losses after which the run went on.",
      before_.recoveries + overview_.recoveries);
  add_metric_head(out, "lingua_device_present", "gauge", "1 while the device is in the run.");
  for (const auto& [name, is_present] : is_present_)
    fmt::format_to(to, "lingua_device_present{{device=\"{}\"}} {}\n", label(name),
                   is_present ? 1 : 0);
  using View = Monitor::DeviceView;
  const auto views = present();
  const auto each = [&](const char* name, const char* help,
                        const std::function<double(const View&)>& value,
                        const std::function<bool(const View&)>& is_known) {
    bool has_head = false;
    for (const auto& [device, view] : views) {
      if (!is_known(view)) continue;
      if (!std::exchange(has_head, true)) add_metric_head(out, name, "gauge", help);
      fmt::format_to(to, "{}{{device=\"{}\"}} {:.6g}\n", name, label(device), value(view));
    }
  };
  const auto always = [](const View&) { return true; };
  each(
      "lingua_device_prompt_speed", "Of prompts, 1 as planned with.",
      [](const View& view) { return view.prompts; }, always);
  each(
      "lingua_device_token_speed", "Of tokens, 1 as planned with.",
      [](const View& view) { return view.tokens; }, always);
  each(
      "lingua_device_queued_steps", "Steps that were ready to run at the last report.",
      [](const View& view) { return static_cast<double>(std::max<std::int64_t>(view.queued, 0)); },
      always);
  each(
      "lingua_device_temperature_celsius", "As the device says.",
      [](const View& view) { return view.telemetry.temperature_c; },
      [](const View& view) { return is_known_temperature(view.telemetry.temperature_c); });
  each(
      "lingua_device_battery_ratio", "Share of a full charge.",
      [](const View& view) { return view.telemetry.battery; },
      [](const View& view) { return is_known_battery(view.telemetry.battery); });
  if (!links_.empty())
    add_metric_head(out, "lingua_link_speed", "gauge",
                    "Of a link, 1 as when it was measured first.");
  for (const auto& [ends, speed] : links_)
    fmt::format_to(to, "lingua_link_speed{{from=\"{}\",to=\"{}\"}} {:.6g}\n", label(ends.first),
                   label(ends.second), speed);
  return out;
}

std::string LiveView::status() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  for (const auto& [name, view] : present()) {
    const double slowness = 1 / std::min(view.prompts, view.tokens);
    if (slowness >= kSlower) add(fmt::format("{} {:.1f}x slower", one_line(name), slowness));
  }
  if (overview_.moves > 0)
    add(fmt::format("{} move{}", overview_.moves, overview_.moves == 1 ? "" : "s"));
  return text;
}

void TokenRate::made(Seconds now) { times_.push_back(now); }

double TokenRate::per_s(Seconds now) {
  while (times_.size() > 2 && times_[1] < now - kWindow) times_.pop_front();
  if (times_.size() < 2 || now - times_.front() < kLeast) return 0;
  return static_cast<double>(times_.size() - 1) / (now - times_.front()).count();
}

std::string status_text(std::int64_t tokens, double tokens_per_s, const LiveView& view) {
  std::string text = fmt::format("{} tokens", tokens);
  if (tokens_per_s > 0) text += fmt::format(", {:.3g} tokens/s", tokens_per_s);
  const std::string more = view.status();
  return more.empty() ? text : text + ", " + more;
}

}  // namespace lingua
