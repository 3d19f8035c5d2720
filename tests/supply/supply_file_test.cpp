#include "runtime/supply/supply_file.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kColumns = "time_s,device,speed,bandwidth,present,battery,temperature_c\n";

ClusterSpec lab() {
  ClusterSpec cluster;
  cluster.name = "lab";
  for (const char* name : {"a", "b-1"}) cluster.devices.push_back({name, 1e9, 1e9, 1e9});
  return cluster;
}

SupplyTrace parse(const std::string& text) { return parse_supply(text, "t", lab()); }

std::string refusal(const std::string& text) {
  try {
    parse_supply(text, "my/supply.csv", lab());
  } catch (const InputError& error) {
    return error.what();
  }
  return "(taken)";
}

TEST(SupplyFile, IsReadWithEmptyCellsUnchanged) {
  const SupplyTrace supply = parse(kColumns +
                                   "0,a,0.5,,,,\n"
                                   "1.5,b-1,,2,false,0.75,-3.5\n"
                                   "1.5,a,,,true,,\n"
                                   "1e3,a,1,0.25,,1,40\n");
  EXPECT_EQ(
      supply.devices().at("a"),
      (std::vector<SupplyPoint>{
          {Seconds(0), {.speed = 0.5}},
          {Seconds(1000),
           {.speed = 1, .bandwidth = 0.25, .present = true, .battery = 1, .temperature_c = 40}}}));
  EXPECT_EQ(supply.devices().at("b-1"), (std::vector<SupplyPoint>{{Seconds(1.5),
                                                                   {.speed = 1,
                                                                    .bandwidth = 2,
                                                                    .present = false,
                                                                    .battery = 0.75,
                                                                    .temperature_c = -3.5}}}));
}

TEST(SupplyFile, MayHaveItsColumnsInAnyOrderAndOnlyTwoOfThem) {
  const SupplyTrace supply = parse("bandwidth,device,time_s\n0.5,a,3\n");
  EXPECT_EQ(supply.state_at("a", Seconds(3)), (DeviceState{.speed = 1, .bandwidth = 0.5}));
  EXPECT_TRUE(parse("time_s,device\n3,a\n").devices().empty());
  EXPECT_TRUE(parse(kColumns).devices().empty()) << "all is nominal";
}

TEST(SupplyFile, TakesWhatOtherProgramsPutAroundCsv) {
  const auto expected = parse("time_s,device,speed\n1,a,0.5\n").devices();
  EXPECT_EQ(parse("\xEF\xBB\xBFtime_s,device,speed\r\n1,a,0.5\r\n").devices(), expected);
  EXPECT_EQ(parse("\n\"time_s\",device,\"speed\"\n\n\"1\", a ,0.5\n\n").devices(), expected);
  EXPECT_EQ(parse("time_s,device,speed\n1,a,0.5").devices(), expected);
}

TEST(SupplyFile, KnowsItsNameAndSource) {
  const SupplyTrace supply = parse_supply(kColumns, "some/where/hot.csv", lab());
  EXPECT_EQ(supply.name, "hot");
  EXPECT_EQ(supply.source, "some/where/hot.csv");
}

TEST(SupplyFile, IsTheSameToTheLastBitWhenWrittenAndReadAgain) {
  Rng rng(3);
  SupplyTrace supply;
  for (int i = 0; i < 200; ++i) {
    SupplyChange change;
    if (rng.below(2) > 0) change.speed = rng.uniform(1e-6, 2);
    if (rng.below(2) > 0) change.bandwidth = rng.uniform(1e-6, 2);
    if (rng.below(8) == 0) change.present = rng.below(2) > 0;
    if (rng.below(2) > 0) change.battery = rng.uniform();
    if (rng.below(2) > 0) change.temperature_c = rng.uniform(-100, 200);
    supply.add(rng.below(2) > 0 ? "a" : "b-1", Seconds(i / 7.0), change);
  }
  const std::string text = supply_csv(supply);
  EXPECT_EQ(parse(text).devices(), supply.devices());
  EXPECT_EQ(supply_csv(parse(text)), text);
  const TemporaryFolder folder;
  std::ofstream(folder.file("t.csv")) << text;
  EXPECT_EQ(read_supply(folder.file("t.csv"), lab()).devices(), supply.devices());
}

