#include "runtime/measure/ways_to_compute.h"

#include <algorithm>

namespace lingua {
namespace {

constexpr int kMostThreads = 64;
constexpr std::size_t kMostKinds = 4;  // no machine is known to have more

void add_threads(int count, const Cores& cores, std::vector<Computing>* ways) {
  const int most = std::clamp(count, 1, kMostThreads);
  for (int threads = 1; threads < most; threads *= 2) ways->push_back({threads, cores});
  ways->push_back({most, cores});
}

}  // namespace

std::vector<Computing> ways_to_compute(const DeviceSpec& device) {
  std::vector<Computing> ways;
  if (device.core_kinds.size() < 2) {
    add_threads(device.cores, {}, &ways);
  } else {
    Cores together;
    for (std::size_t k = 0; k < std::min(device.core_kinds.size(), kMostKinds); ++k) {
      const Cores& kind = device.core_kinds[k];
      add_threads(static_cast<int>(kind.size()), kind, &ways);
      together.insert(together.end(), kind.begin(), kind.end());
      std::sort(together.begin(), together.end());
      const int all = std::min(static_cast<int>(together.size()), kMostThreads);
      if (k > 0) ways.push_back({all, together});
    }
  }
  if (device.computing.threads == 0) return ways;
  for (Computing& way : ways) way.threads = device.computing.threads;
  ways.erase(std::unique(ways.begin(), ways.end()), ways.end());
  return ways;
}

}  // namespace lingua
