#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "runtime/torch/kernels/attention.h"
#include "runtime/torch/kernels/row_products.h"
#include "runtime/torch/kernels/rows.h"
#include "tests/support/sanitized.h"
#include "tests/torch/kernel_cases.h"

namespace lingua {
namespace {

using testing::Numbers;
using testing::products;
using testing::Rows;

struct Types {
  RowType rows, vectors;
};
constexpr Types kTypes[] = {{RowType::kFloat32, RowType::kFloat32},
                            {RowType::kBFloat16, RowType::kBFloat16},
                            {RowType::kInt8, RowType::kFloat32},
                            {RowType::kInt8, RowType::kBFloat16}};

std::string bits_of(const float* values, std::size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(float)};
}

TEST(Kernels, GiveTheSameBitsWithEveryInstructionSet) {
  const auto wanted = testing::kernel_results();
  int others = 0;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    const auto results = testing::kernel_results();
    ASSERT_EQ(results.size(), wanted.size());
    for (const auto& [name, bits] : wanted) {
      EXPECT_EQ(results.at(name), bits) << name << " with " << hwy::TargetName(target);
    }
    ++others;
  }
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_GE(others, 1);
}

TEST(RowProducts, AreThoseOfDoublePrecisionForEveryTypeAndSize) {
  for (const Types& types : kTypes) {
    for (const std::int64_t width : {1, 2, 15, 16, 31, 33, 100, 160, 1024, 1025, 2100}) {
      for (const std::int64_t count : {1, 3, 6, 9, 33}) {
        Numbers numbers(static_cast<std::uint64_t>(width));
        Rows rows(types.rows, 13, width), vectors(types.vectors, count, width);
        rows.fill(numbers, false);
        vectors.fill(numbers, false);
        const std::vector<float> all = products(rows, vectors, count);
        for (std::int64_t v = 0; v < count; ++v) {
          for (std::int64_t r = 0; r < rows.count; ++r) {
            float scale = 1;
            if (types.rows == RowType::kInt8) {
              std::memcpy(&scale, rows.matrix().row(r) + width, sizeof scale);
            }
            double exact = 0, size = 0;
            for (std::int64_t i = 0; i < width; ++i) {
              const double product = rows.at(r, i) / scale * vectors.at(v, i);
              exact += product;
              size += std::abs(product);
            }
            const auto result = static_cast<double>(all[v * rows.count + r]);
            ASSERT_LE(std::abs(result - exact), 1e-6 * size)
                << width << " columns, row " << r << " by vector " << v << " of " << count;
          }
        }
      }
    }
  }
}

TEST(RowProducts, OfOneVectorHaveTheSameBitsBesideUpTo512Others) {
  constexpr std::int64_t kMost = testing::kSanitized ? 33 : 512;
  for (const Types& types : kTypes) {
    for (const std::int64_t width : {47, 640, 1056}) {
      Numbers numbers(5);
      Rows rows(types.rows, 61, width), vectors(types.vectors, kMost, width);
      rows.fill(numbers, true);
      vectors.fill(numbers, true);
      const std::vector<float> alone = products(rows, vectors, 1);
      for (const std::int64_t together :
           {2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 31, 32, 33, 96, 97, 200, 512}) {
        if (together > kMost) break;
        const std::vector<float> all = products(rows, vectors, together);
        ASSERT_EQ(bits_of(all.data(), all.size()), bits_of(alone.data(), alone.size()))
            << width << " columns, " << together << " vectors";
      }
    }
  }
}

TEST(RowProducts, DoNotDependOnTheRangeOfRows) {
  for (const Types& types : kTypes) {
    Numbers numbers(6);
    Rows rows(types.rows, 75, 75), vectors(types.vectors, 12, 75);
    rows.fill(numbers, false);
    vectors.fill(numbers, false);
    const std::vector<float> all = products(rows, vectors, 12);
    WideVectors wide(12, 75, types.rows, types.vectors);
    wide.widen(vectors.bytes.data(), vectors.stride, 0, 12);
    for (std::int64_t begin = 0; begin < rows.count; begin += 7) {
      for (std::int64_t end = begin + 1; end <= rows.count; end += 11) {
        std::vector<float> some(static_cast<std::size_t>(12 * (end - begin)));
        row_products(rows.matrix(), begin, end, wide, 0, 12, some.data());
        for (int v = 0; v < 12; ++v) {
          ASSERT_EQ(bits_of(some.data() + v * (end - begin), end - begin),
                    bits_of(all.data() + v * rows.count + begin, end - begin));
        }
      }
    }
  }
}

