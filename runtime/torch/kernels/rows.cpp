#include "runtime/torch/kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "runtime/torch/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/torch/kernels/rows.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for each instruction set
// Behind foreach_target.h, as Highway demands.
#include <hwy/highway.h>

#include "runtime/torch/kernels/lanes.inl"

HWY_BEFORE_NAMESPACE();
namespace lingua::HWY_NAMESPACE {
namespace {

HWY_INLINE Vector constant(float value) { return hn::Set(Floats(), value); }

constexpr auto kAdd = [](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Add(a, b); };
constexpr auto kMul = [](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Mul(a, b); };

// Calls visit(x, out) with pointers to elements of the type.
template <class Visit>
HWY_INLINE void with_type(RowType type, const std::byte* x, std::byte* out, const Visit& visit) {
  if (type == RowType::kFloat32) {
    visit(reinterpret_cast<const float*>(x), reinterpret_cast<float*>(out));
  } else {
    visit(reinterpret_cast<const std::uint16_t*>(x), reinterpret_cast<std::uint16_t*>(out));
  }
}

HWY_INLINE Vector silu(Vector x) {
  const Vector power = exponential(hn::Neg(x));
  return hn::Div(x, hn::Add(constant(1), power));
}

// x / 2 (1 + tanh(u)) is x / (1 + e^(-2 u)).
HWY_INLINE Vector gelu(Vector x) {
  const Vector cube = hn::Mul(hn::Mul(x, x), x);
  const Vector u = hn::Mul(hn::Add(x, hn::Mul(cube, constant(0.044715F))),
                           constant(-1.5957691216057308F));  // -2 sqrt(2 / pi)
  return hn::Div(x, hn::Add(constant(1), exponential(u)));
}

template <class Element>
void activate_row(Activation activation, const Element* x, std::int64_t size, Element* out) {
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    const Sixteen values = load(x + at, count);
    if (activation == Activation::kSilu) {
      store(map([](auto v) LINGUA_INLINE_LAMBDA { return silu(v); }, values), out + at, count);
    } else {
      store(map([](auto v) LINGUA_INLINE_LAMBDA { return gelu(v); }, values), out + at, count);
    }
  });
}

// The sum of term(x) over a row; term(0) must be 0.
template <class Element, class Term>
HWY_INLINE float sum(const Element* x, std::int64_t size, const Term& term) {
  Sixteen sums = all_of(0);
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    sums = map(kAdd, sums, only(map(term, load(x + at, count)), count));
  });
  return sum_of(sums);
}

template <class Element, class Weight>
void rms_norm_row(const Element* x, const Weight* weight, std::int64_t size, float epsilon,
                  bool plus_one, Element* out) {
  const float squares = sum(x, size, [](auto v) LINGUA_INLINE_LAMBDA { return hn::Mul(v, v); });
  const float scale = 1.0F / std::sqrt(squares / static_cast<float>(size) + epsilon);
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    Sixteen values = map(kMul, load(x + at, count), all_of(scale));
    Sixteen factors = load(weight + at, count);
    if (plus_one) {
      factors = map(kAdd, factors, all_of(1));
    } else {
      Element rounded[kLanes];
      store(values, rounded, kLanes);
      values = load(rounded, kLanes);
    }
    store(map(kMul, values, factors), out + at, count);
  });
}

template <class Element>
void layer_norm_row(const Element* x, const Element* weight, const Element* bias, std::int64_t size,
                    float epsilon, Element* out) {
  const auto count = static_cast<float>(size);
  const float mean = sum(x, size, [](auto v) LINGUA_INLINE_LAMBDA { return v; }) / count;
  const float squares = sum(x, size, [&](auto v) LINGUA_INLINE_LAMBDA {
    const auto apart = hn::Sub(v, constant(mean));
    return hn::Mul(apart, apart);
  });
  const float scale = 1.0F / std::sqrt(squares / count + epsilon);
  by_lanes(size, [&](std::int64_t at, std::int64_t some) LINGUA_INLINE_LAMBDA {
    const Sixteen result = map(
        [&](auto v, auto w, auto b) LINGUA_INLINE_LAMBDA {
          const auto normalised = hn::Mul(hn::Sub(v, constant(mean)), constant(scale));
          return hn::Add(hn::Mul(normalised, w), b);
        },
        load(x + at, some), load(weight + at, some), load(bias + at, some));
    store(result, out + at, some);
  });
}

