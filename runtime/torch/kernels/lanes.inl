// What the kernels are made of, compiled once for each instruction set.
//
// Internal to torch/kernels/. Include behind <hwy/foreach_target.h>.
// Every sum of a kernel has 16 running sums, however many vectors these take, which are added as a tree.
// Determinism: the sums of products fuse multiplication and addition, and everything else does not. The
// files that include this are compiled with -ffp-contract=off.

#if defined(LINGUA_TORCH_KERNELS_LANES_INL_) == defined(HWY_TARGET_TOGGLE)
#ifdef LINGUA_TORCH_KERNELS_LANES_INL_
#undef LINGUA_TORCH_KERNELS_LANES_INL_
#else
#define LINGUA_TORCH_KERNELS_LANES_INL_
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "runtime/torch/kernels/elements.h"

HWY_BEFORE_NAMESPACE();
namespace lingua::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kLanes = 16;  // running sums
using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
using Bits = hn::RebindToUnsigned<Floats>;
constexpr std::int64_t kInVector = hn::MaxLanes(Floats());
constexpr int kParts = static_cast<int>(kLanes / kInVector);  // vectors of 16 lanes

#ifndef LINGUA_INLINE_LAMBDA
#define LINGUA_INLINE_LAMBDA __attribute__((always_inline))
#endif

// Calls visit(0) .. visit(kCount - 1) with constants: compilers keep arrays in registers only where no
// loop runs over them.
template <int kCount, class Visit>
HWY_INLINE void unrolled(const Visit& visit) {
  [&]<int... kEach>(std::integer_sequence<int, kEach...>) LINGUA_INLINE_LAMBDA {
    (visit(std::integral_constant<int, kEach>()), ...);
  }
  (std::make_integer_sequence<int, kCount>());
}

// Keeps GCC from reading memory again for each use of a vector.
HWY_INLINE Vector in_register(Vector v) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(v.raw));
#endif
  return v;
}

#if !HWY_NATIVE_FMA && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
// a * b + c, rounded once: the product is exact in double, and the sum is rounded to odd, which a
// second rounding does not see (Boldo and Melquiond, IEEE TC 57(4), 2008).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fused_double(D d, V a, V b, V c) {
  const hn::RebindToSigned<D> di;
  const V product = hn::Mul(a, b);
  const V sum = hn::Add(product, c);
  const V back = hn::Sub(sum, product);
  const V error = hn::Add(hn::Sub(product, hn::Sub(sum, back)), hn::Sub(c, back));
  const auto bits = hn::BitCast(di, sum);
  const auto one = hn::Set(di, 1);
  const auto away = hn::Or(hn::BroadcastSignBit(hn::Xor(bits, hn::BitCast(di, error))), one);
  const auto zero = hn::Zero(d);
  const auto inexact = hn::Or(hn::Lt(error, zero), hn::Gt(error, zero));
  const auto even = hn::Eq(hn::And(bits, one), hn::Zero(di));
  const auto odd = hn::IfThenElse(even, hn::Add(bits, away), bits);
  return hn::IfThenElse(inexact, hn::BitCast(d, odd), sum);
}
#endif

// a * b + c rounded once. kExact: the product of any a and b is a float32, which is so for widened
// bfloat16 and int8; then instruction sets without the operation need not imitate it (their results
// differ where a product is below 2^-126 or above the largest float32).
template <bool kExact>
HWY_INLINE Vector fused(Vector a, Vector b, Vector c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#else
  if constexpr (kExact) return hn::Add(hn::Mul(a, b), c);
  const Floats d;
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  // Whose conversions to float32 stop at the largest one.
  float lanes[3][kInVector];
  hn::StoreU(a, d, lanes[0]);
  hn::StoreU(b, d, lanes[1]);
  hn::StoreU(c, d, lanes[2]);
  for (int i = 0; i < kInVector; ++i) lanes[0][i] = std::fma(lanes[0][i], lanes[1][i], lanes[2][i]);
  return hn::LoadU(d, lanes[0]);
#else
  const hn::Half<Floats> half;
  const hn::Repartition<double, Floats> wide;
  const auto lower = [&](Vector v) { return hn::PromoteTo(wide, hn::LowerHalf(half, v)); };
  const auto upper = [&](Vector v) { return hn::PromoteTo(wide, hn::UpperHalf(half, v)); };
  const auto low = fused_double(wide, lower(a), lower(b), lower(c));
  const auto high = fused_double(wide, upper(a), upper(b), upper(c));
  return hn::Combine(d, hn::DemoteTo(half, high), hn::DemoteTo(half, low));
#endif
#endif
}

