#include "runtime/arrivals/generate.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "runtime/arrivals/trace_file.h"
#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

RequestTrace generate(const std::string& process, std::size_t requests, std::uint64_t seed,
                      const Lengths& prompt = {16, 16}, const Lengths& output = {4, 4}) {
  return generate_trace({parse_arrivals(process), prompt, output, {}, requests, seed});
}

// Between requests, the first one's gap after 0 included.
std::vector<double> gaps_of(const RequestTrace& trace) {
  std::vector<double> gaps;
  double before = 0;
  for (const Arrival& arrival : trace.arrivals) {
    gaps.push_back(arrival.at.count() - before);
    before = arrival.at.count();
  }
  return gaps;
}

// The largest distance between the values' distribution and that of an exponential one, times the square
// root of their number (Kolmogorov and Smirnov): above 1.95 for one true sample in a thousand.
double distance_from_exponential(std::vector<double> values, double rate) {
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = -std::expm1(-rate * values[i]);
    distance = std::max({distance, expected - static_cast<double>(i) / count,
                         static_cast<double>(i + 1) / count - expected});
  }
  return distance * std::sqrt(count);
}

struct Moments {
  double mean = 0;
  double variance = 0;
};
Moments moments_of(const std::vector<double>& values) {
  Moments moments;
  for (const double value : values) moments.mean += value / static_cast<double>(values.size());
  for (const double value : values) {
    const double off = value - moments.mean;
    moments.variance += off * off / static_cast<double>(values.size());
  }
  return moments;
}