template <class Element>
void rotate_row(const Element* x, const float* cosines, const float* sines, std::int64_t half,
                Element* out) {
  by_lanes(half, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    const Sixteen a = load(x + at, count);
    const Sixteen b = load(x + half + at, count);
    const Sixteen c = load(cosines + at, count);
    const Sixteen s = load(sines + at, count);
    const auto minus = [](auto p, auto q) LINGUA_INLINE_LAMBDA { return hn::Sub(p, q); };
    store(map(minus, map(kMul, a, c), map(kMul, b, s)), out + at, count);
    store(map(kAdd, map(kMul, b, c), map(kMul, a, s)), out + half + at, count);
  });
}

// tanh(u) = 1 - 2 / (1 + e^(2 u)), of |u| so that nothing overflows.
void soft_cap(const float* x, std::int64_t size, float cap, float* out) {
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    const Sixteen result = map(
        [&](auto v) LINGUA_INLINE_LAMBDA {
          const auto u = hn::Div(v, constant(cap));
          const auto power = exponential(hn::Mul(hn::Abs(u), constant(2)));
          const auto tanh = hn::Sub(constant(1), hn::Div(constant(2), hn::Add(power, constant(1))));
          return hn::Mul(hn::CopySignToAbs(tanh, u), constant(cap));
        },
        load(x + at, count));
    store(result, out + at, count);
  });
}

// The sum of e^(x - top).
float sum_of_exponentials(const float* x, std::int64_t size, float top) {
  return sum(x, size,
             [&](auto v) LINGUA_INLINE_LAMBDA { return exponential(hn::Sub(v, constant(top))); });
}

// The largest magnitude of a row; infinite when a value is not finite.
float largest_of(const float* row, std::int64_t size) {
  Sixteen largest = all_of(0);
  Sixteen zeros = all_of(0);  // NaN where a value is not finite
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    const Sixteen values = load(row + at, count);
    largest = map([](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Max(a, hn::Abs(b)); },
                  largest, values);
    zeros = map([](auto a, auto b) LINGUA_INLINE_LAMBDA { return hn::Add(a, hn::Sub(b, b)); },
                zeros, values);
  });
  if (sum_of(zeros) != 0) return HUGE_VALF;
  float lanes[kLanes];
  store(largest, lanes, kLanes);
  return *std::max_element(lanes, lanes + kLanes);
}

void quantise(const float* row, std::int64_t size, float scale, std::int8_t* out) {
  const hn::RebindToSigned<Floats> whole;
  const hn::Rebind<std::int8_t, Floats> bytes;
  by_lanes(size, [&](std::int64_t at, std::int64_t count) LINGUA_INLINE_LAMBDA {
    const Sixteen values = load(row + at, count);
    std::int8_t rest[kLanes];
    std::int8_t* to = count < kLanes ? rest : out + at;
    unrolled<kParts>([&](auto part) LINGUA_INLINE_LAMBDA {
      // Clamped for scales so small that they are rounded themselves.
      const auto value = hn::Round(hn::Div(values.parts[part], constant(scale)));
      const auto in_range = hn::Min(hn::Max(value, constant(-127)), constant(127));
      hn::StoreU(hn::DemoteTo(bytes, hn::ConvertTo(whole, in_range)), bytes, to + part * kInVector);
    });
    if (count < kLanes) std::memcpy(out + at, rest, static_cast<std::size_t>(count));
  });
}

void activate(Activation activation, RowType type, const std::byte* x, std::int64_t size,
              std::byte* out) {
  with_type(type, x, out, [&](auto* from, auto* to) LINGUA_INLINE_LAMBDA {
    activate_row(activation, from, size, to);
  });
}

void rms_norm(const Norm& norm, const std::byte* x, std::int64_t size, std::byte* out) {
  with_type(norm.type, x, out, [&](auto* from, auto* to) LINGUA_INLINE_LAMBDA {
    if (norm.weight_type == RowType::kFloat32) {
      rms_norm_row(from, reinterpret_cast<const float*>(norm.weight), size, norm.epsilon,
                   norm.plus_one, to);
    } else {
      rms_norm_row(from, reinterpret_cast<const std::uint16_t*>(norm.weight), size, norm.epsilon,
                   norm.plus_one, to);
    }
  });
}

void layer_norm(const Norm& norm, const std::byte* x, std::int64_t size, std::byte* out) {
  with_type(norm.type, x, out, [&](auto* from, auto* to) LINGUA_INLINE_LAMBDA {
    const auto of_type = [&](const std::byte* row)
                             LINGUA_INLINE_LAMBDA { return reinterpret_cast<decltype(from)>(row); };
    layer_norm_row(from, of_type(norm.weight), of_type(norm.bias), size, norm.epsilon, to);
  });
}

