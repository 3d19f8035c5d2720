#include "tests/torch/kernel_cases.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "runtime/torch/kernels/attention.h"
#include "runtime/torch/kernels/row_products.h"
#include "runtime/torch/kernels/rows.h"

namespace lingua::testing {
namespace {

std::int64_t size_of(RowType type) {
  return type == RowType::kFloat32 ? 4 : type == RowType::kBFloat16 ? 2 : 1;
}

const char* name_of(RowType type) {
  return type == RowType::kFloat32 ? "float32" : type == RowType::kBFloat16 ? "bfloat16" : "int8";
}

std::uint32_t canonical(float value) {
  return std::isnan(value) ? 0x7fc00000U : std::bit_cast<std::uint32_t>(value);
}

using Results = std::map<std::string, std::vector<std::uint32_t>>;

void add(Results* all, const std::string& name, const Rows& results) {
  std::vector<std::uint32_t>& bits = (*all)[name];
  for (std::int64_t r = 0; r < results.count; ++r) {
    for (std::int64_t i = 0; i < results.width; ++i) {
      bits.push_back(canonical(static_cast<float>(results.at(r, i))));
    }
  }
}

void add_products(Results* all) {
  struct Types {
    RowType rows, vectors;
  };
  for (const Types& types : {Types{RowType::kFloat32, RowType::kFloat32},
                             {RowType::kBFloat16, RowType::kBFloat16},
                             {RowType::kInt8, RowType::kFloat32},
                             {RowType::kInt8, RowType::kBFloat16}}) {
    for (const std::int64_t width : {1, 15, 33, 640, 1100}) {
      // Where a product of bfloat16 numbers leaves float32's range, SSE4 may differ: row_products.h.
      const bool any = types.vectors == RowType::kFloat32;
      Numbers numbers(static_cast<std::uint64_t>(width));
      Rows rows(types.rows, 31, width), vectors(types.vectors, 13, width);
      rows.fill(numbers, any && types.rows != RowType::kInt8);
      vectors.fill(numbers, any);
      std::vector<std::uint32_t>& bits =
          (*all)[std::string("products ") + name_of(types.rows) + " " + name_of(types.vectors) +
                 " " + std::to_string(width)];
      for (const float product : products(rows, vectors, 13)) bits.push_back(canonical(product));
    }
  }
}

void add_attention(Results* all, RowType type) {
  for (const std::int64_t width : {5, 64, 144}) {
    Numbers numbers(7);
    Rows queries(type, 9, width), keys(type, 70, width), values(type, 70, width);
    queries.fill(numbers, false);
    keys.fill(numbers, false);
    values.fill(numbers, false);
    Rows results(type, 9, width);
    const AttentionHead head{queries.matrix(),     keys.matrix(), values.matrix(),         70, 9,
                             width == 64 ? 20 : 0, 0.3F,          width == 5 ? 0.1F : 0.0F};
    attend(head, 0, 9, results.bytes.data(), results.stride);
    add(all, std::string("attention ") + name_of(type) + " " + std::to_string(width), results);
  }
}

void add_rows(Results* all, RowType type) {
  const std::string suffix = std::string(" ") + name_of(type);
  for (const std::int64_t width : {2, 30, 64, 643}) {
    Numbers numbers(11);
    Rows x(type, 3, width), weight(type, 1, width), bias(type, 1, width), any(type, 3, width);
    x.fill(numbers, false);
    weight.fill(numbers, false);
    bias.fill(numbers, false);
    any.fill(numbers, true);
    Rows results(type, 3, width);
    const auto run = [&](const std::string& name, const Rows& from, const auto& kernel) {
      for (int r = 0; r < 3; ++r) {
        kernel(from.matrix().row(r), results.bytes.data() + r * results.stride);
      }
      add(all, name + suffix + " " + std::to_string(width), results);
    };
    const Norm norm{type, type, weight.bytes.data(), bias.bytes.data(), 1e-5F, false};
    Norm plus_one = norm;
    plus_one.plus_one = true;
    run("rms_norm", x, [&](auto* from, auto* to) { rms_norm(norm, from, width, to); });
    run("rms_norm of 1 +", x, [&](auto* from, auto* to) { rms_norm(plus_one, from, width, to); });
    run("layer_norm", x, [&](auto* from, auto* to) { layer_norm(norm, from, width, to); });
    for (const Rows* from : {&x, &any}) {
      const std::string what = from == &x ? "" : " of any";
      run("silu" + what, *from,
          [&](auto* in, auto* to) { activate(Activation::kSilu, type, in, width, to); });
      run("gelu" + what, *from,
          [&](auto* in, auto* to) { activate(Activation::kGelu, type, in, width, to); });
    }
    std::vector<float> cosines, sines;
    for (std::int64_t i = 0; i < width / 2; ++i) {
      cosines.push_back(numbers.next());
      sines.push_back(numbers.next());
    }
    run("rotate", x, [&](auto* from, auto* to) {
      rotate(type, from, cosines.data(), sines.data(), width / 2, to);
      if (width % 2 != 0) std::memset(to + (width - 1) * size_of(type), 0, 2);
    });
  }
}

void add_floats(Results* all) {
  constexpr std::int64_t kSize = 1003;
  Numbers numbers(3);
  std::vector<float> x(kSize), out(kSize);
  for (float& value : x) value = numbers.next() * 50;
  const auto keep = [&](const std::string& name) {
    for (const float value : out) (*all)[name].push_back(canonical(value));
  };
  soft_cap(x.data(), kSize, 30, out.data());
  keep("soft_cap");
  (*all)["log_likelihood"] = {canonical(log_likelihood(x.data(), kSize, 17))};
  std::vector<std::byte> row(kSize + 4);
  quantise_row(x.data(), kSize, row.data());
  for (const std::byte byte : row) {
    (*all)["quantise_row"].push_back(std::to_integer<std::uint32_t>(byte));
  }
  for (float& value : x) value *= 2000;
  wave(Wave::kSine, x.data(), kSize, 1, out.data());
  keep("sine");
  wave(Wave::kCosine, x.data(), kSize, 1.1F, out.data());
  keep("cosine");
}

}  // namespace

std::uint64_t Numbers::bits() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

float Numbers::next() {
  return static_cast<float>(static_cast<std::int64_t>(bits() >> 39) - (1 << 24)) * 0x1p-24F;
}

float Numbers::next_of_any() {
  switch (bits() % 400) {
    case 0: return std::bit_cast<float>(0x7f800000U);
    case 1: return -3e38F;
    case 2:
    case 3: return next() * 1e-19F;  // products are subnormal
    case 4:
    case 5: return std::bit_cast<float>(static_cast<std::uint32_t>(bits() & 0x807fffffU));
    case 6: return 0;
    default: return next();
  }
}

float widened(std::uint16_t bfloat16) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bfloat16) << 16);
}

