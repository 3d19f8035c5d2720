#include "runtime/net/telemetry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

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

  const TemporaryFolder folder_;
};

TEST_F(TelemetryTest, ReadsTheBatteryAndTheTemperatureAsTheyChange) {
  say("power_supply/AC/online", "1");
  say("power_supply/BAT0/capacity", "64");
  say("power_supply/mouse/scope", "Device");
  say("power_supply/mouse/capacity", "3");
  say("thermal/thermal_zone0/temp", "41500");
  LocalTelemetry telemetry(folder_.path());
  EXPECT_EQ(telemetry.read().battery, 0.64);
  EXPECT_EQ(telemetry.read().temperature_c, 41.5);
  say("power_supply/BAT0/capacity", "9");
  EXPECT_EQ(telemetry.read().battery, 0.09);
}

TEST_F(TelemetryTest, SaysWhatIsNotThereAsNotKnown) {
  LocalTelemetry none(folder_.path());
  EXPECT_LT(none.read().battery, 0);
  EXPECT_EQ(none.read().temperature_c, 0);
  say("power_supply/BAT0/capacity", "40");
  LocalTelemetry some(folder_.path());
  say("power_supply/BAT0/capacity", "");
  EXPECT_LT(some.read().battery, 0) << "while it is written anew";
}

}  // namespace
}  // namespace lingua::internal
