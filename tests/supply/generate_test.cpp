#include "runtime/supply/generate.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/supply/supply_file.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ClusterSpec phones() { return load_cluster(LINGUA_PLATFORMS "/three-phones.yaml"); }

SupplyTrace generate(const std::string& text, std::uint64_t seed = 1) {
  return generate_supply(text, phones(), seed);
}

const std::vector<SupplyPoint>& points(const SupplyTrace& supply) {
  EXPECT_EQ(supply.devices().size(), 1U);
  return supply.devices().at("oneplus-9");
}

TEST(GeneratedSupply, OfOneThatSlows) {
  EXPECT_THAT(points(generate("slow:oneplus-9:20s:0.5")),
              ElementsAre(SupplyPoint{Seconds(20), {.speed = 0.5}}));
  EXPECT_EQ(generate("slow:oneplus-9:1.5 min:0.25").state_at("oneplus-9", Seconds(90)).speed, 0.25);
}

TEST(GeneratedSupply, OfOneThatThrottlesInSteps) {
  EXPECT_THAT(points(generate("steps:oneplus-9:20s:10s:0.5:0.2")),
              ElementsAre(SupplyPoint{Seconds(20), {.speed = 0.5}},
                          SupplyPoint{Seconds(30), {.speed = 0.25}},
                          SupplyPoint{Seconds(40), {.speed = 0.2}}));
}

TEST(GeneratedSupply, OfOneThatFallsToAFloorForAWhile) {
  EXPECT_THAT(points(generate("floor:oneplus-9:20s:0.3:60s")),
              ElementsAre(SupplyPoint{Seconds(20), {.speed = 0.3}}, SupplyPoint{Seconds(80), {}}));
}

TEST(GeneratedSupply, OfLinksThatFallAndOfADeviceThatLeaves) {
  EXPECT_THAT(points(generate("bandwidth:oneplus-9:20s:0.1")),
              ElementsAre(SupplyPoint{Seconds(20), {.speed = 1, .bandwidth = 0.1}}));
  EXPECT_FALSE(generate("leaves:oneplus-9:20s").state_at("oneplus-9", Seconds(20)).present);
  for (const double at_s : {0.0, 19.0, 20.0, 30.0}) {
    EXPECT_EQ(generate("joins:oneplus-9:20s").state_at("oneplus-9", Seconds(at_s)).present,
              at_s >= 20);
    EXPECT_EQ(generate("away:oneplus-9:10s:15s").state_at("oneplus-9", Seconds(at_s)).present,
              at_s < 10 || at_s >= 25);
  }
}

