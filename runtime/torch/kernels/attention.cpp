#include "runtime/torch/kernels/attention.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <vector>

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

// Queries and groups of 16 columns of the values that are added up at once, as many as registers hold.
constexpr int kTileQueries = kParts == 1 ? 4 : 2;
constexpr int kTileGroups = kParts == 1 ? 4 : 2;

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

// Weights of a query, the first of which is that of position `start`, and the sums of its values.
struct Query {
  const float* weights;
  std::int64_t start;
  float* sums;  // values.width of them, filled up to whole groups
};

// Adds positions first .. last - 1 to the sums of kQueries queries, in kGroups groups of columns, of which
// the last has `columns` columns.
template <class Element, int kQueries, int kGroups>
HWY_INLINE void add_tile(const RowMatrix& values, const Query* queries, std::int64_t first,
                         std::int64_t last, std::int64_t column, std::int64_t columns) {
  const Floats d;
  Sixteen sums[kQueries * kGroups];
  unrolled<kQueries * kGroups>([&](auto i) LINGUA_INLINE_LAMBDA {
    sums[i] = load(queries[i / kGroups].sums + column + i % kGroups * kLanes, kLanes);
  });
  for (std::int64_t position = first; position < last; ++position) {
    const auto* row = reinterpret_cast<const Element*>(values.row(position)) + column;
    Sixteen value[kGroups];
    unrolled<kGroups>([&](auto g) LINGUA_INLINE_LAMBDA {
      value[g] = load(row + g * kLanes, g + 1 == kGroups ? columns : kLanes);
    });
    unrolled<kQueries>([&](auto q) LINGUA_INLINE_LAMBDA {
      const Vector weight = hn::Set(d, queries[q].weights[position - queries[q].start]);
      unrolled<kGroups>([&](auto g) LINGUA_INLINE_LAMBDA {
        Sixteen& sum = sums[q * kGroups + g];
        sum = map([&](auto v, auto before)
                      LINGUA_INLINE_LAMBDA { return fused<false>(v, weight, before); },
                  value[g], sum);
      });
    });
  }
  unrolled<kQueries * kGroups>([&](auto i) LINGUA_INLINE_LAMBDA {
    store(sums[i], queries[i / kGroups].sums + column + i % kGroups * kLanes, kLanes);
  });
}

template <class Element, int kQueries>
void add_values(const RowMatrix& values, const Query* queries, std::int64_t first,
                std::int64_t last) {
  if (first >= last) return;
  std::int64_t column = 0;
  if constexpr (kQueries == 1) {
    constexpr int kGroups = 2 * kTileGroups;
    for (; column + kGroups * kLanes <= values.width; column += kGroups * kLanes) {
      add_tile<Element, 1, kGroups>(values, queries, first, last, column, kLanes);
    }
  }
  for (; column + kTileGroups * kLanes <= values.width; column += kTileGroups * kLanes) {
    add_tile<Element, kQueries, kTileGroups>(values, queries, first, last, column, kLanes);
  }
  for (; column < values.width; column += kLanes) {
    add_tile<Element, kQueries, 1>(values, queries, first, last, column,
                                   std::min(kLanes, values.width - column));
  }
}

// Queries in order: each looks from its start to the position before its end.
template <class Element>
void add_in_tiles(const RowMatrix& values, const Query* queries, std::int64_t count,
                  std::int64_t first_end) {
  std::int64_t q = 0;
  for (; q + kTileQueries <= count; q += kTileQueries) {
    // What all of them look at is read once; each adds what is before and behind it in its turn.
    const std::int64_t begin = queries[q + kTileQueries - 1].start;
    const std::int64_t end = std::max(begin, first_end + q);
    for (int i = 0; i < kTileQueries; ++i) {
      add_values<Element, 1>(values, queries + q + i, queries[q + i].start,
                             std::min(begin, first_end + q + i));
    }
    add_values<Element, kTileQueries>(values, queries + q, begin, end);
    for (int i = 0; i < kTileQueries; ++i) {
      add_values<Element, 1>(values, queries + q + i, end, first_end + q + i);
    }
  }
  for (; q < count; ++q) {
    add_values<Element, 1>(values, queries + q, queries[q].start, first_end + q);
  }
}

template <class Element>
void divide(const float* sums, std::int64_t size, float by, Element* out) {
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    const Sixteen result =
        map([&](auto s) LINGUA_INLINE_LAMBDA { return hn::Div(s, hn::Set(Floats(), by)); },
            load(sums + at, count));
    store(result, out + at, count);
  });
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
  const std::int64_t width = (head.values.width + kLanes - 1) / kLanes * kLanes;
  const auto memory = hwy::AllocateAligned<float>(static_cast<std::size_t>((last - first) * width));
  std::fill_n(memory.get(), (last - first) * width, 0.0F);
  std::vector<Query> all;
  std::vector<float> totals;
  for (std::int64_t query = first; query < last; ++query) {
    const std::int64_t start = start_of(query);
    float* own = scores.get() + (query - first) * size + start - begin;
    totals.push_back(to_weights(own, past + query + 1 - start, start, head.scale, head.slope));
    all.push_back({own, start, memory.get() + (query - first) * width});
  }
  const std::int64_t first_end = past + first + 1;
  if (type == RowType::kFloat32) {
    add_in_tiles<float>(head.values, all.data(), last - first, first_end);
  } else {
    add_in_tiles<std::uint16_t>(head.values, all.data(), last - first, first_end);
  }
  for (std::int64_t i = 0; i < last - first; ++i, out += stride_bytes) {
    if (type == RowType::kFloat32) {
      divide(all[i].sums, head.values.width, totals[i], reinterpret_cast<float*>(out));
    } else {
      divide(all[i].sums, head.values.width, totals[i], reinterpret_cast<std::uint16_t*>(out));
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