// Adds neighbours until each of kSums groups of 16 lanes is one number, and writes these.
template <int kSums>
HWY_INLINE void add_lanes(Vector* sums, float* out) {
  const Floats d;
  int count = kSums * kParts;
  for (std::int64_t lanes = kLanes; lanes > 1; lanes /= 2) {
    const int half = (count + 1) / 2;
    for (int i = 0; i < half; ++i) {
      const Vector a = sums[2 * i];
      const Vector b = 2 * i + 1 < count ? sums[2 * i + 1] : a;
#if HWY_TARGET == HWY_SCALAR
      sums[i] = hn::Add(a, b);
#else
      sums[i] = hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
#endif
    }
    count = half;
  }
  alignas(64) float all[(kSums + 15) / 16 * 16];
  for (int i = 0; i < count; ++i) hn::Store(sums[i], d, all + i * kInVector);
  std::memcpy(out, all, kSums * sizeof(float));
}

// Lanes 0 .. 15 of what stands at `from`, widened; its `part`-th vector.
HWY_INLINE Vector widened(const float* from, int part) {
  return hn::LoadU(Floats(), from + part * kInVector);
}
HWY_INLINE Vector widened(const std::uint16_t* from, int part) {
  const hn::Rebind<std::uint16_t, Floats> half;
  const Bits whole;
  const auto bits = hn::PromoteTo(whole, hn::LoadU(half, from + part * kInVector));
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(bits));
}
HWY_INLINE Vector widened(const std::int8_t* from, int part) {
  const hn::Rebind<std::int8_t, Floats> bytes;
  const hn::RebindToSigned<Floats> whole;
  return hn::ConvertTo(Floats(), hn::PromoteTo(whole, hn::LoadU(bytes, from + part * kInVector)));
}

// Rounded to nearest, ties to even.
HWY_INLINE void round_to(Vector values, float* to, int part) {
  hn::StoreU(values, Floats(), to + part * kInVector);
}
HWY_INLINE void round_to(Vector values, std::uint16_t* to, int part) {
  const Bits d;
  const hn::RebindToSigned<Floats> whole;
  const hn::Rebind<std::uint16_t, Floats> half;
  const auto bits = hn::BitCast(d, values);
  const auto even = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  const auto up = hn::ShiftRight<16>(hn::Add(bits, hn::Add(even, hn::Set(d, 0x7fff))));
  const auto nan = hn::RebindMask(d, hn::IsNaN(values));
  const auto rounded = hn::IfThenElse(nan, hn::Set(d, 0x7fc0), up);
  hn::StoreU(hn::DemoteTo(half, hn::BitCast(whole, rounded)), half, to + part * kInVector);
}

// Some of 16 numbers: a vector for each part.
struct Sixteen {
  HWY_INLINE Sixteen() {}  // the compiler's own is built for no instruction set
  Vector parts[kParts];
};

// The first `count` (at most 16) elements at `from`, widened; the rest zeros.
template <class Element>
HWY_INLINE Sixteen load(const Element* from, std::int64_t count) {
  Element rest[kLanes] = {};
  if (count < kLanes) {
    std::memcpy(rest, from, static_cast<std::size_t>(count) * sizeof(Element));
    from = rest;
  }
  Sixteen all;
  unrolled<kParts>([&](auto part) LINGUA_INLINE_LAMBDA { all.parts[part] = widened(from, part); });
  return all;
}

