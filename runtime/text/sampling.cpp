#include "runtime/text/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

struct Candidate {
  double logit = 0;
  TokenId token = 0;
};

// The better candidate is the greater one: a higher logit, or the lower token among equals.
bool worse(const Candidate& a, const Candidate& b) {
  return a.logit < b.logit || (a.logit == b.logit && a.token > b.token);
}

float float16_value(std::uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 1023;
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<float>::quiet_NaN()
                         : sign * std::numeric_limits<float>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

template <class Stored>
Stored load(const std::byte* row, std::int64_t i) {
  Stored value;
  std::memcpy(&value, row + i * static_cast<std::int64_t>(sizeof(Stored)), sizeof(Stored));
  return value;
}

template <class At>
std::vector<float> numbers(std::int64_t count, At at) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = at(i);
  return values;
}

// The last row of the logits; what is not a number becomes minus infinity.
std::vector<float> last_row(const Tensor& logits) {
  if (logits.shape.empty() || logits.elements() <= 0) {
    throw WorldError("the logits are empty: no token can be chosen");
  }
  const std::int64_t count = logits.shape.back();
  const std::byte* row =
      logits.data.get() + (logits.elements() - count) * dtype_bytes(logits.dtype);
  std::vector<float> values;
  switch (logits.dtype) {
    case DType::kFloat32:
      values = numbers(count, [&](std::int64_t i) { return load<float>(row, i); });
      break;
    case DType::kFloat64:
      values =
          numbers(count, [&](std::int64_t i) { return static_cast<float>(load<double>(row, i)); });
      break;
    case DType::kFloat16:
      values = numbers(count,
                       [&](std::int64_t i) { return float16_value(load<std::uint16_t>(row, i)); });
      break;
    case DType::kBFloat16:
      values = numbers(count, [&](std::int64_t i) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(row, i)) << 16);
      });
      break;
    default:
      throw WorldError(
          fmt::format("logits of dtype {} give no token; float32, float64, float16 and bfloat16 do",
                      dtype_name(logits.dtype)));
  }
  bool any = false;
  for (float& value : values) {
    if (std::isnan(value)) {
      value = -std::numeric_limits<float>::infinity();
    } else {
      any = true;
    }
  }
  if (!any) throw WorldError("the logits are not numbers: no token can be chosen");
  return values;
}

void penalise(std::vector<float>& logits, double penalty, std::vector<TokenId> recent) {
  std::sort(recent.begin(), recent.end());
  recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
  for (const TokenId token : recent) {
    if (token < 0 || token >= static_cast<TokenId>(logits.size())) continue;
    float& logit = logits[static_cast<std::size_t>(token)];
    logit = logit < 0 ? logit * static_cast<float>(penalty) : logit / static_cast<float>(penalty);
  }
}

// The candidates that top-k and top-p leave, with logits divided by the temperature. A heap gives
// the best ones in order, so that only those that are kept are sorted.
std::vector<Candidate> kept(const std::vector<float>& logits, const Sampling& sampling, float top) {
  std::vector<Candidate> heap(logits.size());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // Relative to the largest: it is 0 and no exponential overflows.
    heap[i] = {(static_cast<double>(logits[i]) - top) / sampling.temperature,
               static_cast<TokenId>(i)};
    sum += std::exp(heap[i].logit);
  }
  const auto k = sampling.top_k > 0 ? static_cast<std::size_t>(sampling.top_k) : heap.size();
  const bool all = k >= heap.size() && sampling.top_p >= 1;
  if (all) return heap;
  std::vector<Candidate> best;
  std::make_heap(heap.begin(), heap.end(), worse);
  if (k < heap.size()) {
    sum = 0;
    while (best.size() < k) {
      std::pop_heap(heap.begin(), heap.end(), worse);
      best.push_back(heap.back());
      sum += std::exp(heap.back().logit);
      heap.pop_back();
    }
    if (sampling.top_p >= 1) return best;
  }
  std::vector<Candidate> nucleus;
  double reached = 0;
  for (std::size_t i = 0; reached < sampling.top_p * sum; ++i) {
    if (best.empty()) {
      if (heap.empty()) break;
      std::pop_heap(heap.begin(), heap.end(), worse);
      nucleus.push_back(heap.back());
      heap.pop_back();
    } else {
      if (i == best.size()) break;
      nucleus.push_back(best[i]);
    }
    reached += std::exp(nucleus.back().logit);
  }
  return nucleus;
}

}  // namespace

TokenId sample_token(const Tensor& logits, const Sampling& sampling, std::int64_t position,
                     const std::vector<TokenId>& recent) {
  if (!logits.has_data()) return kNoToken;
  std::vector<float> values = last_row(logits);
  if (sampling.repetition_penalty != 1) penalise(values, sampling.repetition_penalty, recent);
  const auto best = std::max_element(values.begin(), values.end());
  // Beside an infinite logit no other one has a probability.
  if (!(sampling.temperature > 0) || !std::isfinite(*best)) return best - values.begin();

  const std::vector<Candidate> candidates = kept(values, sampling, *best);
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += std::exp(candidate.logit);
  Rng mixed(sampling.seed);
  Rng rng(mixed.next() ^ static_cast<std::uint64_t>(position));
  double left = rng.uniform() * sum;
  TokenId last = best - values.begin();
  for (const Candidate& candidate : candidates) {
    const double share = std::exp(candidate.logit);
    if (share <= 0) continue;
    last = candidate.token;
    if (left < share) break;
    left -= share;
  }
  return last;
}

void check_sampling(const Sampling& sampling) {
  const auto need = [](bool holds, const char* setting, auto value, const char* accepted) {
    if (!holds) throw UsageError(fmt::format("{} {}: {}", setting, value, accepted));
  };
  need(std::isfinite(sampling.temperature) && sampling.temperature >= 0, "`temperature`",
       sampling.temperature, "a number from 0 (always the most likely token) up");
  need(sampling.top_k >= 0, "`top-k`", sampling.top_k, "a whole number from 0 (all tokens) up");
  need(sampling.top_p > 0 && sampling.top_p <= 1, "`top-p`", sampling.top_p,
       "a number above 0 and at most 1 (all tokens)");
  need(std::isfinite(sampling.repetition_penalty) && sampling.repetition_penalty > 0,
       "`repetition-penalty`", sampling.repetition_penalty, "a number above 0; 1 is no penalty");
  need(sampling.repetition_window >= 0, "`repetition-window`", sampling.repetition_window,
       "a number of tokens, 0 or more");
}

}  // namespace lingua