void rotate(RowType type, const std::byte* x, const float* cosines, const float* sines,
            std::int64_t half, std::byte* out) {
  with_type(type, x, out, [&](auto* from, auto* to) LINGUA_INLINE_LAMBDA {
    rotate_row(from, cosines, sines, half, to);
  });
}

}  // namespace
}  // namespace lingua::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lingua {
namespace {

// Sine and cosine of r, |r| <= pi / 4, by their series in double.
double sine_near_zero(double r) {
  const double z = r * r;
  double sum = 0;
  for (const double n : {15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0}) {
    sum = (sum + 1) * -z / (n * (n - 1));
  }
  return r + r * sum;
}

double cosine_near_zero(double r) {
  const double z = r * r;
  double sum = 0;
  for (const double n : {16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0}) {
    sum = (sum + 1) * -z / (n * (n - 1));
  }
  return 1 + sum;
}

// ln x of a normal x: x = 2^n f, f from sqrt(1/2) to sqrt(2), ln f = 2 artanh((f - 1) / (f + 1)).
double logarithm(double x) {
  int n = 0;
  double f = std::frexp(x, &n);
  if (f < std::numbers::sqrt2 / 2) {
    f *= 2;
    --n;
  }
  const double s = (f - 1) / (f + 1);
  double sum = 0;
  for (double k = 21; k >= 1; k -= 2) sum = sum * (s * s) + 1 / k;
  return n * std::numbers::ln2 + 2 * s * sum;
}

}  // namespace

HWY_EXPORT(activate);
HWY_EXPORT(rms_norm);
HWY_EXPORT(layer_norm);
HWY_EXPORT(rotate);
HWY_EXPORT(soft_cap);
HWY_EXPORT(sum_of_exponentials);
HWY_EXPORT(largest_of);
HWY_EXPORT(quantise);

void activate(Activation activation, RowType type, const std::byte* x, std::int64_t size,
              std::byte* out) {
  HWY_DYNAMIC_DISPATCH(activate)(activation, type, x, size, out);
}

void rms_norm(const Norm& norm, const std::byte* x, std::int64_t size, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(rms_norm)(norm, x, size, out);
}

void layer_norm(const Norm& norm, const std::byte* x, std::int64_t size, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(layer_norm)(norm, x, size, out);
}

void rotate(RowType type, const std::byte* x, const float* cosines, const float* sines,
            std::int64_t half, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(rotate)(type, x, cosines, sines, half, out);
}

void wave(Wave which, const float* angles, std::int64_t size, float factor, float* out) {
  // pi / 2 in two parts, of which the first has 33 bits: its products with n are exact.
  constexpr double kUpper = 0x1.921fb544p+0;
  constexpr double kLower = 0x1.0b4611a626331p-34;
  for (std::int64_t i = 0; i < size; ++i) {
    const double angle = angles[i];
    const double n = std::nearbyint(angle * (2 / std::numbers::pi));
    const double r = (angle - n * kUpper) - n * kLower;
    const auto quarter = static_cast<std::int64_t>(n) + (which == Wave::kCosine ? 1 : 0);
    const double value = quarter % 2 == 0 ? sine_near_zero(r) : cosine_near_zero(r);
    out[i] = static_cast<float>((quarter & 2) == 0 ? value : -value) * factor;
  }
}

void soft_cap(const float* x, std::int64_t size, float cap, float* out) {
  HWY_DYNAMIC_DISPATCH(soft_cap)(x, size, cap, out);
}

float log_likelihood(const float* logits, std::int64_t size, std::int64_t token) {
  const float top = *std::max_element(logits, logits + size);
  const float sum = HWY_DYNAMIC_DISPATCH(sum_of_exponentials)(logits, size, top);
  return static_cast<float>((static_cast<double>(logits[token]) - top) - logarithm(sum));
}

bool quantise_row(const float* row, std::int64_t size, std::byte* out) {
  const float largest = HWY_DYNAMIC_DISPATCH(largest_of)(row, size);
  if (!std::isfinite(largest)) return false;
  const float scale = largest / 127;
  if (scale > 0) {
    HWY_DYNAMIC_DISPATCH(quantise)(row, size, scale, reinterpret_cast<std::int8_t*>(out));
  } else {
    std::memset(out, 0, static_cast<std::size_t>(size));
  }
  std::memcpy(out + size, &scale, sizeof scale);
  return true;
}

}  // namespace lingua
#endif  // HWY_ONCE
