#include "runtime/torch/kernels/attention.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>

#include "runtime/torch/kernels/row_products.h"
#include "runtime/torch/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/torch/kernels/attention.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for each instruction set
// Behind foreach_target.h, as Highway demands.
#include <hwy/highway.h>

#include "runtime/torch/kernels/lanes.inl"

HWY_BEFORE_NAMESPACE();
namespace lingua::HWY_NAMESPACE {
namespace {

constexpr int kChains = 8;  // groups of 16 columns of the values that are added up at once

// Scores to weights, in place; returns their sum.
float to_weights(float* scores, std::int64_t count, std::int64_t first_position, float scale,
                 float slope) {
  const Floats d;
  Sixteen most = all_of(-__builtin_inff());
  by_lanes(count, [&](std::int64_t at, std::int64_t some) LINGUA_INLINE_LAMBDA {
    Sixteen values = map([&](auto s) LINGUA_INLINE_LAMBDA { return hn::Mul(s, hn::Set(d, scale)); },
                         load(scores + at, some));
    if (slope != 0) {
      unrolled<kParts>([&](auto part) LINGUA_INLINE_LAMBDA {
        const auto position =
            hn::Iota(d, static_cast<float>(first_position + at + part * kInVector));
        values.parts[part] = hn::Add(values.parts[part], hn::Mul(position, hn::Set(d, slope)));
      });
    }
    store(values, scores + at, some);
    if (some < kLanes) return;
    most = map([](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Max(a, b); }, most, values);
  });
  alignas(64) float lanes[kLanes];
  store(most, lanes, kLanes);
  float top = *std::max_element(lanes, lanes + kLanes);
  for (std::int64_t i = count / kLanes * kLanes; i < count; ++i) top = std::max(top, scores[i]);
  Sixteen sums = all_of(0);
  by_lanes(count, [&](std::int64_t at, std::int64_t some) LINGUA_INLINE_LAMBDA {
    const Sixteen weights =
        map([&](auto s) LINGUA_INLINE_LAMBDA { return exponential(hn::Sub(s, hn::Set(d, top))); },
            load(scores + at, some));
    store(weights, scores + at, some);
    sums = map([](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Add(a, b); }, sums,
               only(weights, some));
  });
  return sum_of(sums);
}

// kGroups groups of 16 columns of the values, of which the last has `last` columns.
template <class Element, int kGroups>
HWY_INLINE void add_values(const RowMatrix& values, std::int64_t first, std::int64_t column,
                           std::int64_t last, const float* weights, std::int64_t count, float sum,
                           Element* out) {
  const Floats d;
  Sixteen sums[kGroups];
  unrolled<kGroups>([&](auto g) LINGUA_INLINE_LAMBDA { sums[g] = all_of(0); });
  for (std::int64_t i = 0; i < count; ++i) {
    const auto* row = reinterpret_cast<const Element*>(values.row(first + i)) + column;
    const Vector weight = hn::Set(d, weights[i]);
    unrolled<kGroups>([&](auto g) LINGUA_INLINE_LAMBDA {
      const std::int64_t some = g + 1 == kGroups ? last : kLanes;
      sums[g] = map([&](auto value, auto before)
                        LINGUA_INLINE_LAMBDA { return fused<false>(value, weight, before); },
                    load(row + g * kLanes, some), sums[g]);
    });
  }
  unrolled<kGroups>([&](auto g) LINGUA_INLINE_LAMBDA {
    const Sixteen result =
        map([&](auto s) LINGUA_INLINE_LAMBDA { return hn::Div(s, hn::Set(d, sum)); }, sums[g]);
    store(result, out + column + g * kLanes, g + 1 == kGroups ? last : kLanes);
  });
}

template <class Element>
void weighted_values(const RowMatrix& values, std::int64_t first, const float* weights,
                     std::int64_t count, float sum, Element* out) {
  constexpr std::int64_t kAtOnce = kChains * kLanes;
  std::int64_t column = 0;
  for (; column + kAtOnce <= values.width; column += kAtOnce) {
    add_values<Element, kChains>(values, first, column, kLanes, weights, count, sum, out);
  }
  if (column + kAtOnce / 2 <= values.width) {
    add_values<Element, kChains / 2>(values, first, column, kLanes, weights, count, sum, out);
    column += kAtOnce / 2;
  }
  for (; column < values.width; column += kLanes) {
    const std::int64_t last = std::min(kLanes, values.width - column);
    add_values<Element, 1>(values, first, column, last, weights, count, sum, out);
  }
}

void attend(const AttentionHead& head, std::int64_t first, std::int64_t last, std::byte* out,
            std::int64_t stride_bytes) {
  const RowType type = head.queries.type;
  const std::int64_t past = head.positions - head.new_positions;
  const auto start_of = [&](std::int64_t query) {
    return head.window == 0 ? 0 : std::max<std::int64_t>(0, past + query + 1 - head.window);
  };
  const std::int64_t begin = start_of(first);
  const std::int64_t size = past + last - begin;
  WideVectors queries(last - first, head.queries.width, type, type);
  queries.widen(head.queries.row(first), head.queries.stride_bytes, 0, last - first);
  const auto scores = hwy::AllocateAligned<float>(static_cast<std::size_t>((last - first) * size));
  row_products(head.keys, begin, begin + size, queries, 0, last - first, scores.get());
  for (std::int64_t query = first; query < last; ++query, out += stride_bytes) {
    const std::int64_t start = start_of(query);
    const std::int64_t count = past + query + 1 - start;
    float* own = scores.get() + (query - first) * size + start - begin;
    const float sum = to_weights(own, count, start, head.scale, head.slope);
    if (type == RowType::kFloat32) {
      weighted_values(head.values, start, own, count, sum, reinterpret_cast<float*>(out));
    } else {
      weighted_values(head.values, start, own, count, sum, reinterpret_cast<std::uint16_t*>(out));
    }
  }
}

}  // namespace
}  // namespace lingua::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lingua {

HWY_EXPORT(attend);

void attend(const AttentionHead& head, std::int64_t first, std::int64_t last, std::byte* out,
            std::int64_t stride_bytes) {
  HWY_DYNAMIC_DISPATCH(attend)(head, first, last, out, stride_bytes);
}

}  // namespace lingua
#endif  // HWY_ONCE
