#include "runtime/text/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class Stored>
Tensor tensor_of(DType dtype, std::vector<std::int64_t> shape, const std::vector<Stored>& values) {
  Tensor tensor{dtype, std::move(shape), nullptr};
  const auto bytes = allocate_bytes(tensor.bytes());
  if (!values.empty()) {
    std::memcpy(bytes.get(), values.data(), static_cast<std::size_t>(tensor.bytes()));
  }
  tensor.data = bytes;
  return tensor;
}

Tensor row(const std::vector<float>& values) {
  return tensor_of(DType::kFloat32, {1, static_cast<std::int64_t>(values.size())}, values);
}

Sampling hot(double temperature, std::int64_t top_k = 0, double top_p = 1) {
  Sampling sampling;
  sampling.temperature = temperature;
  sampling.top_k = top_k;
  sampling.top_p = top_p;
  sampling.seed = 7;
  return sampling;
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature) {
  std::vector<double> shares;
  double sum = 0;
  for (const float logit : logits) sum += shares.emplace_back(std::exp(logit / temperature));
  for (double& share : shares) share /= sum;
  return shares;
}

// Pearson's statistic over 40,000 draws at positions 0, 1, ... must stay below the value that a
// right sampler exceeds once in 100,000 seeds (tabulated for up to 9 degrees of freedom).
void expect_distribution(const std::vector<float>& logits, const Sampling& sampling,
                         const std::vector<double>& expected) {
  constexpr double kLimit[] = {0, 19.5, 23.0, 25.9, 28.5, 30.9, 33.1, 35.3, 37.3, 39.3};
  constexpr int kDraws = 40000;
  const Tensor tensor = row(logits);
  std::vector<int> seen(logits.size());
  for (int i = 0; i < kDraws; ++i) {
    ++seen.at(static_cast<std::size_t>(sample_token(tensor, sampling, i, {})));
  }
  double statistic = 0;
  std::size_t freedom = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (expected[i] == 0) {
      EXPECT_EQ(seen[i], 0) << "token " << i;
      continue;
    }
    const double wanted = expected[i] * kDraws;
    statistic += (seen[i] - wanted) * (seen[i] - wanted) / wanted;
    ++freedom;
  }
  ASSERT_GT(freedom, 1U);
  EXPECT_LT(statistic, kLimit[freedom - 1]);
}

const std::vector<float> kLogits = {1.0F, 2.0F, 0.5F, -1.0F, 2.5F, 0.0F};

TEST(Sampling, FollowsTheExactProbabilities) {
  expect_distribution(kLogits, hot(1), softmax(kLogits, 1));
  expect_distribution(kLogits, hot(0.5), softmax(kLogits, 0.5));
  expect_distribution(kLogits, hot(3), softmax(kLogits, 3));
}

TEST(Sampling, WouldFailTheTestAboveWithTheWrongTemperature) {
  const Tensor tensor = row(kLogits);
  const std::vector<double> wrong = softmax(kLogits, 1.1);
  std::vector<double> seen(kLogits.size());
  for (int i = 0; i < 40000; ++i) ++seen[sample_token(tensor, hot(1), i, {})];
  double statistic = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    statistic += std::pow(seen[i] - wrong[i] * 40000, 2) / (wrong[i] * 40000);
  }
  EXPECT_GT(statistic, 30.9);
}

TEST(Sampling, KeepsTheKMostLikely) {
  std::vector<double> expected = softmax({1.0F, 2.0F, -kInfinity, -kInfinity, 2.5F, -kInfinity}, 1);
  expect_distribution(kLogits, hot(1, 3), expected);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sample_token(row(kLogits), hot(5, 1), i, {}), 4);
  expect_distribution(kLogits, hot(1, 100), softmax(kLogits, 1));
}

TEST(Sampling, KeepsTheFewestThatReachP) {
  // Shares: 0.5, 0.3, 0.15, 0.05.
  const std::vector<float> logits = {std::log(0.3F), std::log(0.5F), std::log(0.05F),
                                     std::log(0.15F)};
  expect_distribution(logits, hot(1, 0, 0.79), {0.3 / 0.8, 0.5 / 0.8, 0, 0});
  expect_distribution(logits, hot(1, 0, 0.81), {0.3 / 0.95, 0.5 / 0.95, 0, 0.15 / 0.95});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sample_token(row(logits), hot(1, 0, 0.01), i, {}), 1);
}

