#include "runtime/net/telemetry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "runtime/base/files.h"

namespace lingua::internal {
namespace {

class TelemetryTest : public ::testing::Test {
 protected:
  void say(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = folder_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
  }
  void supply(const std::string& name, const std::string& type, const std::string& percent) const {
    say("power_supply/" + name + "/type", type);
    say("power_supply/" + name + "/capacity", percent);
  }
  void zone(int number, const std::string& type, const std::string& temperature) const {
    const std::string folder = "thermal/thermal_zone" + std::to_string(number);
    say(folder + "/type", type);
    say(folder + "/temp", temperature);
  }
  Telemetry read() const { return LocalTelemetry(folder_.path()).read(); }

  const TemporaryFolder folder_;
};

TEST_F(TelemetryTest, ReadsTheBatteryAndTheTemperatureAsTheyChange) {
  supply("BAT0", "Battery", "64");
  zone(0, "x86_pkg_temp", "41500");
  LocalTelemetry telemetry(folder_.path());
  EXPECT_EQ(telemetry.read().battery, 0.64);
  EXPECT_EQ(telemetry.read().temperature_c, 41.5);
  supply("BAT0", "Battery", "9");
  EXPECT_EQ(telemetry.read().battery, 0.09);
}

TEST_F(TelemetryTest, SaysWhatIsNotThereAsNotKnown) {
  EXPECT_LT(read().battery, 0);
  EXPECT_EQ(read().temperature_c, 0);
  supply("BAT0", "Battery", "40");
  zone(0, "cpu-0", "41500");
  LocalTelemetry some(folder_.path());
  supply("BAT0", "Battery", "");
  zone(0, "cpu-0", "");
  EXPECT_LT(some.read().battery, 0) << "while it is written anew";
  EXPECT_EQ(some.read().temperature_c, 0);
}

TEST_F(TelemetryTest, OnlyTheMachinesBatteriesCount) {
  say("power_supply/AC/online", "1");
  supply("ac", "Mains", "100");
  supply("usb", "USB", "100");
  supply("ups", "UPS", "100");
  supply("mouse", "Battery", "3");
  say("power_supply/mouse/scope", "Device");
  say("power_supply/half/capacity", "50");
  EXPECT_LT(read().battery, 0) << "on mains";
  supply("BAT0", "Battery", "80");
  EXPECT_EQ(read().battery, 0.8);
  supply("BAT1", "Battery", "20");
  EXPECT_DOUBLE_EQ(read().battery, 0.5);
  say("power_supply/BAT0/energy_full", "10000000");
  say("power_supply/BAT1/charge_full", "30000000");
  EXPECT_DOUBLE_EQ(read().battery, 0.5) << "in units of their own";
  say("power_supply/BAT1/energy_full", "30000000");
  EXPECT_DOUBLE_EQ(read().battery, 0.35);
  supply("BAT1", "Battery", "110");
  EXPECT_DOUBLE_EQ(read().battery, 0.95) << "more than full is full";
}

// A Qualcomm phone's, of which "soc" is the state of charge.
TEST_F(TelemetryTest, TheHottestCoreOfAPhoneIsItsTemperature) {
  const std::vector<std::pair<const char*, const char*>> zones = {
      {"battery", "95000"},        {"pm8350_tz", "99000"}, {"gpuss-0", "90000"},
      {"modem-lte-sub6", "97000"}, {"wlan", "98000"},      {"soc", "100"},
      {"skin-therm", "39000"},     {"cpuss-0", "61000"},   {"cpu-0-0", "58200"},
      {"cpu-1-3", "71300"},        {"aoss-0", "88000"},    {"cpu-1-2", "-273000"}};
  for (std::size_t i = 0; i < zones.size(); ++i)
    zone(static_cast<int>(i), zones[i].first, zones[i].second);
  say("thermal/cooling_device0/type", "cpu-freq");
  say("thermal/cooling_device0/temp", "99999");
  EXPECT_EQ(read().temperature_c, 71.3);
}

TEST_F(TelemetryTest, WhatIsLikestToTheProcessorCountsWhereItIsNotSaid) {
  const auto alone = [&](const char* type) {
    zone(7, type, "45000");
    return read().temperature_c == 45;
  };
  for (const char* type :
       {"cpu_thermal", "cpu-thermal", "mtktscpu", "BIG", "MID", "LITTLE", "x86_pkg_temp", "TCPU",
        "soc_thermal", "soc-thermal", "skin-therm", "quiet_therm", "acpitz"})
    EXPECT_TRUE(alone(type)) << type;
  for (const char* type : {"soc", "battery", "batt_therm", "pmic_thermal", "iwlwifi_1", "wifi0",
                           "charger_therm0", "usb", "mtktsgpu", "bigger", ""})
    EXPECT_FALSE(alone(type)) << type;
  zone(1, "acpitz", "27800");
  zone(2, "skin-therm", "36000");
  zone(3, "soc_thermal", "50000");
  EXPECT_EQ(read().temperature_c, 50);
  zone(4, "cpu-thermal", "48000");
  EXPECT_EQ(read().temperature_c, 48);
}

TEST_F(TelemetryTest, TakesTemperaturesInTheUnitThatTheyMustBeIn) {
  const auto reads = [&](const char* text) {
    zone(0, "cpu-0", text);
    return read().temperature_c;
  };
  EXPECT_EQ(reads("41500"), 41.5);
  EXPECT_EQ(reads("415"), 41.5);
  EXPECT_EQ(reads("41"), 41);
  EXPECT_EQ(reads("-5000"), -5);
  EXPECT_EQ(reads("105000"), 105);
  for (const char* wrong : {"0", "-40000", "-274000", "2147483647", "nonsense", "", "nan"})
    EXPECT_EQ(reads(wrong), 0) << wrong;
}

TEST_F(TelemetryTest, TellsTheMostMemoryOfThisProcess) {
  const LocalTelemetry telemetry(folder_.path());
  const double before = telemetry.peak_memory_bytes();
  EXPECT_GT(before, 1e5);
  const std::vector<char> more(std::size_t{64} << 20, 1);
  EXPECT_GE(telemetry.peak_memory_bytes(), 64.0 * (1 << 20));
  EXPECT_EQ(more.back(), 1);
}

}  // namespace
}  // namespace lingua::internal
