#include "runtime/base/units.h"

#include <gmock/gmock.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

struct Case {
  const char* text;
  Unit unit;
  double value;
};

TEST(ParseQuantity, ReadsEveryUnit) {
  const Case cases[] = {
      {"7 B", Unit::kBytes, 7},
      {"8 kB", Unit::kBytes, 8e3},
      {"8 MB", Unit::kBytes, 8e6},
      {"8 GB", Unit::kBytes, 8e9},
      {"1.5 TB", Unit::kBytes, 1.5e12},
      {"2 KiB", Unit::kBytes, 2048},
      {"2 MiB", Unit::kBytes, 2097152},
      {"2 GiB", Unit::kBytes, 2147483648.0},
      {"3 B/s", Unit::kBytesPerSecond, 3},
      {"3 kB/s", Unit::kBytesPerSecond, 3e3},
      {"3 MB/s", Unit::kBytesPerSecond, 3e6},
      {"3 GB/s", Unit::kBytesPerSecond, 3e9},
      {"3 MiB/s", Unit::kBytesPerSecond, 3145728},
      {"3 GiB/s", Unit::kBytesPerSecond, 3221225472.0},
      {"8 bit/s", Unit::kBytesPerSecond, 1},
      {"8 kbit/s", Unit::kBytesPerSecond, 1e3},
      {"54 Mbit/s", Unit::kBytesPerSecond, 6.75e6},
      {"1 Gbit/s", Unit::kBytesPerSecond, 1.25e8},
      {"5 FLOP/s", Unit::kFlopsPerSecond, 5},
      {"5 kFLOP/s", Unit::kFlopsPerSecond, 5e3},
      {"5 MFLOP/s", Unit::kFlopsPerSecond, 5e6},
      {"20 GFLOP/s", Unit::kFlopsPerSecond, 2e10},
      {"1 TFLOP/s", Unit::kFlopsPerSecond, 1e12},
      {"2 s", Unit::kSeconds, 2},
      {"2 ms", Unit::kSeconds, 2e-3},
      {"2 us", Unit::kSeconds, 2e-6},
      {"2 min", Unit::kSeconds, 120},
      {"2 h", Unit::kSeconds, 7200},
      {"5 W", Unit::kWatts, 5},
      {"440 mW", Unit::kWatts, 0.44},
      {"1.5 kW", Unit::kWatts, 1500},
      {"5 J", Unit::kJoules, 5},
      {"5 uJ", Unit::kJoules, 5e-6},
      {"5 mJ", Unit::kJoules, 5e-3},
      {"60 kJ", Unit::kJoules, 6e4},
      {"2 MJ", Unit::kJoules, 2e6},
      {"10 mWh", Unit::kJoules, 36},
      {"17 Wh", Unit::kJoules, 61200},
      {"0.5 kWh", Unit::kJoules, 1.8e6},
      {"65 %", Unit::kShare, 0.65},
      {"65%", Unit::kShare, 0.65},
      {"0 %", Unit::kShare, 0},
      {"100 %", Unit::kShare, 1},
      {"0.25", Unit::kPlain, 0.25},
      {"0 B", Unit::kBytes, 0},
      {"1e3 B", Unit::kBytes, 1000},
      {"  3.5GB\t", Unit::kBytes, 3.5e9},
  };
  for (const Case& c : cases) EXPECT_DOUBLE_EQ(parse_quantity(c.text, c.unit), c.value) << c.text;
}

TEST(ParseQuantity, RefusesWhatItDoesNotKnow) {
  const Case cases[] = {
      {"", Unit::kBytes, 0},           {"GB", Unit::kBytes, 0},
      {"8", Unit::kBytes, 0},          {"8 gb", Unit::kBytes, 0},
      {"8 GB/s", Unit::kBytes, 0},     {"8 GB", Unit::kBytesPerSecond, 0},
      {"-1 GB", Unit::kBytes, 0},      {"nan GB", Unit::kBytes, 0},
      {"inf GB", Unit::kBytes, 0},     {"1e999 GB", Unit::kBytes, 0},
      {"8 GB extra", Unit::kBytes, 0}, {"8 G B", Unit::kBytes, 0},
      {"1,5 GB", Unit::kBytes, 0},     {"0x10 B", Unit::kBytes, 0},
      {"1 s", Unit::kPlain, 0},        {"-1", Unit::kPlain, 0},
      {"5 m", Unit::kSeconds, 0},      {"5 FLOPS", Unit::kFlopsPerSecond, 0},
      {"1e300 TB", Unit::kBytes, 0},   {"5 Wh", Unit::kWatts, 0},
      {"5", Unit::kWatts, 0},          {"-1 W", Unit::kWatts, 0},
      {"5 W", Unit::kJoules, 0},       {"4610 mAh", Unit::kJoules, 0},
      {"101 %", Unit::kShare, 0},      {"100.01 %", Unit::kShare, 0},
      {"-1 %", Unit::kShare, 0},       {"0.65", Unit::kShare, 0},
  };
  for (const Case& c : cases) EXPECT_THROW(parse_quantity(c.text, c.unit), InputError) << c.text;
}

