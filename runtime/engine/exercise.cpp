#include "runtime/engine/exercise.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr Seconds kOne{0.05};  // that an exertion takes at least
constexpr std::size_t kFewest = 3;
constexpr double kLatest = 10;  // times an exercise's time: no exertion begins after it

// So many that they take kOne, by how long some took.
std::int64_t repeats_by(std::int64_t repeats, Seconds took) {
  if (took <= Seconds(0)) return repeats;
  const double needed = std::ceil(static_cast<double>(repeats) * (kOne / took));
  return std::clamp(static_cast<std::int64_t>(std::min(needed, 1e9)), repeats, kMostRepeats);
}

double measure_memory(Device& device, const Exercise& order, double most_bytes) {
  constexpr Exertion kBlock{ExertionKind::kMemory, DType::kFloat32, 1};
  const double block = work_of(kBlock).bytes;
  const Seconds end = device.now() + order.time;
  const double believed = device.telemetry().free_memory_bytes;
  if (order.time <= Seconds(0)) return std::min(believed, most_bytes);
  const double left_to_others = believed * kLeftToOthers;
  const auto free = [&] { return device.telemetry().free_memory_bytes - left_to_others; };
  double taken = 0;
  bool is_all = false;
  while (!is_all && taken + block <= most_bytes && free() >= block && device.now() < end) {
    const double got = device.executor().exert(kBlock).bytes;
    taken += got;
    is_all = got < block;
  }
  // What there was no time for is there as far as the device knows.
  const double rest = is_all ? 0 : std::clamp(free(), 0.0, most_bytes - taken);
  return taken + rest;
}

}  // namespace

Exercised exercise(Executor& executor, const std::function<Seconds()>& now, const Exercise& order) {
  const Seconds start = now();
  const Seconds end = start + order.time;
  const Seconds latest = start + order.time * kLatest;
  Exercised result;
  result.number = order.number;
  Exertion exertion{order.kind, order.dtype, 1};
  const auto exert = [&] {
    const Seconds before = now();
    executor.exert(exertion);
    return now() - before;
  };
  const auto note = [&](Seconds took) {
    result.times_s.push_back(took.count());
    result.repeats.push_back(exertion.repeats);
  };
  const Seconds first = exert();  // threads start, memory is touched
  if (now() >= latest) {          // once has to do
    note(first);
    return result;
  }
  const Seconds second = exert();
  if (second >= kOne) {
    note(second);
  } else {
    exertion.repeats = repeats_by(1, second);
    exertion.repeats = repeats_by(exertion.repeats, exert());
  }
  constexpr auto kMost = static_cast<std::size_t>(kMostTimes);
  while ((result.times_s.size() < kFewest && now() < latest) ||
         (now() < end && result.times_s.size() < kMost) || result.times_s.empty())
    note(exert());
  return result;
}

std::vector<double> rates(const Exercise& order, const Exercised& result) {
  std::vector<double> rates;
  for (std::size_t i = 0; i < result.times_s.size(); ++i) {
    const Work work = work_of({order.kind, order.dtype, result.repeats[i]});
    const double done = order.kind == ExertionKind::kProducts ? work.flops
                        : order.kind == ExertionKind::kWeights
                            ? work.bytes
                            : static_cast<double>(result.repeats[i]);
    rates.push_back(done / result.times_s[i]);
  }
  return rates;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Exercised exercise(Device& device, const Exercise& order, double most_bytes) {
  Exercised result;
  result.number = order.number;
  try {
    if (order.computing != Computing{})
      device.executor().compute_with(device.spec().possible(order.computing));
    if (order.kind == ExertionKind::kMemory) {
      result.memory_bytes = measure_memory(device, order, most_bytes);
      device.executor().exert({ExertionKind::kSegments, DType::kFloat32, 1});  // gives it back
    } else {
      result = exercise(
          device.executor(), [&] { return device.now(); }, order);
    }
  } catch (const WorldError& error) {
    result.trouble = error.what();
  }
  return result;
}

}  // namespace lingua
