#include "runtime/pace/paced_network.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

// Appended whole by one write, so that notes of several processes do not mix.
struct Note {
  std::int64_t sent_ns = 0;  // of this machine's steady clock
  std::int32_t from = 0;
  std::int32_t to = 0;
  double bytes = 0;
};
static_assert(sizeof(Note) == 24 && std::is_trivially_copyable_v<Note>);

constexpr double kMostBytes = 1e18;

std::vector<DeviceName> names_of(const ClusterSpec& cluster) {
  std::vector<DeviceName> names = {kCoordinator};
  for (const DeviceSpec& device : cluster.devices) names.push_back(device.name);
  return names;
}

std::map<DeviceName, int> numbers_of(const std::vector<DeviceName>& names) {
  std::map<DeviceName, int> numbers;
  for (const DeviceName& name : names) numbers.emplace(name, static_cast<int>(numbers.size()));
  return numbers;
}

double seconds_of(SlowNetwork::Clock::time_point when) {
  return Seconds(when.time_since_epoch()).count();
}

SlowNetwork::Clock::time_point time_of(double when_s) {
  return SlowNetwork::Clock::time_point(
      std::chrono::duration_cast<SlowNetwork::Clock::duration>(Seconds(when_s)));
}

}  // namespace

PacedNetwork::PacedNetwork(const ClusterSpec& cluster, DeviceName self,
                           const std::filesystem::path& file)
    : names_(names_of(cluster)),
      number_of_(numbers_of(names_)),
      self_(std::move(self)),
      file_(::open(file.c_str(), O_RDWR | O_APPEND | O_CLOEXEC)),
      model_(cluster) {
  LINGUA_CHECK(number_of_.contains(self_), "{}", self_);
  if (file_ < 0) throw WorldError(fmt::format("{}: {}", file.string(), std::strerror(errno)));
}

PacedNetwork::~PacedNetwork() { ::close(file_); }

void PacedNetwork::follow(const SupplyClock& supply) {
  const std::lock_guard lock(mutex_);
  for (const auto& [device, points] : supply.trace.devices()) {
    for (const SupplyPoint& point : points) {
      model_.set_bandwidth_at(seconds_of(supply.time_of(point.from)), device,
                              point.state.bandwidth);
    }
  }
}

void PacedNetwork::send(const DeviceName& to, double bytes) {
  const Note note{std::chrono::nanoseconds(Clock::now().time_since_epoch()).count(),
                  number_of_.at(self_), number_of_.at(to), bytes};
  if (::write(file_, &note, sizeof note) != sizeof note) {
    throw WorldError(fmt::format("the file that paced workers share cannot be written: {}",
                                 std::strerror(errno)));
  }
}

// Reads what was noted since, and lets the model's time pass.
void PacedNetwork::catch_up() {
  const double now_s = seconds_of(Clock::now());
  const auto known = [&](std::int32_t number) {
    return number >= 0 && number < static_cast<std::int32_t>(names_.size());
  };
  const auto pass = [&](double until_s) {
    for (const NetworkModel::Arrival& arrival : model_.advance(until_s)) {
      if (arrival.to == self_) arrived_[arrival.from].push_back(arrival.when_s);
    }
  };
  std::array<Note, 256> notes{};
  while (true) {
    const ssize_t got = ::pread(file_, notes.data(), sizeof notes, read_bytes_);
    const auto count = static_cast<std::size_t>(std::max<ssize_t>(got, 0)) / sizeof(Note);
    if (count == 0) break;
    read_bytes_ += static_cast<std::int64_t>(count * sizeof(Note));
    for (std::size_t i = 0; i < count; ++i) {
      const Note& note = notes[i];
      const bool can_be = known(note.from) && known(note.to) && note.from != note.to &&
                          note.bytes >= 0 && note.bytes < kMostBytes;
      if (!can_be) continue;
      const double sent_s = std::min(static_cast<double>(note.sent_ns) * 1e-9, now_s);
      pass(sent_s);
      model_.send(names_[note.from], names_[note.to], note.bytes, sent_s);
    }
  }
  pass(now_s);
}

std::optional<SlowNetwork::Clock::time_point> PacedNetwork::take_arrival(const DeviceName& from,
                                                                         Clock::time_point came) {
  const std::lock_guard lock(mutex_);
  catch_up();
  std::deque<double>& arrived = arrived_[from];
  if (arrived.empty()) {
    if (model_.under_way(from, self_) > 0) return std::nullopt;
    return came;  // its sender has not noted it
  }
  const Clock::time_point when = time_of(arrived.front());
  arrived.pop_front();
  delays_.note(Seconds(0), came - when);
  return std::max(when, came);
}

SlowNetwork::Clock::time_point PacedNetwork::next_look() {
  const std::lock_guard lock(mutex_);
  constexpr double kFar = 1e9;  // which the clock can hold
  const double next_s = model_.next_s();
  return next_s < kFar ? time_of(next_s) : Clock::time_point::max();
}

}  // namespace lingua
