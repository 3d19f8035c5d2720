#include "runtime/torch/kernels/row_products.h"

#include <algorithm>
#include <cstring>

#include "runtime/torch/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/torch/kernels/row_products.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for each instruction set
// Behind foreach_target.h, as Highway demands.
#include <hwy/highway.h>

#include "runtime/torch/kernels/lanes.inl"

HWY_BEFORE_NAMESPACE();
namespace lingua::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kStep = 2 * kLanes;  // columns that are taken at once
// Products that share what they read, as many as registers hold.
constexpr bool kSmall = kParts > 2 && HWY_TARGET != HWY_NEON;
constexpr int kTileRows = kParts == 1 ? 5 : kSmall ? 2 : 3;
constexpr int kTileVectors = kParts == 1 ? 4 : kSmall ? 1 : 2;
// And where rows are widened as they are read: the more vectors, the fewer widened rows they share.
constexpr int kMostVectors = kParts == 1 ? 8 : kTileVectors;
constexpr int rows_with(int vectors) {
  return kParts > 1 || vectors <= 5 ? kTileRows : vectors == 6 ? 4 : 3;
}

template <RowType type>
struct Weights;

template <>
struct Weights<RowType::kFloat32> {
  using Element = float;
};
template <>
struct Weights<RowType::kBFloat16> {
  using Element = std::uint16_t;
};
template <>
struct Weights<RowType::kInt8> {
  using Element = std::int8_t;
};

// Of 32 columns, the first and the second that a lane takes.
template <class Element>
HWY_INLINE Vector first_of(const Element* from, int part) {
  return widened(from, part);
}
template <class Element>
HWY_INLINE Vector second_of(const Element* from, int part) {
  return widened(from + kLanes, part);
}
HWY_INLINE hn::Vec<Bits> pairs(const std::uint16_t* from, int part) {
  return hn::LoadU(Bits(), reinterpret_cast<const std::uint32_t*>(from) + part * kInVector);
}
template <>
HWY_INLINE Vector first_of(const std::uint16_t* from, int part) {
  const Bits d;
  return hn::BitCast(Floats(), hn::And(pairs(from, part), hn::Set(d, 0xffff0000U)));
}
template <>
HWY_INLINE Vector second_of(const std::uint16_t* from, int part) {
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(pairs(from, part)));
}

// Asks for weights this far ahead of their use; rows are too short for processors to see it coming.
// Into the second cache, which can wait for more lines at once than the first: twice as fast.
constexpr std::int64_t kAheadBytes = 8 << 10;
HWY_INLINE void fetch_ahead(const void* weights) {
  __builtin_prefetch(static_cast<const std::byte*>(weights) + kAheadBytes, 0, 2);
}

// kRows rows with kVectors vectors. kExact as fused()'s. kStreams: rows come from memory.
template <class Element, int kRows, int kVectors, bool kExact, bool kStreams>
struct Tile {
  static constexpr int kSums = kVectors * kRows;
  using Sums = Vector[kSums * kParts];  // by vector, row, part

  static HWY_INLINE void add(const Vector (&weights)[kRows], const float* const* vectors,
                             std::int64_t at, int part, Sums& sums) {
    unrolled<kVectors>([&](auto v) LINGUA_INLINE_LAMBDA {
      const Vector x = in_register(hn::Load(Floats(), vectors[v] + at + part * kInVector));
      unrolled<kRows>([&](auto r) LINGUA_INLINE_LAMBDA {
        Vector& sum = sums[(v * kRows + r) * kParts + part];
        sum = fused<kExact>(weights[r], x, sum);
      });
    });
  }

  // 32 columns, of the rows from `row_at` on and of the vectors from `at` on.
  static HWY_INLINE void step(const Element* const* rows, std::int64_t row_at,
                              const float* const* vectors, std::int64_t at, Sums& sums) {
    unrolled<kParts>([&](auto part) LINGUA_INLINE_LAMBDA {
      Vector weights[kRows];
      unrolled<kRows>([&](auto r) LINGUA_INLINE_LAMBDA {
        weights[r] = in_register(first_of(rows[r] + row_at, part));
      });
      add(weights, vectors, at, part, sums);
      unrolled<kRows>([&](auto r) LINGUA_INLINE_LAMBDA {
        weights[r] = in_register(second_of(rows[r] + row_at, part));
      });
      add(weights, vectors, at + kLanes, part, sums);
    });
  }