std::uint16_t rounded(float value) {
  if (std::isnan(value)) return 0x7fc0;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

Rows::Rows(RowType of, std::int64_t how_many, std::int64_t wide)
    : type(of),
      count(how_many),
      width(wide),
      stride(wide * size_of(of) + (of == RowType::kInt8 ? 4 : size_of(of))),
      bytes(static_cast<std::size_t>(how_many * stride)) {
  if (type != RowType::kInt8) return;
  for (std::int64_t r = 0; r < count; ++r) {
    const float scale = 0.01F * static_cast<float>(1 + r % 3);
    std::memcpy(bytes.data() + r * stride + width, &scale, sizeof scale);
  }
}

void Rows::set(std::int64_t row, std::int64_t column, float value) {
  std::byte* to = bytes.data() + row * stride + column * size_of(type);
  const std::uint16_t half = rounded(value);
  // What no byte holds becomes the nearest, what is no number 0.
  const float in_range = std::isnan(value) ? 0.0F : std::clamp(value * 127, -127.0F, 127.0F);
  const auto byte = static_cast<std::int8_t>(type == RowType::kInt8 ? in_range : 0.0F);
  if (type == RowType::kFloat32) std::memcpy(to, &value, sizeof value);
  if (type == RowType::kBFloat16) std::memcpy(to, &half, sizeof half);
  if (type == RowType::kInt8) std::memcpy(to, &byte, sizeof byte);
}

double Rows::at(std::int64_t row, std::int64_t column) const {
  const std::byte* from = bytes.data() + row * stride + column * size_of(type);
  float value = 0, scale = 0;
  std::uint16_t half = 0;
  switch (type) {
    case RowType::kFloat32: std::memcpy(&value, from, sizeof value); return value;
    case RowType::kBFloat16: std::memcpy(&half, from, sizeof half); return widened(half);
    case RowType::kInt8: break;
  }
  std::memcpy(&scale, bytes.data() + row * stride + width, sizeof scale);
  return static_cast<double>(std::to_integer<std::int8_t>(*from)) * scale;
}

void Rows::fill(Numbers& numbers, bool any) {
  for (std::int64_t r = 0; r < count; ++r) {
    for (std::int64_t i = 0; i < width; ++i) {
      set(r, i, any ? numbers.next_of_any() : numbers.next());
    }
  }
}

std::vector<float> products(const Rows& rows, const Rows& vectors, std::int64_t at_once) {
  WideVectors wide(vectors.count, vectors.width, rows.type, vectors.type);
  wide.widen(vectors.bytes.data(), vectors.stride, 0, vectors.count);
  std::vector<float> all(static_cast<std::size_t>(rows.count * vectors.count));
  for (std::int64_t first = 0; first < vectors.count; first += at_once) {
    row_products(rows.matrix(), 0, rows.count, wide, first,
                 std::min(first + at_once, vectors.count), all.data() + first * rows.count);
  }
  return all;
}

Results kernel_results() {
  Results all;
  add_products(&all);
  for (const RowType type : {RowType::kFloat32, RowType::kBFloat16}) {
    add_attention(&all, type);
    add_rows(&all, type);
  }
  add_floats(&all);
  return all;
}

}  // namespace lingua::testing
