#pragma once
// What was found out of a cluster by measuring it: plain values.
//
// Units: FLOP/s, bytes/s, bytes, seconds.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/device/spec.h"

namespace lingua {

// The median of several, and how far they lie apart: half of what is between the 10th and the 90th percentile, as a
// share of the median.
struct Figure {
  double value = 0;
  double spread = 0;
  int samples = 0;
};
Figure figure_of(std::vector<double> samples);

struct SpeedFigures {
  Figure flops_per_s;
  Figure memory_bytes_per_s;
};

struct Tried {
  Computing computing;
  SpeedFigures speed;  // in fp32
};

struct DeviceFigures {
  DeviceName name;
  int cores = 1;
  std::vector<Tried> tried;  // in this order
  Computing best;
  std::map<DType, SpeedFigures> by_dtype;  // of those that it computes with, as is best
  Figure overhead_s;                       // per segment
  double memory_bytes = 0;                 // that was to be had
};

struct LinkFigures {
  Figure bytes_per_s;
  Figure latency_s;                        // one way: half of what there and back takes
  std::optional<Figure> loaded_latency_s;  // while its sender sends others as much as goes
  double message_s = 0;  // that each of many small messages takes, besides its bytes
};

struct Measurement {
  std::vector<DeviceFigures> devices;
  std::map<std::pair<DeviceName, DeviceName>, LinkFigures>
      links;  // of each pair, the coordinator's too
  // What all together carried at once, and what the same links carry one by one, in all; of two devices or more.
  double together_bytes_per_s = 0;
  double alone_bytes_per_s = 0;
  Seconds took{0};

  // They carry less together, by more than chance: a medium is shared.
  bool has_medium() const;
};

// The cluster that this is. REQUIRES: all of it was measured.
ClusterSpec cluster_of(const Measurement& measurement, const std::string& name);

// As a cluster file (platforms/README.md), with spreads in comments. `source` says when and with what it was made.
// Numbers have five digits.
std::string cluster_file_of(const Measurement& measurement, const std::string& name,
                            const std::string& source);

}  // namespace lingua