  // The first `columns` columns at rows and vectors; products [kVectors][kRows].
  static HWY_INLINE void run(const Element* const* rows, const float* const* vectors,
                             std::int64_t columns, float* products) {
    Sums sums;
    unrolled<kSums * kParts>([&](auto i) LINGUA_INLINE_LAMBDA { sums[i] = hn::Zero(Floats()); });
    std::int64_t at = 0;
    for (; at + kStep <= columns; at += kStep) {
      if constexpr (kStreams) {
        unrolled<kRows>([&](auto r) LINGUA_INLINE_LAMBDA { fetch_ahead(rows[r] + at); });
      }
      step(rows, at, vectors, at, sums);
    }
    if (at < columns) {
      Element rest[kRows][kStep] = {};
      const Element* starts[kRows];
      for (int r = 0; r < kRows; ++r) {
        std::memcpy(rest[r], rows[r] + at,
                    static_cast<std::size_t>(columns - at) * sizeof(Element));
        starts[r] = rest[r];
      }
      step(starts, 0, vectors, at, sums);
    }
    Vector all[kSums * kParts];  // apart from what the loop holds in registers
    unrolled<kSums * kParts>([&](auto i) LINGUA_INLINE_LAMBDA { all[i] = sums[i]; });
    add_lanes<kSums>(all, products);
  }
};

// One block of columns of some rows and vectors, added to their products.
struct Block {
  const float* vectors;
  std::int64_t apart;  // from vector to vector
  std::int64_t columns;
  float* products;
  std::int64_t products_apart;  // from vector to vector
  bool first;

  // Rows that are missing in a tile are computed as others once more.
  template <class Element, int kRows, int kVectors, bool kExact, bool kStreams>
  HWY_INLINE void tile(const Element* const* rows, std::int64_t row, std::int64_t row_count,
                       std::int64_t v) const {
    const float* xs[kVectors];
    for (int i = 0; i < kVectors; ++i) xs[i] = vectors + (v + i) * apart;
    float results[kVectors * kRows];
    Tile<Element, kRows, kVectors, kExact, kStreams>::run(rows, xs, columns, results);
    for (int i = 0; i < kVectors; ++i) {
      float* to = products + (v + i) * products_apart + row;
      const float* from = results + i * kRows;
      for (std::int64_t r = 0; r < row_count; ++r) to[r] = first ? from[r] : to[r] + from[r];
    }
  }

  // Many vectors with kTileRows rows.
  template <bool kExact>
  HWY_INLINE void tiles(const float* const* rows, std::int64_t row, std::int64_t row_count,
                        std::int64_t v, std::int64_t last) const {
    constexpr int kRows = kTileRows;
    for (; v + kTileVectors <= last; v += kTileVectors) {
      tile<float, kRows, kTileVectors, kExact, false>(rows, row, row_count, v);
    }
    if constexpr (kTileVectors > 2) {
      for (; v + 2 <= last; v += 2) tile<float, kRows, 2, kExact, false>(rows, row, row_count, v);
    }
    for (; v < last; ++v) tile<float, kRows, 1, kExact, false>(rows, row, row_count, v);
  }
};

struct Job {
  const RowMatrix& matrix;
  std::int64_t begin;
  std::int64_t end;
  const WideVectors& vectors;
  std::int64_t first;
  std::int64_t last;
  float* products;

  Block block(std::int64_t b) const {
    const std::int64_t apart = vectors.columns(b);
    return {vectors.block(b) + first * apart,
            apart,
            std::min(kBlockColumns, matrix.width - b * kBlockColumns),
            products,
            end - begin,
            b == 0};
  }
};

