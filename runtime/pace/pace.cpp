#include "runtime/pace/pace.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <fstream>
#include <mutex>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/output_file.h"
#include "runtime/pace/paced_executor.h"
#include "runtime/pace/paced_network.h"
#include "runtime/pace/supply_clock.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

fs::path cluster_in(const fs::path& folder) { return folder / "cluster.yaml"; }
fs::path dtype_in(const fs::path& folder) { return folder / "dtype"; }
fs::path supply_in(const fs::path& folder) { return folder / "supply"; }
fs::path clock_in(const fs::path& folder) { return folder / "clock"; }
fs::path messages_in(const fs::path& folder) { return folder / "messages"; }
fs::path report_in(const fs::path& folder, const DeviceName& device) {
  return folder / ("report-" + device);
}

std::string text_of(const Delays& delays) {
  return fmt::format("{} {} {} {} {}\n", delays.count, delays.late, delays.modelled.count(),
                     delays.late_by.count(), delays.most.count());
}

Delays delays_from(std::istream& in) {
  Delays delays;
  double modelled = 0;
  double late_by = 0;
  double most = 0;
  if (!(in >> delays.count >> delays.late >> modelled >> late_by >> most)) return {};
  delays.modelled = Seconds(modelled);
  delays.late_by = Seconds(late_by);
  delays.most = Seconds(most);
  return delays;
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  if (!(out << text << std::flush))
    throw WorldError(fmt::format("{}: cannot be written, for paced workers", file.string()));
}

// Of a supply what paced processes go by: device, time, speed, bandwidth and whether it is there.
std::string text_of(const SupplyTrace& supply) {
  std::string text;
  for (const auto& [device, points] : supply.devices()) {
    for (const SupplyPoint& point : points) {
      text += fmt::format("{} {} {} {} {:d}\n", device, point.from.count(), point.state.speed,
                          point.state.bandwidth, point.state.present);
    }
  }
  return text;
}

SupplyTrace supply_from(std::istream& in) {
  SupplyTrace supply;
  DeviceName device;
  double from = 0;
  double speed = 1;
  double bandwidth = 1;
  bool present = true;
  while (in >> device >> from >> speed >> bandwidth >> present) {
    supply.add(device, Seconds(from), {.speed = speed, .bandwidth = bandwidth, .present = present});
  }
  return supply;
}

}  // namespace

void make_pace(const fs::path& folder, const fs::path& cluster_file, const SupplyTrace& supply,
               DType weights) {
  departures_only(supply);
  const std::string cluster = cluster_text(cluster_file);
  if (cluster.empty()) {
    throw InputError(
        fmt::format("{}: is empty when it is read again, for paced workers; write a file",
                    cluster_file.string()));
  }
  write(cluster_in(folder), cluster);
  write(dtype_in(folder), dtype_name(weights));
  write(supply_in(folder), text_of(supply));
  write(messages_in(folder), "");
}

class Pace::Impl {
 public:
  Impl(const fs::path& folder, const DeviceName& self)
      : folder(folder),
        cluster(
            load_cluster(cluster_in(folder)).in_dtype(parse_dtype(read_file(dtype_in(folder))))),
        self(self) {
    std::ifstream file(supply_in(folder));
    supply.trace = supply_from(file);
    if (self != kCoordinator) {
      if (cluster.index_of(self) < 0)
        throw WorldError(fmt::format("the paced cluster has no device '{}'", self));
      report_file.emplace(report_in(folder, self));
    }
    network = std::make_shared<PacedNetwork>(cluster, self, messages_in(folder));
    if (self == kCoordinator || supply.trace.devices().empty()) return;
    std::int64_t origin_ns = 0;
    if (!(std::ifstream(clock_in(folder)) >> origin_ns))
      throw WorldError("the paced run has not begun that this worker is of");
    follow(SupplyClock::Clock::time_point(std::chrono::nanoseconds(origin_ns)));
    const auto gone = departures_only(supply.trace);
    if (const auto mine = gone.find(self); mine != gone.end())
      end.emplace(supply.time_of(mine->second));
  }

  void follow(SupplyClock::Clock::time_point origin) {
    supply.origin = origin;
    network->follow(supply);
  }

  const fs::path folder;
  const ClusterSpec cluster;
  const DeviceName self;
  SupplyClock supply;
  std::shared_ptr<PacedNetwork> network;
  std::optional<TimedKill> end;
  DelayCounter work;
  std::optional<HeldOutputFile> report_file;
  std::once_flag reported;
};

Pace::Pace(const fs::path& folder, const DeviceName& self)
    : impl_(std::make_unique<Impl>(folder, self)) {
  constexpr unsigned long kSlackNs = 1000;
  ::prctl(PR_SET_TIMERSLACK, kSlackNs);
}

Pace::~Pace() = default;

void Pace::begin(Seconds now) {
  using Clock = SupplyClock::Clock;
  LINGUA_CHECK(impl_->self == kCoordinator);
  if (impl_->supply.trace.devices().empty()) return;
  const Clock::time_point origin = Clock::now() - std::chrono::duration_cast<Clock::duration>(now);
  const std::chrono::nanoseconds since_boot = origin.time_since_epoch();
  write(clock_in(impl_->folder), fmt::format("{}\n", since_boot.count()));
  impl_->follow(origin);
}

std::shared_ptr<SlowNetwork> Pace::network() const { return impl_->network; }

std::unique_ptr<Executor> Pace::executor(std::unique_ptr<Executor> inner) {
  LINGUA_CHECK(impl_->self != kCoordinator);
  return std::make_unique<PacedExecutor>(impl_->cluster.device(impl_->self), std::move(inner),
                                         impl_->work, impl_->supply);
}

Delays Pace::work() const { return impl_->work.read(); }

Delays Pace::messages() const { return impl_->network->delays(); }

void Pace::report() {
  if (!impl_->report_file) return;
  std::call_once(impl_->reported,
                 [&] { impl_->report_file->write(text_of(work()) + text_of(messages())); });
}

PaceReport read_pace_report(const fs::path& folder, const DeviceName& device) {
  std::ifstream file(report_in(folder, device));
  PaceReport report;
  report.work = delays_from(file);
  report.messages = delays_from(file);
  return report;
}

}  // namespace lingua
