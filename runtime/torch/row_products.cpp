#include "runtime/torch/row_products.h"

#include <cstring>

// Vectors stand in arrays here, which instruction sets with vectors of unknown length do not allow.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/torch/row_products.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for each instruction set
// Behind foreach_target.h, as Highway demands.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lingua::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

// Asks for weights this far ahead of their use; rows are too short for processors to see it coming.
// Into the second cache, which can wait for more lines at once than the first: twice as fast.
constexpr std::int64_t kAheadBytes = 8 << 10;
HWY_INLINE void fetch_ahead(const void* weights) {
  __builtin_prefetch(static_cast<const std::byte*>(weights) + kAheadBytes, 0, 2);
}

template <RowType type>
struct Weights;

template <>
struct Weights<RowType::kFloat32> {
  using Element = float;
  static Vector load(const float* from) { return hn::LoadU(Floats(), from); }
  static float widen(float value) { return value; }
};

template <>
struct Weights<RowType::kBFloat16> {
  using Element = std::uint16_t;
  static Vector load(const std::uint16_t* from) {
    const hn::Rebind<std::uint16_t, Floats> half;
    const hn::Rebind<std::uint32_t, Floats> whole;
    return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(whole, hn::LoadU(half, from))));
  }
  static float widen(std::uint16_t value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
};

template <>
struct Weights<RowType::kInt8> {
  using Element = std::int8_t;
  static Vector load(const std::int8_t* from) {
    const hn::Rebind<std::int8_t, Floats> bytes;
    const hn::Rebind<std::int32_t, Floats> whole;
    return hn::ConvertTo(Floats(), hn::PromoteTo(whole, hn::LoadU(bytes, from)));
  }
  static float widen(std::int8_t value) { return static_cast<float>(value); }
};

// kRows rows with kVectors vectors. Each product has two sums, of the even and the odd blocks of
// lanes, whatever kRows and kVectors are.
template <RowType type, int kRows, int kVectors>
struct Tile {
  using Element = typename Weights<type>::Element;
  Vector even[kRows * kVectors];
  Vector odd[kRows * kVectors];

  HWY_INLINE Tile() {
    for (int i = 0; i < kRows * kVectors; ++i) even[i] = odd[i] = hn::Zero(Floats());
  }

  // Two blocks of lanes of every row and vector.
  HWY_INLINE void add(const Element* const* rows, std::int64_t at, const float* vectors,
                      std::int64_t vectors_stride) {
    const Floats d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (int r = 0; r < kRows; ++r) {
      const Vector w0 = Weights<type>::load(rows[r] + at);
      const Vector w1 = Weights<type>::load(rows[r] + at + lanes);
      for (int v = 0; v < kVectors; ++v) {
        const float* x = vectors + v * vectors_stride;
        const int i = r * kVectors + v;
        even[i] = hn::MulAdd(w0, hn::LoadU(d, x), even[i]);
        odd[i] = hn::MulAdd(w1, hn::LoadU(d, x + lanes), odd[i]);
      }
    }
  }

  // The columns from `at` on, fewer than two blocks, filled up with zeros.
  void add_rest(const Element* const* rows, std::int64_t at, const float* vectors,
                std::int64_t width) {
    constexpr std::size_t kBlock = 2 * hn::MaxLanes(Floats());
    Element weights[kRows][kBlock] = {};
    float values[kVectors][kBlock] = {};
    const Element* starts[kRows];
    const auto rest = static_cast<std::size_t>(width - at);
    for (int r = 0; r < kRows; ++r) {
      std::memcpy(weights[r], rows[r] + at, rest * sizeof(Element));
      starts[r] = weights[r];
    }
    for (int v = 0; v < kVectors; ++v) {
      std::memcpy(values[v], vectors + v * width + at, rest * sizeof(float));
    }
    add(starts, 0, values[0], kBlock);
  }

  HWY_INLINE void run(const RowMatrix& matrix, std::int64_t first, const float* vectors,
                      float* products, std::int64_t products_stride) {
    const std::int64_t width = matrix.width;
    const auto block = static_cast<std::int64_t>(2 * hn::Lanes(Floats()));
    const Element* rows[kRows];
    for (int r = 0; r < kRows; ++r) {
      rows[r] = reinterpret_cast<const Element*>(matrix.data + (first + r) * matrix.stride_bytes);
    }
    std::int64_t at = 0;
    for (; at + block <= width; at += block) {
      for (int r = 0; r < kRows; ++r) fetch_ahead(rows[r] + at);
      add(rows, at, vectors + at, width);
    }
    if (at < width) add_rest(rows, at, vectors, width);
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        const int i = r * kVectors + v;
        products[v * products_stride + r] =
            hn::GetLane(hn::SumOfLanes(Floats(), hn::Add(even[i], odd[i])));
      }
    }
  }
};

template <RowType type>
void all_products(const RowMatrix& matrix, std::int64_t begin, std::int64_t end,
                  const float* vectors, std::int64_t count, float* products) {
  const std::int64_t stride = end - begin;
  std::int64_t row = begin;
  for (; row + 4 <= end; row += 4) {
    float* out = products + row - begin;
    std::int64_t v = 0;
    for (; v + 2 <= count; v += 2) {
      Tile<type, 4, 2>().run(matrix, row, vectors + v * matrix.width, out + v * stride, stride);
    }
    if (v < count) {
      Tile<type, 4, 1>().run(matrix, row, vectors + v * matrix.width, out + v * stride, stride);
    }
  }
  for (; row < end; ++row) {
    for (std::int64_t v = 0; v < count; ++v) {
      Tile<type, 1, 1>().run(matrix, row, vectors + v * matrix.width,
                             products + v * stride + row - begin, stride);
    }
  }
}

void row_products(const RowMatrix& matrix, std::int64_t begin, std::int64_t end,
                  const float* vectors, std::int64_t count, float* products) {
  switch (matrix.type) {
    case RowType::kFloat32:
      return all_products<RowType::kFloat32>(matrix, begin, end, vectors, count, products);
    case RowType::kBFloat16:
      return all_products<RowType::kBFloat16>(matrix, begin, end, vectors, count, products);
    case RowType::kInt8:
      return all_products<RowType::kInt8>(matrix, begin, end, vectors, count, products);
  }
}

}  // namespace
}  // namespace lingua::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lingua {

HWY_EXPORT(row_products);

void row_products(const RowMatrix& matrix, std::int64_t begin, std::int64_t end,
                  const float* vectors, std::int64_t count, float* products) {
  HWY_DYNAMIC_DISPATCH(row_products)(matrix, begin, end, vectors, count, products);
}

}  // namespace lingua
#endif  // HWY_ONCE
