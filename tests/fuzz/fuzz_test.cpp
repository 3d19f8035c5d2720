// The fuzzers' targets without a fuzzer: their samples, and the samples damaged.

#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

class Fuzz : public ::testing::TestWithParam<FuzzTarget (*)()> {
 protected:
  const FuzzTarget target_ = GetParam()();
};

// One change of the kinds that a fuzzer makes.
void damage(std::string* bytes, Rng* rng) {
  constexpr std::uint64_t kOdd[] = {0, 1, 0x7f, 0xff, 0x7fffffff, 1ULL << 32, 1ULL << 62, ~0ULL};
  if (bytes->empty()) return;
  const std::size_t at = rng->below(bytes->size());
  const std::size_t count = 1 + rng->below(16);
  switch (rng->below(6)) {
    case 0: (*bytes)[at] ^= static_cast<char>(1 << rng->below(8)); break;
    case 1: (*bytes)[at] = static_cast<char>(rng->below(256)); break;
    case 2: bytes->resize(at); break;
    case 3: bytes->erase(at, count); break;
    case 4: bytes->insert(at, bytes->substr(rng->below(bytes->size()), count)); break;
    default: {
      const std::uint64_t odd = kOdd[rng->below(std::size(kOdd))];
      bytes->replace(at, std::min<std::size_t>(8, bytes->size() - at),
                     reinterpret_cast<const char*>(&odd), 8);
    }
  }
}

TEST_P(Fuzz, TargetTakesItsSamples) {
  for (const std::string& sample : target_.samples()) EXPECT_NO_THROW(target_.run(sample));
  EXPECT_GE(target_.samples().size(), 3U);
}

TEST_P(Fuzz, TargetRefusesDamagedSamplesInOneLineOrTakesThem) {
  constexpr int kRounds = 3000;
  const std::vector<std::string> samples = target_.samples();
  Rng rng(11);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes = samples[rng.below(samples.size())];
    for (std::uint64_t changes = 1 + rng.below(4); changes > 0; --changes) damage(&bytes, &rng);
    ASSERT_NO_THROW(refused += takes(target_, bytes) ? 0 : 1) << "round " << round;
  }
  EXPECT_GT(refused, kRounds / 10);
}

INSTANTIATE_TEST_SUITE_P(All, Fuzz, ::testing::Values(LINGUA_FUZZ_TARGETS),
                         [](const auto& info) { return info.param().name; });

}  // namespace
}  // namespace lingua::testing