TEST(GeneratedSupply, OfAnAppThatComesAndGoesHasTheMeansThatWereAskedFor) {
  const SupplyTrace supply = generate("background:oneplus-9:0.6:30s:10s:100 h");
  const std::vector<SupplyPoint>& all = points(supply);
  ASSERT_EQ(all.size() % 2, 0U) << "it has gone in the end";
  double away_s = 0;
  double there_s = 0;
  Seconds before{0};
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].state.speed, i % 2 == 0 ? 0.6 : 1);
    (i % 2 == 0 ? away_s : there_s) += (all[i].from - before).count();
    before = all[i].from;
  }
  const double times = static_cast<double>(all.size()) / 2;
  EXPECT_NEAR(times, 9000, 400);
  EXPECT_NEAR(away_s / times, 30, 1.3);  // four standard errors
  EXPECT_NEAR(there_s / times, 10, 0.5);
  EXPECT_LE(all.back().from, Seconds(360'000));
}

TEST(GeneratedSupply, OfFadingLinksIsDrawnAnewEachTime) {
  const SupplyTrace supply = generate("fading:oneplus-9:2s:0.2:10000s");
  const std::vector<SupplyPoint>& all = points(supply);
  ASSERT_EQ(all.size(), 5001U);
  double sum = 0;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    EXPECT_EQ(all[i].from, Seconds(2.0 * static_cast<double>(i)));
    EXPECT_GE(all[i].state.bandwidth, 0.2);
    EXPECT_LT(all[i].state.bandwidth, 1);
    sum += all[i].state.bandwidth;
  }
  EXPECT_NEAR(sum / 5000, 0.6, 4 * 0.8 / std::sqrt(12.0 * 5000));
  EXPECT_EQ(all.back(), (SupplyPoint{Seconds(10'000), {}}));
}

TEST(GeneratedSupply, IsTheSameForASeedAndAnotherForAnother) {
  for (const char* text :
       {"background:oneplus-9:0.6:30s:10s:10min", "fading:oneplus-9:2s:0.2:60s"}) {
    EXPECT_EQ(generate(text, 7).devices(), generate(text, 7).devices());
    EXPECT_NE(generate(text, 7).devices(), generate(text, 8).devices());
  }
  EXPECT_EQ(generate("slow:oneplus-9:2s:0.2", 7).devices(),
            generate("slow:oneplus-9:2s:0.2", 8).devices());
  EXPECT_EQ(generate("leaves:oneplus-9:2s", 7).source, "leaves:oneplus-9:2s, seed 7");
}

// The algorithms written down again in Python, whose integers and doubles are the same everywhere.
TEST(GeneratedSupply, IsTheSameToTheLastBitAsAnotherProgramMakesIt) {
  const SupplyTrace background = generate("background:oneplus-9:0.6:30s:10s:2min", 7);
  std::vector<Seconds> times;
  for (const SupplyPoint& point : points(background)) times.push_back(point.from);
  EXPECT_THAT(times, ElementsAre(Seconds(0x1.7be73cb960ca4p+5), Seconds(0x1.d4302519d2932p+5),
                                 Seconds(0x1.8941e442efaf8p+6), Seconds(0x1.a78cde660e7b6p+6),
                                 Seconds(0x1.da67291b5bd1ep+6), Seconds(0x1.e000000000000p+6)));
  const SupplyTrace fading = generate("fading:oneplus-9:2s:0.25:6s", 7);
  std::vector<double> factors;
  for (const SupplyPoint& point : points(fading)) factors.push_back(point.state.bandwidth);
  EXPECT_THAT(factors, ElementsAre(0x1.15b1d2d685cb1p-1, 0x1.0ce4b687dcb52p-2, 0x1.d9e460c11809cp-1,
                                   0x1.0000000000000p+0));
}

// As traces/devices/README.md has the commands.
TEST(GeneratedSupply, CommittedOnesAreWhatTheirCommandsMake) {
  const std::string readme = read_file(LINGUA_TRACES "/README.md");
  std::size_t files = 0;
  for (const char* spec :
       {"slow:oneplus-9:60s:0.5", "steps:xiaomi-14:60s:30s:0.85:0.4",
        "floor:xiaomi-14:60s:0.25:120s", "background:oneplus-9:0.6:40s:20s:10min",
        "bandwidth:oneplus-6:60s:0.1", "fading:oneplus-6:5s:0.1:5min", "leaves:oneplus-9:90s",
        "joins:oneplus-9:90s", "away:oneplus-9:90s:60s"}) {
    const std::string text(spec);
    const std::string name = text.substr(0, text.find(':'));
    EXPECT_EQ(read_file(LINGUA_TRACES "/" + name + ".csv"), supply_csv(generate(text, 1))) << name;
    EXPECT_THAT(readme, HasSubstr("lingua trace supply " + text + " ")) << name;
    ++files;
  }
  for (const auto& entry : std::filesystem::directory_iterator(LINGUA_TRACES))
    files -= entry.path().extension() == ".csv" ? 1 : 0;
  EXPECT_EQ(files, 0U) << "each file has its command";
}

std::string refusal(const std::string& text) {
  try {
    generate(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "(taken)";
}

TEST(SupplyText, IsRefusedWithTheFieldAndTheForm) {
  const struct {
    const char* text;
    std::vector<std::string> words;
  } cases[] = {
      {"slow:oneplus-9:20s", {"has not as many fields", "write slow:DEVICE:TIME:FACTOR"}},
      {"slow:oneplus-9:20s:0.5:3", {"has not as many fields"}},
      {"slow:", {"has not as many fields"}},
      {"slow:phone:20s:0.5", {"no device 'phone' (xiaomi-14 oneplus-9 oneplus-6)"}},
      {"slow:oneplus-9:20:0.5", {"TIME '20' is not accepted", "with its unit"}},
      {"slow:oneplus-9:-2s:0.5", {"TIME '-2s'"}},
      {"slow:oneplus-9:nans:0.5", {"TIME 'nans'"}},
      {"slow:oneplus-9:1e12s:0.5", {"TIME '1e12s'"}},
      {"slow:oneplus-9:2s:0", {"FACTOR '0' is not accepted: from 1e-06 to 1e+06"}},
      {"slow:oneplus-9:2s:-1", {"FACTOR '-1'"}},
      {"slow:oneplus-9:2s:inf", {"FACTOR 'inf'"}},
      {"slow:oneplus-9:2s:half", {"FACTOR 'half'"}},
      {"slow:oneplus-9:2s:\x1b[31m", {"FACTOR '\\x1b[31m'"}},
      {"steps:oneplus-9:2s:0s:0.5:0.1", {"EVERY '0s'"}},
      {"steps:oneplus-9:2s:1s:1:0.1", {"FACTOR '1'"}},
      {"steps:oneplus-9:2s:1s:0.5:2", {"FLOOR '2'"}},
      {"floor:oneplus-9:900000000s:0.5:900000000s", {"lasts longer than 1000000000 s"}},
      {"background:oneplus-9:0.5:1ms:1ms:1e9s", {"changes more than 1000000 times"}},
      {"background:oneplus-9:0.5:0s:1s:1h", {"AWAY '0s'"}},
      {"fading:oneplus-9:1ms:0.5:1e9s", {"changes more than 1000000 times"}},
      {"fading:oneplus-9:1s:1.5:1h", {"LEAST '1.5'"}},
      {"leaves:oneplus-9:soon", {"TIME 'soon'", "write leaves:DEVICE:TIME"}},
      {"sloww:oneplus-9:2s:1",
       {"is no supply", "a file, or one of slow:DEVICE:TIME:FACTOR, steps:"}},
      {"", {"is no supply"}},
  };
  for (const auto& one : cases) {
    const std::string said = refusal(one.text);
    for (const std::string& word : one.words) EXPECT_THAT(said, HasSubstr(word)) << one.text;
    EXPECT_LT(said.size(), 500U) << said;
    EXPECT_EQ(said.find('\n'), std::string::npos);
  }
}

TEST(SupplyText, IsToldFromTheNameOfAFile) {
  EXPECT_TRUE(is_supply_spec("slow:a:b"));
  EXPECT_TRUE(is_supply_spec("leaves:"));
  for (const char* text : {"slow", "slow.csv", "./slow:x", "C:slow", ""})
    EXPECT_FALSE(is_supply_spec(text)) << text;
}

}  // namespace
}  // namespace lingua