TEST(Sampling, TakesTopPOfWhatTopKLeaves) {
  const std::vector<float> logits = {std::log(0.4F), std::log(0.3F), std::log(0.2F),
                                     std::log(0.1F)};
  // Of the first three, 0.4 and 0.3 are 7/9: enough for 0.75, though not of all four.
  expect_distribution(logits, hot(1, 3, 0.75), {4.0 / 7, 3.0 / 7, 0, 0});
  expect_distribution(logits, hot(1, 0, 0.75), {4.0 / 9, 3.0 / 9, 2.0 / 9, 0});
}

TEST(Sampling, GivesTiesToTheLowestToken) {
  const std::vector<float> logits = {1, 3, 3, 3, 0};
  EXPECT_EQ(sample_token(row(logits), Sampling{}, 0, {}), 1);
  expect_distribution(logits, hot(1, 2), {0, 0.5, 0.5, 0, 0});
  expect_distribution(logits, hot(0.1, 0, 0.6), {0, 0.5, 0.5, 0, 0});
}

TEST(Sampling, GivesWhatIsNotANumberNoChance) {
  EXPECT_EQ(sample_token(row({kNan, -5, kNan, -4}), Sampling{}, 0, {}), 3);
  for (int i = 0; i < 200; ++i) {
    const TokenId token = sample_token(row({kNan, 1, kNan, 1}), hot(1), i, {});
    EXPECT_TRUE(token == 1 || token == 3);
  }
  EXPECT_THROW(sample_token(row({kNan, kNan}), hot(1), 0, {}), WorldError);
  EXPECT_THROW(sample_token(row({kNan, kNan}), Sampling{}, 0, {}), WorldError);
}

TEST(Sampling, HoldsInfinities) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(sample_token(row({0, kInfinity, 5}), hot(1), i, {}), 1);
    EXPECT_EQ(sample_token(row({-kInfinity, -kInfinity, 5}), hot(1), i, {}), 2);
    EXPECT_EQ(sample_token(row({-kInfinity, -kInfinity}), hot(1), i, {}), 0);
    EXPECT_EQ(sample_token(row({-3e38F, 3e38F, 0}), hot(1e-300), i, {}), 1);
  }
}

TEST(Sampling, ReadsTheLastRowInEveryFloatingType) {
  const std::vector<float> values = {9, 0, 0, 0, 1, 2.5F, -1, 0};
  std::vector<double> doubles(values.begin(), values.end());
  std::vector<std::uint16_t> brains;
  for (const float value : values) {
    brains.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
  }
  const std::vector<std::uint16_t> halves = {0x4880, 0, 0, 0, 0x3C00, 0x4100, 0xBC00, 0};
  const Tensor all[] = {tensor_of(DType::kFloat32, {1, 2, 4}, values),
                        tensor_of(DType::kFloat64, {1, 2, 4}, doubles),
                        tensor_of(DType::kBFloat16, {1, 2, 4}, brains),
                        tensor_of(DType::kFloat16, {1, 2, 4}, halves)};
  for (const Tensor& logits : all) {
    EXPECT_EQ(sample_token(logits, Sampling{}, 0, {}), 1) << dtype_name(logits.dtype);
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(sample_token(logits, hot(0.8), i, {}), sample_token(all[0], hot(0.8), i, {}))
          << dtype_name(logits.dtype);
    }
  }
}

TEST(Sampling, ReadsSmallAndStrangeHalves) {
  // Subnormals, the largest number, infinity, not a number.
  const auto best = [](const std::vector<std::uint16_t>& halves) {
    return sample_token(
        tensor_of(DType::kFloat16, {static_cast<std::int64_t>(halves.size())}, halves), Sampling{},
        0, {});
  };
  EXPECT_EQ(best({0x0000, 0x0001, 0x8001}), 1);
  EXPECT_EQ(best({0x0400, 0x03FF}), 0);
  EXPECT_EQ(best({0x7BFF, 0x7C00, 0x7E00}), 1);
  EXPECT_EQ(best({0xFC00, 0x7E00, 0xFBFF}), 2);
}

