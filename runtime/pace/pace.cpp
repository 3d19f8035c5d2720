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

namespace lingua {
namespace {

namespace fs = std::filesystem;

fs::path cluster_in(const fs::path& folder) { return folder / "cluster.yaml"; }
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

}  // namespace

void make_pace(const fs::path& folder, const fs::path& cluster_file) {
  const std::string cluster = read_file(cluster_file);
  if (cluster.empty()) {
    throw InputError(
        fmt::format("{}: is empty when it is read again, for paced workers; write a file",
                    cluster_file.string()));
  }
  const auto write = [](const fs::path& file, const std::string& text) {
    std::ofstream out(file, std::ios::binary);
    if (!(out << text << std::flush))
      throw WorldError(fmt::format("{}: cannot be written, for paced workers", file.string()));
  };
  write(cluster_in(folder), cluster);
  write(messages_in(folder), "");
}

class Pace::Impl {
 public:
  Impl(const fs::path& folder, const DeviceName& self)
      : cluster(load_cluster(cluster_in(folder))), self(self) {
    if (self != kCoordinator) {
      if (cluster.index_of(self) < 0)
        throw WorldError(fmt::format("the paced cluster has no device '{}'", self));
      report_file.emplace(report_in(folder, self));
    }
    network = std::make_shared<PacedNetwork>(cluster, self, messages_in(folder));
  }

  const ClusterSpec cluster;
  const DeviceName self;
  std::shared_ptr<PacedNetwork> network;
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

std::shared_ptr<SlowNetwork> Pace::network() const { return impl_->network; }

std::unique_ptr<Executor> Pace::executor(std::unique_ptr<Executor> inner) {
  LINGUA_CHECK(impl_->self != kCoordinator);
  return std::make_unique<PacedExecutor>(impl_->cluster.device(impl_->self), std::move(inner),
                                         impl_->work);
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
