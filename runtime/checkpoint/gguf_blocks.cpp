#include "runtime/checkpoint/gguf_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace lingua {
namespace {

constexpr int kSmall = 32;                 // elements of a block of the formats without K
constexpr int kLarge = kMaxBlockElements;  // of those with K
constexpr int kScaleBytes = 12;            // eight scales and eight minima of 6 bits

int byte_at(const std::byte* bytes, int index) { return std::to_integer<int>(bytes[index]); }

float half_at(const std::byte* bytes) {
  std::uint16_t half = 0;
  std::memcpy(&half, bytes, sizeof half);
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fU;
  const std::uint32_t fraction = half & 0x3ffU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t widened = exponent == 0x1fU ? 0xffU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (widened << 23) | (fraction << 13));
}

// Low nibbles are the first half of a block, high nibbles the second.
int nibble(const std::byte* bytes, int index) {
  constexpr int kHalf = kSmall / 2;
  return index < kHalf ? byte_at(bytes, index) & 15 : byte_at(bytes, index - kHalf) >> 4;
}

int bit(const std::byte* bytes, int index) {
  return (byte_at(bytes, index / 8) >> (index % 8)) & 1;
}

void from_q4_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) out[i] = scale * static_cast<float>(nibble(block + 2, i) - 8);
}

void from_q4_1(const std::byte* block, float* out) {
  const float scale = half_at(block);
  const float minimum = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) {
    out[i] = scale * static_cast<float>(nibble(block + 4, i)) + minimum;
  }
}

void from_q5_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    const int value = nibble(block + 6, i) | (bit(block + 2, i) << 4);
    out[i] = scale * static_cast<float>(value - 16);
  }
}

void from_q5_1(const std::byte* block, float* out) {
  const float scale = half_at(block);
  const float minimum = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) {
    const int value = nibble(block + 8, i) | (bit(block + 4, i) << 4);
    out[i] = scale * static_cast<float>(value) + minimum;
  }
}

void from_q8_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(byte_at(block + 2, i)));
  }
}

void from_iq4_nl(const std::byte* block, float* out) {
  constexpr std::array<float, 16> kLevels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                             1,    13,   25,  38,  53,  69,  89,  113};
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    out[i] = scale * kLevels[static_cast<std::size_t>(nibble(block + 2, i))];
  }
}

struct ScaleAndMinimum {
  float scale;
  float minimum;
};

// The first four pairs stand in the low 6 bits of bytes 0-3 and 4-7; of the other four, bytes 8-11
// hold the low 4 bits and bytes 0-7 the high 2.
ScaleAndMinimum large_scale(const std::byte* block, int index) {
  const std::byte* packed = block + 4;
  int scale = 0;
  int minimum = 0;
  if (index < 4) {
    scale = byte_at(packed, index) & 63;
    minimum = byte_at(packed, index + 4) & 63;
  } else {
    const int low = byte_at(packed, index + 4);
    scale = (low & 15) | (byte_at(packed, index - 4) >> 6 << 4);
    minimum = (low >> 4) | (byte_at(packed, index) >> 6 << 4);
  }
  return {half_at(block) * static_cast<float>(scale),
          half_at(block + 2) * static_cast<float>(minimum)};
}

// Eight groups of 32; a pair of groups shares 32 bytes, low nibbles first.
void from_q4_k(const std::byte* block, float* out) {
  for (int group = 0; group < 8; ++group) {
    const std::byte* low = block + 4 + kScaleBytes + group / 2 * 32;
    const auto [scale, minimum] = large_scale(block, group);
    for (int i = 0; i < 32; ++i) {
      const int value = (byte_at(low, i) >> (group % 2 * 4)) & 15;
      out[group * 32 + i] = scale * static_cast<float>(value) - minimum;
    }
  }
}

// As Q4_K, with a fifth bit: bit g of byte i belongs to element i of group g.
void from_q5_k(const std::byte* block, float* out) {
  const std::byte* high = block + 4 + kScaleBytes;
  for (int group = 0; group < 8; ++group) {
    const std::byte* low = high + kLarge / 8 + group / 2 * 32;
    const auto [scale, minimum] = large_scale(block, group);
    for (int i = 0; i < 32; ++i) {
      const int value =
          ((byte_at(low, i) >> (group % 2 * 4)) & 15) | (((byte_at(high, i) >> group) & 1) << 4);
      out[group * 32 + i] = scale * static_cast<float>(value) - minimum;
    }
  }
}