TEST(Sampling, RefusesLogitsThatGiveNoToken) {
  EXPECT_THROW(sample_token(make_int64_tensor({1, 2}), Sampling{}, 0, {}), WorldError);
  EXPECT_THROW(sample_token(tensor_of<float>(DType::kFloat32, {1, 0}, {}), Sampling{}, 0, {}),
               WorldError);
  EXPECT_THROW(sample_token(tensor_of<float>(DType::kFloat32, {}, {1}), Sampling{}, 0, {}),
               WorldError);
  EXPECT_EQ(sample_token(Tensor{DType::kFloat32, {1, 4}, nullptr}, Sampling{}, 0, {}), kNoToken);
}

TEST(Sampling, PenalisesRecentTokensOnce) {
  Sampling sampling;
  sampling.repetition_penalty = 2;
  // 3 becomes 1.5; -1 becomes -2; a token that stands twice is penalised once.
  EXPECT_EQ(sample_token(row({3, 1.4F, -1}), sampling, 0, {0, 0}), 0);
  EXPECT_EQ(sample_token(row({3, 1.6F, -1}), sampling, 0, {0, 0}), 1);
  EXPECT_EQ(sample_token(row({-1, -1.9F}), sampling, 0, {0}), 1);
  EXPECT_EQ(sample_token(row({-1, -2.1F}), sampling, 0, {0, 0, 0}), 0);
  // Ids that are none of the vocabulary's change nothing.
  EXPECT_EQ(sample_token(row({3, 1}), sampling, 0, {-1, 2, 1LL << 40}), 0);
  // Less than 1 rewards them.
  sampling.repetition_penalty = 0.5;
  EXPECT_EQ(sample_token(row({3, 2}), sampling, 0, {1}), 1);
}

TEST(Sampling, PenalisesBeforeItDivides) {
  Sampling sampling = hot(2);
  sampling.repetition_penalty = 4;
  const Tensor tensor = row({8, 2});
  int zeros = 0;
  for (int i = 0; i < 4000; ++i) zeros += sample_token(tensor, sampling, i, {0}) == 0 ? 1 : 0;
  EXPECT_NEAR(zeros, 2000, 150);  // 8 / 4 = 2: even; 5 standard deviations are 158
}

TEST(Sampling, DependsOnSeedAndPositionOnly) {
  const Tensor tensor = row(std::vector<float>(1000, 0.0F));
  std::set<TokenId> positions;
  std::set<TokenId> seeds;
  for (int i = 0; i < 50; ++i) {
    Sampling sampling = hot(1);
    EXPECT_EQ(sample_token(tensor, sampling, i, {}), sample_token(tensor, sampling, i, {}));
    positions.insert(sample_token(tensor, sampling, i, {}));
    sampling.seed = static_cast<std::uint64_t>(i);
    seeds.insert(sample_token(tensor, sampling, 3, {}));
  }
  EXPECT_GT(positions.size(), 40U);
  EXPECT_GT(seeds.size(), 40U);
}

TEST(Sampling, NamesTheOptionThatIsOutOfRange) {
  const auto refusal = [](auto change) -> std::string {
    Sampling sampling;
    change(sampling);
    try {
      check_sampling(sampling);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal([](Sampling&) {}), "");
  EXPECT_EQ(refusal([](Sampling& s) { s = hot(0.7, 40, 0.95); }), "");
  EXPECT_THAT(refusal([](Sampling& s) { s.temperature = -1; }), HasSubstr("`temperature` -1"));
  EXPECT_THAT(refusal([](Sampling& s) { s.temperature = kNan; }), HasSubstr("`temperature` nan"));
  EXPECT_THAT(refusal([](Sampling& s) { s.top_k = -2; }), HasSubstr("`top-k` -2"));
  EXPECT_THAT(refusal([](Sampling& s) { s.top_p = 3; }), HasSubstr("`top-p` 3"));
  EXPECT_THAT(refusal([](Sampling& s) { s.top_p = 0; }), HasSubstr("`top-p` 0"));
  EXPECT_THAT(refusal([](Sampling& s) { s.repetition_penalty = 0; }),
              HasSubstr("`repetition-penalty` 0"));
  EXPECT_THAT(refusal([](Sampling& s) { s.repetition_window = -1; }),
              HasSubstr("`repetition-window` -1"));
}

}  // namespace
}  // namespace lingua