TEST(RowProducts, AreFinishedWithScaleAndBiasRoundedOnce) {
  const std::vector<float> sums = {1.5F, -2, 3e-3F, 1e30F, std::nanf("")};
  const std::vector<float> scales = {2, 0.5F, 1, 1e30F, 1}, bias = {0.25F, 3, -7, 0, 0};
  std::vector<float> wide(5);
  finish_products({scales.data(), bias.data(), RowType::kFloat32}, sums.data(), 5,
                  reinterpret_cast<std::byte*>(wide.data()));
  std::vector<std::uint16_t> narrow(5);
  finish_products({scales.data(), bias.data(), RowType::kBFloat16}, sums.data(), 5,
                  reinterpret_cast<std::byte*>(narrow.data()));
  for (int i = 0; i < 4; ++i) {
    const float exact = sums[i] * scales[i] + bias[i];
    EXPECT_EQ(wide[i], exact);
    EXPECT_EQ(narrow[i], testing::rounded(exact));
  }
  EXPECT_EQ(narrow[4], 0x7fc0);
}

// A head over a cache of 60 positions, of which queries are the last ones.
struct Cache {
  explicit Cache(RowType type, std::int64_t width = 40)
      : queries(type, 60, width), keys(type, 60, width), values(type, 60, width) {
    Numbers numbers(9);
    queries.fill(numbers, false);
    keys.fill(numbers, false);
    values.fill(numbers, false);
  }

  // The results of positions first .. last - 1, taken as one chunk.
  Rows chunk(std::int64_t first, std::int64_t last, std::int64_t window, float slope) const {
    RowMatrix own = queries.matrix();
    own.data += first * own.stride_bytes;
    const AttentionHead head{own,  keys.matrix(), values.matrix(), last, last - first, window,
                             0.7F, slope};
    Rows results(queries.type, last - first, queries.width);
    attend(head, 0, last - first, results.bytes.data(), results.stride);
    return results;
  }

  Rows queries, keys, values;
};

TEST(Attention, IsThatOfDoublePrecision) {
  for (const RowType type : {RowType::kFloat32, RowType::kBFloat16}) {
    for (const std::int64_t width : {3, 40, 64, 128, 200}) {
      for (const std::int64_t window : {0, 2, 7}) {
        const float slope = window == 0 ? 0.05F : 0;
        const Cache cache(type, width);
        const Rows results = cache.chunk(0, 60, window, slope);
        for (std::int64_t p = 0; p < 60; ++p) {
          std::vector<double> weights;
          double sum = 0;
          const std::int64_t start = window == 0 ? 0 : std::max<std::int64_t>(0, p + 1 - window);
          for (std::int64_t k = start; k <= p; ++k) {
            double score = 0;
            for (std::int64_t i = 0; i < width; ++i) {
              score += cache.queries.at(p, i) * cache.keys.at(k, i);
            }
            weights.push_back(
                std::exp(0.7F * score + static_cast<double>(slope) * static_cast<double>(k)));
            sum += weights.back();
          }
          for (std::int64_t i = 0; i < width; ++i) {
            double exact = 0;
            for (std::int64_t k = start; k <= p; ++k) {
              exact += weights[k - start] / sum * cache.values.at(k, i);
            }
            const double rounding = type == RowType::kFloat32 ? 0 : std::abs(exact) / 256;
            ASSERT_NEAR(results.at(p, i), exact, 1e-5 + rounding) << p << " " << i;
          }
        }
      }
    }
  }
}

TEST(Attention, OfAPositionHasTheSameBitsInEveryChunk) {
  for (const RowType type : {RowType::kFloat32, RowType::kBFloat16}) {
    for (const std::int64_t window : {0, 2, 9}) {
      const Cache cache(type);
      const Rows whole = cache.chunk(0, 60, window, 0.02F);
      for (const std::int64_t size : {1, 2, 7, 16, 17, 33}) {
        for (std::int64_t first = 0; first < 60; first += size) {
          const Rows some =
              cache.chunk(first, std::min<std::int64_t>(first + size, 60), window, 0.02F);
          EXPECT_TRUE(std::equal(some.bytes.begin(), some.bytes.end(),
                                 whole.bytes.begin() + first * whole.stride))
              << first << " " << size;
        }
      }
    }
  }
}