TEST(SupplyFile, IsRefusedWithFileLineFieldAndValue) {
  const struct {
    std::string text;
    std::vector<std::string> words;
  } cases[] = {
      {"-0.5,a,,,,,", {"my/supply.csv:2: time_s: '-0.5' is not accepted", "from 0 to 1000000000"}},
      {"nan,a,,,,,", {":2: time_s: 'nan'"}},
      {"inf,a,,,,,", {":2: time_s: 'inf'"}},
      {",a,,,,,", {":2: time_s: ''"}},
      {"1e10,a,,,,,", {":2: time_s: '1e10'"}},
      {"1s,a,,,,,", {":2: time_s: '1s'"}},
      {"0x10,a,,,,,", {":2: time_s: '0x10'"}},
      {"1,c,,,,,", {":2: device: 'c' is not accepted; write a device of lab: a b-1"}},
      {"1,,,,,,", {":2: device: ''"}},
      {"1,coordinator,0.5,,,,", {":2: device: 'coordinator'"}},
      {"1,a,0,,,,", {":2: speed: '0' is not accepted; write a number from 1e-06 to 1000000"}},
      {"1,a,-1,,,,", {":2: speed: '-1'"}},
      {"1,a,1e300,,,,", {":2: speed: '1e300'"}},
      {"1,a,1e999,,,,", {":2: speed: '1e999'"}},
      {"1,a,nan,,,,", {":2: speed: 'nan'"}},
      {"1,a,50%,,,,", {":2: speed: '50%'"}},
      {"1,a,,0,,,", {":2: bandwidth: '0'"}},
      {"1,a,,-inf,,,", {":2: bandwidth: '-inf'"}},
      {"1,a,,,no,,", {":2: present: 'no' is not accepted; write true or false"}},
      {"1,a,,,1,,", {":2: present: '1'"}},
      {"1,a,,,,1.5,", {":2: battery: '1.5'", "from 0 to 1"}},
      {"1,a,,,,-0.1,", {":2: battery: '-0.1'"}},
      {"1,a,,,,,1000", {":2: temperature_c: '1000'", "from -100 to 200"}},
      {"1,a,0.5", {":2: '1,a,0.5' has 3 columns; the first line has 7"}},
      {"1,a,,,,,,", {":2: '1,a,,,,,,' has 8 columns"}},
      {"1,a,,,,,\n\n2,a,,,,,\n1.5,b-1,,,,,", {":5: time_s: '1.5' is before the row above it"}},
      {"1,a,,,,,\n1,\"a,,,,,", {":3: '1,\"a,,,,,' is no line of CSV"}},
      {"1,\x1b[31ma,,,,,", {":2: device: '\\x1b[31ma'"}},
      {"1,\xff\xfe,,,,,", {":2: device: '\xef\xbf\xbd\xef\xbf\xbd'"}},
      {std::string(1 << 20, '1'), {":2: has 1048576 bytes; a line has at most 65536"}},
  };
  for (const auto& one : cases) {
    const std::string said = refusal(kColumns + one.text);
    for (const std::string& word : one.words)
      EXPECT_THAT(said, HasSubstr(word)) << one.text.substr(0, 80);
    EXPECT_LT(said.size(), 300U) << said;
    EXPECT_THAT(said, Not(HasSubstr("\n")));
  }
}

TEST(SupplyFile, IsRefusedForColumnsThatItCannotHave) {
  EXPECT_THAT(refusal("time_s,device,heat\n"),
              HasSubstr("my/supply.csv:1: 'heat' is no column of a supply; the first line is "
                        "time_s,device,speed,bandwidth,present,battery,temperature_c"));
  EXPECT_THAT(refusal("device,speed\n"), HasSubstr(":1: time_s: this column is missing"));
  EXPECT_THAT(refusal("time_s,speed\n"), HasSubstr(":1: device: this column is missing"));
  EXPECT_THAT(refusal("time_s,device,speed,speed\n"), HasSubstr(":1: speed: stands there twice"));
  EXPECT_THAT(refusal("1,a,0.5\n"), HasSubstr(":1: '1' is no column"));
  EXPECT_THAT(refusal("\x7f"
                      "ELF\2"),
              HasSubstr(":1: "));
  EXPECT_THAT(refusal(""), HasSubstr("my/supply.csv:1: no columns stand in it"));
  EXPECT_THAT(refusal("\n\n"), HasSubstr("no columns stand in it"));
}

TEST(SupplyFile, OfMoreThanItsLimitsIsRefused) {
  const TemporaryFolder folder;
  const std::string file = folder.file("huge.csv");
  std::ofstream(file) << kColumns;
  std::filesystem::resize_file(file, 80 << 20);  // sparse
  EXPECT_THROW(read_supply(file, lab()), InputError);
  EXPECT_THROW(read_supply(folder.file("none.csv"), lab()), InputError);
  EXPECT_THROW(read_supply(folder.path(), lab()), InputError);
  std::string rows = "time_s,device\n";
  for (std::size_t i = 0; i <= kMostSupplyRows; ++i) rows += "1,a\n";
  EXPECT_THAT(refusal(rows), HasSubstr("more than 1000000 rows"));
}

}  // namespace
}  // namespace lingua