// Two halves of four groups of 32. In a half, 64 bytes hold the low 4 bits (groups 0 and 1 in low
// nibbles, 2 and 3 in high ones), 32 bytes the high 2; each 16 elements have a scale of 8 bits.
void from_q6_k(const std::byte* block, float* out) {
  const std::byte* scales = block + kLarge / 2 + kLarge / 4;
  const float factor = half_at(scales + kLarge / 16);
  for (int group = 0; group < 8; ++group) {
    const int half = group / 4;
    const int quarter = group % 4;
    const std::byte* low = block + half * 64 + quarter % 2 * 32;
    const std::byte* high = block + kLarge / 2 + half * 32;
    for (int i = 0; i < 32; ++i) {
      const int value = ((byte_at(low, i) >> (quarter / 2 * 4)) & 15) |
                        (((byte_at(high, i) >> (quarter * 2)) & 3) << 4);
      const int scale = static_cast<std::int8_t>(byte_at(scales, group * 2 + i / 16));
      out[group * 32 + i] = factor * static_cast<float>(scale) * static_cast<float>(value - 32);
    }
  }
}

constexpr std::array kFormats = {
    BlockFormat{0, "F32", DType::kFloat32, 1, 4, nullptr},
    BlockFormat{1, "F16", DType::kFloat16, 1, 2, nullptr},
    BlockFormat{30, "BF16", DType::kBFloat16, 1, 2, nullptr},
    BlockFormat{8, "Q8_0", DType::kFloat32, kSmall, 34, from_q8_0},
    BlockFormat{2, "Q4_0", DType::kFloat32, kSmall, 18, from_q4_0},
    BlockFormat{3, "Q4_1", DType::kFloat32, kSmall, 20, from_q4_1},
    BlockFormat{6, "Q5_0", DType::kFloat32, kSmall, 22, from_q5_0},
    BlockFormat{7, "Q5_1", DType::kFloat32, kSmall, 24, from_q5_1},
    BlockFormat{12, "Q4_K", DType::kFloat32, kLarge, 144, from_q4_k},
    BlockFormat{13, "Q5_K", DType::kFloat32, kLarge, 176, from_q5_k},
    BlockFormat{14, "Q6_K", DType::kFloat32, kLarge, 210, from_q6_k},
    BlockFormat{20, "IQ4_NL", DType::kFloat32, kSmall, 18, from_iq4_nl},
};

// Names for messages only.
constexpr std::array<std::pair<std::uint32_t, const char*>, 22> kOthers = {{
    {9, "Q8_1"},     {10, "Q2_K"},  {11, "Q3_K"},  {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"}, {19, "IQ1_S"}, {21, "IQ3_S"}, {22, "IQ2_S"}, {23, "IQ4_XS"},  {24, "I8"},
    {25, "I16"},     {26, "I32"},   {27, "I64"},   {28, "F64"},   {29, "IQ1_M"},   {34, "TQ1_0"},
    {35, "TQ2_0"},   {39, "MXFP4"}, {40, "NVFP4"}, {41, "Q1_0"},
}};

}  // namespace

const BlockFormat* find_block_format(std::uint32_t id) {
  const auto it = std::find_if(kFormats.begin(), kFormats.end(),
                               [&](const BlockFormat& format) { return format.id == id; });
  return it == kFormats.end() ? nullptr : &*it;
}

std::string block_format_name(std::uint32_t id) {
  if (const BlockFormat* format = find_block_format(id); format != nullptr) {
    return fmt::format("{} ({})", id, format->name);
  }
  for (const auto& [other, name] : kOthers) {
    if (other == id) return fmt::format("{} ({})", id, name);
  }
  return std::to_string(id);
}

std::string supported_block_formats() {
  std::string names;
  for (const BlockFormat& format : kFormats) {
    names += std::string(names.empty() ? "" : ", ") + format.name;
  }
  return names;
}

}  // namespace lingua