template <class Element>
HWY_INLINE void store(const Sixteen& all, Element* to, std::int64_t count) {
  Element rest[kLanes];
  Element* whole = count < kLanes ? rest : to;
  unrolled<kParts>([&](auto part) LINGUA_INLINE_LAMBDA { round_to(all.parts[part], whole, part); });
  if (count < kLanes) std::memcpy(to, rest, static_cast<std::size_t>(count) * sizeof(Element));
}

// operation(a, b, ...) of vectors, for 16 numbers.
template <class Operation, class... Others>
HWY_INLINE Sixteen map(const Operation& operation, const Others&... others) {
  Sixteen all;
  unrolled<kParts>(
      [&](auto part) LINGUA_INLINE_LAMBDA { all.parts[part] = operation(others.parts[part]...); });
  return all;
}

HWY_INLINE Sixteen all_of(float value) {
  Sixteen all;
  unrolled<kParts>([&](auto part)
                       LINGUA_INLINE_LAMBDA { all.parts[part] = hn::Set(Floats(), value); });
  return all;
}

HWY_INLINE float sum_of(Sixteen lanes) {
  float sum;
  add_lanes<1>(lanes.parts, &sum);
  return sum;
}

// The first `count` lanes, and zeros.
HWY_INLINE Sixteen only(const Sixteen& lanes, std::int64_t count) {
  if (count == kLanes) return lanes;
  Sixteen all;
  const Floats d;
  unrolled<kParts>([&](auto part) LINGUA_INLINE_LAMBDA {
    const auto place = hn::Iota(d, static_cast<float>(part * kInVector));
    const auto is_in = hn::Lt(place, hn::Set(d, static_cast<float>(count)));
    all.parts[part] = hn::IfThenElseZero(is_in, lanes.parts[part]);
  });
  return all;
}

// Calls visit(at, count) for 16 elements at a time, and for the fewer at the end.
template <class Visit>
HWY_INLINE void by_lanes(std::int64_t size, const Visit& visit) {
  std::int64_t at = 0;
  for (; at + kLanes <= size; at += kLanes) visit(at, kLanes);
  if (at < size) visit(at, size - at);
}

// e to the power of x within 2 units in the last place; 0 where that is below 2^-126.
HWY_INLINE Vector exponential(Vector x) {
  const Floats d;
  const hn::RebindToSigned<Floats> whole;
  const auto c = [&](double value)
                     LINGUA_INLINE_LAMBDA { return hn::Set(d, static_cast<float>(value)); };
  // x = n ln 2 + r; the upper part of ln 2 has 9 bits, so that its products with n are exact.
  const Vector n = hn::Round(hn::Mul(x, c(1.4426950408889634)));
  Vector r = hn::Sub(x, hn::Mul(n, c(0.693359375)));
  r = hn::Sub(r, hn::Mul(n, c(-2.1219444005469057e-4)));
  Vector sum = c(1.0 / 5040);
  for (const double factor : {1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5}) {
    sum = hn::Add(hn::Mul(sum, r), c(factor));
  }
  sum = hn::Add(hn::Add(hn::Mul(hn::Mul(r, r), sum), r), c(1));
  // 2^n in two factors, neither of which overflows.
  const auto power = hn::ConvertTo(whole, n);
  const auto half = hn::ShiftRight<1>(power);
  const auto two_to = [&](auto exponent) LINGUA_INLINE_LAMBDA {
    return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(whole, 127))));
  };
  Vector result = hn::Mul(hn::Mul(sum, two_to(half)), two_to(hn::Sub(power, half)));
  result = hn::IfThenElse(hn::Lt(x, c(-87.33654)), hn::Zero(d), result);
  const Vector infinity = hn::BitCast(d, hn::Set(whole, 0x7f800000));
  return hn::IfThenElse(hn::Gt(x, c(88.72283)), infinity, result);
}

}  // namespace
}  // namespace lingua::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