TEST(PoissonArrivals, HaveExponentialGaps) {
  constexpr double kRate = 2.5;
  const std::vector<double> gaps = gaps_of(generate("poisson:2.5", 50'000, 11));
  EXPECT_LT(distance_from_exponential(gaps, kRate), 1.95);
  // Four standard errors of the mean and of the variance of so many.
  const Moments moments = moments_of(gaps);
  const double root = std::sqrt(static_cast<double>(gaps.size()));
  EXPECT_NEAR(moments.mean * kRate, 1, 4 / root);
  EXPECT_NEAR(moments.variance * kRate * kRate, 1, 4 * std::sqrt(8.0) / root);
}

// What the test above would not see: gaps that know of each other.
TEST(PoissonArrivals, AreAsManyInASecondAsPoissonSays) {
  std::map<int, double> requests_in;
  for (const Arrival& arrival : generate("poisson:3", 60'000, 12).arrivals) {
    ++requests_in[static_cast<int>(arrival.at.count())];
  }
  std::vector<double> counts;
  for (int second = 0; second < 19'000; ++second) counts.push_back(requests_in[second]);
  const Moments moments = moments_of(counts);
  EXPECT_NEAR(moments.mean, 3, 0.06);
  EXPECT_NEAR(moments.variance, 3, 0.15);
}

TEST(PoissonArrivals, OfAnotherRateAreNotTakenForIt) {
  EXPECT_GT(distance_from_exponential(gaps_of(generate("poisson:2.4", 50'000, 11)), 2.5), 1.95);
}

TEST(BurstArrivals, ComeSizeAtOnceAtExponentialGapsWithTheRateOfSingleOnes) {
  constexpr std::size_t kSize = 8;
  const RequestTrace trace = generate("bursts:4,8", 80'000, 13);
  std::vector<double> gaps;
  const std::vector<double> all = gaps_of(trace);
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (r % kSize == 0) {
      gaps.push_back(all[r]);
    } else {
      ASSERT_EQ(all[r], 0) << r;
    }
  }
  EXPECT_LT(distance_from_exponential(gaps, 4.0 / kSize), 1.95);
  EXPECT_NEAR(summarise(trace).rate_per_s.value(), 4, 0.16);
  EXPECT_GT(summarise(trace).gap_variation.value(),
            3);  // of a Poisson process 1; here sqrt(2 * 8 - 1)
}

TEST(BurstArrivals, EndInTheMiddleOfABurstWhenTheirNumberAsksForIt) {
  const RequestTrace trace = generate("bursts:1,4", 6, 1);
  ASSERT_EQ(trace.arrivals.size(), 6U);
  EXPECT_EQ(trace.arrivals[0].at, trace.arrivals[3].at);
  EXPECT_LT(trace.arrivals[3].at, trace.arrivals[4].at);
}

TEST(ClosedArrivals, HaveClientsAndNoTimes) {
  const RequestTrace trace = generate("closed:3", 10, 1, {1, 100});
  EXPECT_EQ(trace.clients, 3);
  for (const Arrival& arrival : trace.arrivals) EXPECT_EQ(arrival.at, Seconds(0));
  EXPECT_EQ(generate("poisson:1", 1, 1).clients, 0);
}

// The algorithms written down again in Python, whose integers and doubles are the same everywhere.
TEST(GeneratedTraces, AreTheSameToTheLastBitAsAnotherProgramMakesThem) {
  const RequestTrace poisson = generate("poisson:2", 4, 7, {16, 512}, {1, 64});
  EXPECT_EQ(poisson.arrivals, (std::vector<Arrival>{{Seconds(0x1.7169852efd579p-2), 187, 7},
                                                    {Seconds(0x1.4fcb0f1a66636p+0), 296, 1},
                                                    {Seconds(0x1.3be9287d74049p+1), 190, 22},
                                                    {Seconds(0x1.e528aa49b2010p+1), 64, 23}}));
  const RequestTrace bursts = generate("bursts:2,3", 6, 7);
  EXPECT_EQ(bursts.arrivals[2].at, Seconds(0x1.150f23e33e01bp+0));
  EXPECT_EQ(bursts.arrivals[5].at, Seconds(0x1.f7b096a799952p+1));
}

TEST(GeneratedTraces, OfOneSeedBeginAlikeWhateverTheirLength) {
  const RequestTrace longer = generate("poisson:2", 50, 3, {1, 9}, {1, 9});
  RequestTrace shorter = generate("poisson:2", 20, 3, {1, 9}, {1, 9});
  EXPECT_EQ(scaled(longer, 20, 1).arrivals, shorter.arrivals);
  EXPECT_NE(generate("poisson:2", 20, 4, {1, 9}, {1, 9}).arrivals, shorter.arrivals);
}

TEST(GeneratedTraces, KeepTheirTimesWhenLengthsChange) {
  const RequestTrace one = generate("poisson:2", 20, 3, {1, 9}, {5, 500});
  const RequestTrace other = generate("poisson:2", 20, 3, {300, 900}, {5, 500});
  for (std::size_t r = 0; r < 20; ++r) {
    EXPECT_EQ(one.arrivals[r].at, other.arrivals[r].at);
    EXPECT_EQ(one.arrivals[r].output_tokens, other.arrivals[r].output_tokens);
  }
}

TEST(GeneratedTraces, DrawEveryLengthOfARangeAndNoOther) {
  std::map<std::int64_t, int> seen;
  for (const Arrival& arrival : generate("closed:1", 9'000, 5, {7, 15}).arrivals) {
    ++seen[arrival.prompt_tokens];
  }
  ASSERT_EQ(seen.size(), 9U);
  for (const auto& [length, count] : seen) {
    EXPECT_TRUE(length >= 7 && length <= 15) << length;
    EXPECT_NEAR(count, 1'000, 130) << length;
  }
}

TEST(GeneratedTraces, LikeAnotherHaveItsPairsOfLengthsInItsShares) {
  RequestTrace like;
  like.arrivals = {{Seconds(0), 10, 1000}, {Seconds(0), 20, 2}, {Seconds(0), 20, 2}};
  std::map<std::pair<std::int64_t, std::int64_t>, int> seen;
  for (const Arrival& arrival :
       generate_trace({parse_arrivals("poisson:1"), {}, {}, like, 3'000, 5}).arrivals) {
    ++seen[{arrival.prompt_tokens, arrival.output_tokens}];
  }
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_NEAR((seen[{10, 1000}]), 1'000, 110);
  EXPECT_NEAR((seen[{20, 2}]), 2'000, 110);
}

TEST(GeneratedTraces, CommittedOnesAreWhatTheirCommandsMake) {
  const auto text = [](const char* file) {
    return trace_csv(read_trace(std::string(LINGUA_TRACES "/") + file));
  };
  EXPECT_EQ(text("poisson.csv"), trace_csv(generate("poisson:2", 200, 1, {16, 512}, {16, 128})));
  const RequestTrace like = read_trace(LINGUA_TRACES "/azure-2023-conversation.csv");
  EXPECT_EQ(text("bursts.csv"),
            trace_csv(generate_trace({parse_arrivals("bursts:2,8"), {}, {}, like, 200, 1})));
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(ArrivalText, ReadsWhatItWrites) {
  for (const char* text : {"poisson:2", "poisson:0.125", "bursts:2.5,8", "closed:4"}) {
    EXPECT_EQ(to_text(parse_arrivals(text)), text);
  }
}

TEST(ArrivalText, IsRefusedWithTheFormsThatThereAre) {
  for (const char* text : {"",
                           "poisson",
                           "poisson:",
                           "poisson:0",
                           "poisson:-1",
                           "poisson:nan",
                           "poisson:inf",
                           "poisson:1e9",
                           "poisson:2/s",
                           "poisson:2,3",
                           "Poisson:2",
                           "bursts:2",
                           "bursts:2,",
                           "bursts:2,0",
                           "bursts:2,1.5",
                           "bursts:0,4",
                           "bursts:1,2,3",
                           "closed:0",
                           "closed:1.5",
                           "closed:-3",
                           "closed:99999999999999999999",
                           "uniform:3",
                           "poisson:2\n"}) {
    const std::string said = refusal([&] { parse_arrivals(text); });
    EXPECT_THAT(said, HasSubstr("write poisson:RATE, bursts:RATE,SIZE or closed:CLIENTS")) << text;
    EXPECT_EQ(said.find('\n'), std::string::npos);
  }
}

TEST(LengthText, IsANumberOrARange) {
  EXPECT_EQ(parse_lengths("128", "--x").least, 128);
  EXPECT_EQ(parse_lengths("128", "--x").most, 128);
  EXPECT_EQ(parse_lengths("1-4", "--x").least, 1);
  EXPECT_EQ(parse_lengths("1-4", "--x").most, 4);
  for (const char* text :
       {"", "0", "-5", "5-", "4-1", "1-2-3", "1.5", "0-3", "999999999999", "a"}) {
    EXPECT_THAT(refusal([&] { parse_lengths(text, "--prompt-tokens"); }),
                HasSubstr("--prompt-tokens '"))
        << text;
  }
}

TEST(GeneratedTraces, ThatWouldLastForYearsAreRefused) {
  EXPECT_THAT(refusal([] { generate("poisson:0.000001", 100'000, 1); }),
              HasSubstr("a trace lasts at most 1000000000 s"));
}

}  // namespace
}  // namespace lingua