// Few vectors, which stay in the cache while every row is read from memory once: `passes` of kVectors and,
// for the last of them, one vector less.
template <class Element, int kVectors, bool kExact>
void passes(const Job& job, std::int64_t whole, std::int64_t less) {
  constexpr int kRows = rows_with(kVectors);
  for (std::int64_t row = job.begin; row < job.end; row += kRows) {
    const std::int64_t count = std::min<std::int64_t>(kRows, job.end - row);
    for (std::int64_t b = 0; b < job.vectors.blocks(); ++b) {
      const Element* rows[kRows];
      for (int r = 0; r < kRows; ++r) {
        const std::byte* start = job.matrix.row(row + std::min<std::int64_t>(r, count - 1));
        rows[r] = reinterpret_cast<const Element*>(start) + b * kBlockColumns;
      }
      const Block block = job.block(b);
      std::int64_t v = 0;
      for (std::int64_t i = 0; i < whole; ++i, v += kVectors) {
        block.tile<Element, kRows, kVectors, kExact, true>(rows, row - job.begin, count, v);
      }
      if constexpr (kVectors > 1) {
        for (std::int64_t i = 0; i < less; ++i, v += kVectors - 1) {
          block.tile<Element, kRows, kVectors - 1, kExact, true>(rows, row - job.begin, count, v);
        }
      }
    }
  }
}

template <RowType type, bool kExact>
void few(const Job& job) {
  using Element = typename Weights<type>::Element;
  const std::int64_t count = job.last - job.first;
  const std::int64_t tiles = (count + kMostVectors - 1) / kMostVectors;
  const std::int64_t most = (count + tiles - 1) / tiles;
  const std::int64_t less = tiles * most - count;
  unrolled<kMostVectors>([&](auto i) LINGUA_INLINE_LAMBDA {
    if (most == i + 1) passes<Element, i + 1, kExact>(job, tiles - less, less);
  });
}

// Columns widened to float32 and filled up with zeros, in the order in which products take them.
template <bool kPairs, class Element>
void widen(const Element* from, std::int64_t columns, float* to) {
  const Floats d;
  const auto step = [&](const Element* source, float* out) {
    for (int part = 0; part < kParts; ++part) {
      const Vector first = kPairs ? first_of(source, part) : widened(source, part);
      const Vector second = kPairs ? second_of(source, part) : widened(source + kLanes, part);
      hn::Store(first, d, out + part * kInVector);
      hn::Store(second, d, out + kLanes + part * kInVector);
    }
  };
  std::int64_t at = 0;
  for (; at + kStep <= columns; at += kStep) step(from + at, to + at);
  if (at == columns) return;
  Element rest[kStep] = {};
  std::memcpy(rest, from + at, static_cast<std::size_t>(columns - at) * sizeof(Element));
  step(rest, to + at);
}

// Memory for a block of columns of kGoodRows rows.
float* widened_rows() {
  thread_local const auto memory =
      hwy::AllocateAligned<float>(static_cast<std::size_t>(kGoodRows * kBlockColumns));
  return memory.get();
}

// Many vectors: blocks of rows, widened once, and of vectors that fit the second cache together.
template <RowType type, bool kExact>
void many(const Job& job, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kVectorsAtOnce = 96;
  using Element = typename Weights<type>::Element;
  const std::int64_t count = end - begin;
  float* const wide = widened_rows();
  for (std::int64_t b = 0; b < job.vectors.blocks(); ++b) {
    Block block = job.block(b);
    block.products += begin - job.begin;
    for (std::int64_t r = 0; r < count; ++r) {
      const auto* row = reinterpret_cast<const Element*>(job.matrix.row(begin + r));
      widen<true>(row + b * kBlockColumns, block.columns, wide + r * block.apart);
    }
    block.columns = block.apart;
    for (std::int64_t v = 0; v < job.last - job.first; v += kVectorsAtOnce) {
      const std::int64_t last = std::min(v + kVectorsAtOnce, job.last - job.first);
      for (std::int64_t row = 0; row < count; row += kTileRows) {
        const std::int64_t in_tile = std::min<std::int64_t>(kTileRows, count - row);
        const float* rows[kTileRows];
        for (int r = 0; r < kTileRows; ++r) {
          rows[r] = wide + (row + std::min<std::int64_t>(r, in_tile - 1)) * block.apart;
        }
        block.tiles<kExact>(rows, row, in_tile, v, last);
      }
    }
  }
}

