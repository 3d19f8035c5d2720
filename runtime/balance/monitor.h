#pragma once
// The present speeds of devices and links, from what workers report of their work.
//
// A device's prompts tell of its FLOP/s, its tokens of its memory bandwidth; where only one of both has changed,
// the other is taken to have changed as much, for heat and other programs slow both. A link's time for its bytes is
// held against its own first reports of messages about as large: with others on the way they take longer than
// alone, those of prompts the more. So it is no faster than planned with until its bytes are.
// Reports come from the network: what is no time, no number of bytes, or longer than the time that has passed is
// not looked at, and take() says why.
// Pure; deterministic. Units: seconds since the run began.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/balance/speed_estimate.h"
#include "runtime/device/message.h"

namespace lingua {

class Monitor {
 public:
  // REQUIRES: the cluster, which plans are made with, outlives it.
  explicit Monitor(const ClusterSpec& planned_with) : cluster_(planned_with) {}

  // Empty, or what in the report cannot be.
  std::string take(const DeviceName& device, const WorkReport& report, Seconds now);

  // The cluster as it is at present.
  ClusterSpec present() const;
  // "phone1 2.9x slower (prompts 1.0x)": those that are not as planned with, for people; empty: all are.
  std::string differences() const;
  // For how long the present speeds are taken to last: infinite, but where what differs most from what a plan was
  // made with has changed and turned back, about as long as its changes have lasted.
  double lasts_s(const ClusterSpec& planned_with, Seconds now) const;
  // The cluster as it is at present, but what has turned back is as slow as it was on average: what is to be
  // expected of it in the long run.
  ClusterSpec usual(Seconds now) const;

  // A device that has reported, last: its speeds of prompts and tokens, 1 as planned with.
  struct DeviceView {
    double prompts = 1;
    double tokens = 1;
    std::int64_t queued = 0;  // steps that were ready to run
    Telemetry telemetry;
  };
  std::map<DeviceName, DeviceView> devices() const;
  // The speed of each link that was measured, 1 as at first.
  std::map<std::pair<DeviceName, DeviceName>, double> links() const;

 private:
  // Since when something was as slow as that, from its first report on; small changes are none.
  struct Changes {
    struct Change {
      Seconds at{0};
      double slowness = 1;
    };
    std::vector<Change> all;

    void note(double now_slowness, Seconds now);
    bool have_turned_back() const;
    double lasts_s(Seconds now) const;
    double mean(Seconds now) const;
  };
  struct Speed {
    SpeedEstimate prompts;
    SpeedEstimate tokens;
    Seconds last_report{0};
    std::int64_t queued = 0;
    std::optional<Telemetry> telemetry;  // of the last report that was used
    Changes changes;
  };
  // Messages about as large.
  struct Size {
    SpeedEstimate speed;
    double first_ratio = 0;  // mean of the first reports
    int first_reports = 0;
  };
  struct Link {
    std::map<int, Size> sizes;
    std::optional<int> changed;  // whose speed has changed last
    Changes changes;

    double slowness() const;
  };

  static std::pair<double, double> slowness(const Speed& speed);
  void take_link(const DeviceName& to, const LinkTime& link, Seconds now);

  const ClusterSpec& cluster_;
  std::map<DeviceName, Speed> speeds_;
  std::map<std::pair<DeviceName, DeviceName>, Link> links_;  // from, to
};

}  // namespace lingua