TEST(ParseQuantity, NamesTheTextAndWhatItWouldAccept) {
  try {
    parse_quantity("8 gb", Unit::kBytes);
    FAIL() << "'8 gb' was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'8 gb'"));
    EXPECT_THAT(error.what(), HasSubstr("B, kB, MB, GB, TB, KiB, MiB, GiB"));
  }
}

TEST(ParseQuantity, SaysWhichSharesItAccepts) {
  try {
    parse_quantity("120 %", Unit::kShare);
    FAIL() << "'120 %' was accepted";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "'120 %' is not accepted; write 0 % to 100 %");
  }
}

TEST(FormatQuantity, ShowsThreeDigitsInTheUnitThatFits) {
  EXPECT_EQ(format_quantity(8e9, Unit::kBytes), "8.00 GB");
  EXPECT_EQ(format_quantity(1.25e6, Unit::kBytesPerSecond), "1.25 MB/s");
  EXPECT_EQ(format_quantity(52e9, Unit::kFlopsPerSecond), "52.0 GFLOP/s");
  EXPECT_EQ(format_quantity(0.0123, Unit::kSeconds), "12.3 ms");
  EXPECT_EQ(format_quantity(0.000321, Unit::kSeconds), "321 us");
  EXPECT_EQ(format_quantity(12.4, Unit::kSeconds), "12.4 s");
  EXPECT_EQ(format_quantity(999, Unit::kBytes), "999 B");
  EXPECT_EQ(format_quantity(1000, Unit::kBytes), "1.00 kB");
  EXPECT_EQ(format_quantity(5.32, Unit::kPlain), "5.32");
  EXPECT_EQ(format_quantity(3, Unit::kWatts), "3.00 W");
  EXPECT_EQ(format_quantity(0.44, Unit::kWatts), "440 mW");
  EXPECT_EQ(format_quantity(1e4, Unit::kWatts), "10.0 kW");
  EXPECT_EQ(format_quantity(61200, Unit::kJoules), "61.2 kJ");
  EXPECT_EQ(format_quantity(2.5, Unit::kJoules), "2.50 J");
  EXPECT_EQ(format_quantity(0.0123, Unit::kJoules), "12.3 mJ");
  EXPECT_EQ(format_quantity(4.2e-6, Unit::kJoules), "4.20 uJ");
  EXPECT_EQ(format_quantity(1e9, Unit::kJoules), "1.00 GJ");
  EXPECT_EQ(format_quantity(0.65, Unit::kShare), "65.0 %");
  EXPECT_EQ(format_quantity(1, Unit::kShare), "100 %");
  EXPECT_EQ(format_quantity(0.004, Unit::kShare), "0.40 %");
  EXPECT_EQ(format_quantity(0, Unit::kBytes), "0.00 B");
  EXPECT_EQ(format_quantity(0, Unit::kSeconds), "0.00 s");
  EXPECT_EQ(format_quantity(0, Unit::kJoules), "0.00 J");
  EXPECT_EQ(format_quantity(0, Unit::kShare), "0.00 %");
}

TEST(FormatQuantity, MovesToTheNextUnitWhenRoundingReachesIt) {
  EXPECT_EQ(format_quantity(999.7e6, Unit::kBytes), "1.00 GB");
  EXPECT_EQ(format_quantity(9.996, Unit::kPlain), "10.0");
  EXPECT_EQ(format_quantity(99.96, Unit::kPlain), "100");
}

TEST(FormatQuantity, TellsTwoQuantitiesApartThatDiffer) {
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(format_apart(2e9, 1e9, Unit::kBytes), Pair("2.00 GB", "1.00 GB"));
  EXPECT_EQ(format_apart(819.2e6, 819.1e6, Unit::kBytes), Pair("819.2 MB", "819.1 MB"));
  EXPECT_EQ(format_apart(819000001, 819000000, Unit::kBytes),
            Pair("819.000001 MB", "819.000000 MB"));
  EXPECT_EQ(format_apart(1e9, 999999999, Unit::kBytes), Pair("1.00000000 GB", "999.999999 MB"));
  EXPECT_EQ(format_apart(5, 5, Unit::kBytes), Pair("5.00 B", "5.00 B"));
}

TEST(FormatQuantity, IsReadBackWithinItsThreeDigits) {
  Rng rng(5);
  struct Range {
    Unit unit;
    double low, high;  // powers of ten
  };
  const Range ranges[] = {{Unit::kBytes, 0, 12},    {Unit::kBytesPerSecond, 0, 12},
                          {Unit::kSeconds, -5, 12}, {Unit::kFlopsPerSecond, 0, 12},
                          {Unit::kWatts, -3, 6},    {Unit::kJoules, -6, 9},
                          {Unit::kShare, -2, 0}};
  for (const auto& [unit, low, high] : ranges) {
    for (int i = 0; i < 200; ++i) {
      const double value = std::pow(10.0, rng.uniform(low, high));
      EXPECT_NEAR(parse_quantity(format_quantity(value, unit), unit), value, 0.0051 * value);
    }
  }
}

}  // namespace
}  // namespace lingua