template <RowType type, bool kExact>
void all_products(const Job& job) {
  if (job.last - job.first <= kFewVectors) return few<type, kExact>(job);
  for (std::int64_t row = job.begin; row < job.end; row += kGoodRows) {
    many<type, kExact>(job, row, std::min(row + kGoodRows, job.end));
  }
}

void row_products(const RowMatrix& matrix, std::int64_t begin, std::int64_t end,
                  const WideVectors& vectors, std::int64_t first, std::int64_t last,
                  float* products) {
  const Job job{matrix, begin, end, vectors, first, last, products};
  switch (matrix.type) {
    case RowType::kFloat32: return all_products<RowType::kFloat32, false>(job);
    case RowType::kBFloat16: return all_products<RowType::kBFloat16, true>(job);
    case RowType::kInt8:
      return vectors.type() == RowType::kBFloat16 ? all_products<RowType::kInt8, true>(job)
                                                  : all_products<RowType::kInt8, false>(job);
  }
}

template <class Element>
void finish(const Finish& how, const float* products, std::int64_t size, Element* out) {
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    Sixteen results = load(products + at, count);
    if (how.scales != nullptr) {
      results = map([](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Mul(a, b); }, results,
                    load(how.scales + at, count));
    }
    if (how.bias != nullptr) {
      results = map([](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Add(a, b); }, results,
                    load(how.bias + at, count));
    }
    store(results, out + at, count);
  });
}

void finish_products(const Finish& how, const float* products, std::int64_t count, std::byte* out) {
  if (how.type == RowType::kFloat32) {
    finish(how, products, count, reinterpret_cast<float*>(out));
  } else {
    finish(how, products, count, reinterpret_cast<std::uint16_t*>(out));
  }
}

void widen_vector(RowType rows, RowType type, const std::byte* from, std::int64_t columns,
                  float* to) {
  if (type == RowType::kFloat32) {
    widen<false>(reinterpret_cast<const float*>(from), columns, to);
  } else if (rows != RowType::kBFloat16) {
    widen<false>(reinterpret_cast<const std::uint16_t*>(from), columns, to);
  } else {
    widen<true>(reinterpret_cast<const std::uint16_t*>(from), columns, to);
  }
}

}  // namespace
}  // namespace lingua::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lingua {

HWY_EXPORT(row_products);
HWY_EXPORT(widen_vector);
HWY_EXPORT(finish_products);

WideVectors::WideVectors(std::int64_t count, std::int64_t width, RowType rows, RowType type)
    : count_(count),
      width_(width),
      rows_(rows),
      type_(type),
      values_(hwy::AllocateAligned<float>(static_cast<std::size_t>(
          count * ((blocks() - 1) * kBlockColumns + columns(blocks() - 1))))) {}

std::int64_t WideVectors::columns(std::int64_t block) const {
  constexpr std::int64_t kStep = 32;
  return std::min(kBlockColumns, (width_ - block * kBlockColumns + kStep - 1) / kStep * kStep);
}

void WideVectors::widen(const std::byte* x, std::int64_t stride_bytes, std::int64_t first,
                        std::int64_t last) {
  const std::int64_t size = type_ == RowType::kFloat32 ? 4 : 2;
  for (std::int64_t v = first; v < last; ++v) {
    for (std::int64_t b = 0; b < blocks(); ++b) {
      const std::int64_t at = b * kBlockColumns;
      HWY_DYNAMIC_DISPATCH(widen_vector)
      (rows_, type_, x + (v - first) * stride_bytes + at * size,
       std::min(kBlockColumns, width_ - at), values_.get() + at * count_ + v * columns(b));
    }
  }
}

void row_products(const RowMatrix& matrix, std::int64_t begin, std::int64_t end,
                  const WideVectors& vectors, std::int64_t first, std::int64_t last,
                  float* products) {
  HWY_DYNAMIC_DISPATCH(row_products)(matrix, begin, end, vectors, first, last, products);
}

void finish_products(const Finish& finish, const float* products, std::int64_t count,
                     std::byte* out) {
  HWY_DYNAMIC_DISPATCH(finish_products)(finish, products, count, out);
}

}  // namespace lingua
#endif  // HWY_ONCE
