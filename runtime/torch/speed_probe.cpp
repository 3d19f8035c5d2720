#include "runtime/torch/speed_probe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace lingua {
namespace {

constexpr double kEach_s = 0.2;
constexpr std::size_t kLeastRuns = 3;

// The median time of what runs again and again.
template <class Work>
double median_s(Work work) {
  using Clock = std::chrono::steady_clock;
  work();  // threads start, memory is touched
  std::vector<double> times;
  const Clock::time_point begin = Clock::now();
  Clock::time_point start = begin;
  do {
    work();
    const Clock::time_point end = Clock::now();
    times.push_back(std::chrono::duration<double>(end - start).count());
    start = end;
  } while (times.size() < kLeastRuns || start - begin < std::chrono::duration<double>(kEach_s));
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return std::max(*middle, 1e-9);
}

}  // namespace

MeasuredSpeed measure_speed() {
  const c10::InferenceMode no_autograd;
  constexpr std::int64_t kSide = 512;
  const at::Tensor a = at::ones({kSide, kSide});
  at::Tensor product = at::empty({kSide, kSide});
  const double product_s = median_s([&] { at::mm_out(product, a, a); });
  constexpr std::int64_t kLarge = 4096;
  const at::Tensor weights = at::ones({kLarge, kLarge});
  const at::Tensor row = at::ones({kLarge});
  at::Tensor sums = at::empty({kLarge});
  const double read_s = median_s([&] { at::mv_out(sums, weights, row); });
  return {2.0 * kSide * kSide * kSide / product_s,
          static_cast<double>(weights.numel()) * sizeof(float) / read_s};
}

}  // namespace lingua