TEST(Attention, IsNotTouchedByWhatAPositionMayNotLookAt) {
  Cache cache(RowType::kFloat32);
  const Rows before = cache.chunk(0, 60, 10, 0);
  for (std::int64_t i = 0; i < cache.keys.width; ++i) {
    cache.keys.set(30, i, std::nanf(""));
    cache.values.set(30, i, std::numeric_limits<float>::infinity());
  }
  const Rows after = cache.chunk(0, 60, 10, 0);
  for (std::int64_t p = 0; p < 60; ++p) {
    const bool looks = p >= 30 && p < 40;
    EXPECT_EQ(std::isnan(after.at(p, 0)), looks) << p;
    if (looks) continue;
    EXPECT_EQ(after.at(p, 0), before.at(p, 0)) << p;
  }
}

double gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

TEST(Rows, OfActivationsAreThoseOfDoublePrecision) {
  std::vector<float> x;
  for (double v = -100; v <= 100; v += 0.0625) x.push_back(static_cast<float>(v));
  x.insert(x.end(), {0.0F, -0.0F, 1e-30F, -1e-30F, 1e30F});
  std::vector<float> out(x.size());
  const auto run = [&](Activation activation) {
    activate(activation, RowType::kFloat32, reinterpret_cast<const std::byte*>(x.data()),
             static_cast<std::int64_t>(x.size()), reinterpret_cast<std::byte*>(out.data()));
  };
  run(Activation::kSilu);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = x[i] / (1 + std::exp(-static_cast<double>(x[i])));
    ASSERT_NEAR(out[i], exact, 1e-6 * std::abs(exact) + 1e-36) << x[i];
  }
  run(Activation::kGelu);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = gelu(x[i]);
    ASSERT_NEAR(out[i], exact, 1e-6 * std::abs(exact) + 1e-6 * std::min(1.0F, std::abs(x[i])))
        << x[i];
  }
}

TEST(Rows, OfWavesAreRoundedFromDoublePrecision) {
  std::vector<float> angles, out;
  Numbers numbers(2);
  for (int i = 0; i < 20000; ++i) angles.push_back(numbers.next() * std::exp2(i % 20));
  out.resize(angles.size());
  const auto size = static_cast<std::int64_t>(angles.size());
  for (const Wave which : {Wave::kSine, Wave::kCosine}) {
    wave(which, angles.data(), size, 1, out.data());
    for (std::size_t i = 0; i < angles.size(); ++i) {
      const double angle = angles[i];
      const double exact = which == Wave::kSine ? std::sin(angle) : std::cos(angle);
      ASSERT_NEAR(out[i], exact, 6e-8 * std::abs(exact) + 1e-15) << angle;
    }
  }
}

TEST(Rows, OfCapsAndLikelihoodsAreThoseOfDoublePrecision) {
  std::vector<float> x, out;
  Numbers numbers(4);
  for (int i = 0; i < 1001; ++i) x.push_back(numbers.next() * 200);
  out.resize(x.size());
  soft_cap(x.data(), 1001, 30, out.data());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(out[i], 30 * std::tanh(x[i] / 30.0), 3e-5);
    sum += std::exp(static_cast<double>(x[i]) - 200);
  }
  for (const std::int64_t token : {0, 500, 1000}) {
    EXPECT_NEAR(log_likelihood(x.data(), 1001, token), x[token] - 200 - std::log(sum), 1e-4);
  }
}

// Exact integers and ties, and values that no scale holds.
TEST(Rows, InInt8HoldTheNearestOf127StepsOrAreRefused) {
  for (const std::int64_t size : {1, 16, 17, 100}) {
    std::vector<float> row(static_cast<std::size_t>(size), 0.0F);
    std::vector<std::byte> out(row.size() + 4);
    const auto scale = [&] {
      float value;
      std::memcpy(&value, out.data() + size, sizeof value);
      return value;
    };
    ASSERT_TRUE(quantise_row(row.data(), size, out.data()));
    EXPECT_EQ(scale(), 0);
    for (std::int64_t i = 0; i < size; ++i) row[i] = static_cast<float>(i % 17) / 2 - 4;
    row.back() = -127;
    ASSERT_TRUE(quantise_row(row.data(), size, out.data()));
    EXPECT_EQ(scale(), 1);
    for (std::int64_t i = 0; i < size; ++i) {
      EXPECT_EQ(std::to_integer<std::int8_t>(out[i]), std::nearbyint(row[i]));
    }
    for (const float bad : {std::nanf(""), -std::numeric_limits<float>::infinity()}) {
      row[size / 2] = bad;
      EXPECT_FALSE(quantise_row(row.data(), size, out.data()));
    }
  }
}

}  // namespace
}  // namespace lingua
