#include "runtime/device/drawn_cluster.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/device/spec.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

std::string kind_of(const DeviceSpec& phone) { return phone.name.substr(0, phone.name.rfind('-')); }

ClusterSpec measured() {
  return load_cluster(std::filesystem::path(LINGUA_PLATFORMS) / "measured-five.yaml");
}

TEST(DrawnCluster, MayBeDrawnByTheSeedOfTheRequest) {
  EXPECT_EQ(with_seed("drawn:8:seed", 7), "drawn:8:7");
  EXPECT_EQ(with_seed("drawn:8:seed:crowded", 0), "drawn:8:0:crowded");
  for (const char* other : {"drawn:8", "drawn:8:3", "drawn:8:seeds", "my:seed", "drawn:8:crowded"})
    EXPECT_EQ(with_seed(other, 7), other);
}

TEST(DrawnCluster, IsLoadedWhereAFileIs) {
  const ClusterSpec cluster = load_cluster("drawn:16:7");
  EXPECT_EQ(cluster.name, "drawn-16-7-good");
  EXPECT_EQ(cluster.devices.size(), 16u);
  EXPECT_EQ(cluster.shared_bytes_per_s, 40e6);
  EXPECT_EQ(cluster.default_link.bytes_per_s, 40e6);
  EXPECT_DOUBLE_EQ(cluster.default_link.latency.count(), 2e-3);
  EXPECT_TRUE(cluster.header.empty());
  EXPECT_EQ(cluster_text("drawn:16:7"), drawn_cluster("drawn:16:7:good"));
  EXPECT_EQ(drawn_cluster("drawn:3"), drawn_cluster("drawn:3:1:good"));
  EXPECT_EQ(load_cluster("drawn:1:1:crowded").devices.size(), 1u);
  EXPECT_EQ(load_cluster("drawn:1000").devices.size(), 1000u);
}

TEST(DrawnCluster, HasTheMeasuredPhonesWithTheirMemory) {
  const ClusterSpec all = measured();
  std::map<std::string, int> seen;
  for (const DeviceSpec& phone : load_cluster("drawn:1000:3").devices) {
    const DeviceSpec& original = all.device(kind_of(phone));
    ++seen[original.name];
    EXPECT_EQ(phone.memory_bytes, original.memory_bytes);
    EXPECT_EQ(phone.power_w, original.power_w);
    EXPECT_EQ(phone.battery_j, original.battery_j);
    EXPECT_EQ(phone.cores, original.cores);
    EXPECT_NEAR(phone.memory_bytes_per_s / original.memory_bytes_per_s,
                phone.flops_per_s / original.flops_per_s, 1e-3);
  }
  ASSERT_EQ(seen.size(), 5u);
  for (const auto& [kind, times] : seen) EXPECT_NEAR(times, 200, 55) << kind;  // four deviations
}

TEST(DrawnCluster, SpreadsSpeedsAsItSays) {
  const ClusterSpec all = measured();
  double sum = 0;
  double squares = 0;
  for (const DeviceSpec& phone : load_cluster("drawn:1000:5").devices) {
    const double log = std::log(phone.flops_per_s / all.device(kind_of(phone)).flops_per_s);
    sum += log;
    squares += log * log;
  }
  EXPECT_NEAR(sum / 1000, 0, 0.026);  // four standard errors
  EXPECT_NEAR(std::sqrt(squares / 1000), kSpeedSpread, 0.018);
}

TEST(DrawnCluster, OnCrowdedWifiHasLinksThatWereMeasured) {
  const ClusterSpec all = measured();
  std::set<std::pair<double, double>> known;
  for (const auto& [ends, link] : all.links) known.insert({link.bytes_per_s, link.latency.count()});
  ASSERT_EQ(known.size(), 20u);
  const ClusterSpec cluster = load_cluster("drawn:20:2:crowded");
  ASSERT_EQ(cluster.links.size(), 20u * 19u);
  EXPECT_EQ(cluster.shared_bytes_per_s, 0);
  std::set<std::pair<double, double>> seen;
  for (const auto& [ends, link] : cluster.links)
    seen.insert({link.bytes_per_s, link.latency.count()});
  EXPECT_EQ(seen, known) << "380 draws of 20 miss one in three of a billion seeds";
  EXPECT_EQ(cluster.default_link.bytes_per_s, all.default_link.bytes_per_s);
  EXPECT_EQ(cluster.default_link.latency, all.default_link.latency);
}

TEST(DrawnCluster, OfMoreBeginsAsOneOfFewerAndOfOtherWifiHasTheSamePhones) {
  const ClusterSpec few = load_cluster("drawn:6:9:crowded");
  const ClusterSpec many = load_cluster("drawn:12:9:crowded");
  const ClusterSpec good = load_cluster("drawn:6:9:good");
  for (std::size_t i = 0; i < few.devices.size(); ++i) {
    EXPECT_EQ(few.devices[i].name, many.devices[i].name);
    EXPECT_EQ(few.devices[i].flops_per_s, many.devices[i].flops_per_s);
    EXPECT_EQ(few.devices[i].flops_per_s, good.devices[i].flops_per_s);
  }
  for (const auto& [ends, link] : few.links)
    EXPECT_EQ(many.link(ends.first, ends.second).latency, link.latency);
}

TEST(DrawnCluster, DependsOnItsSeedAndOnNothingElse) {
  EXPECT_NE(drawn_cluster("drawn:4:1"), drawn_cluster("drawn:4:2"));
  EXPECT_EQ(checksum(drawn_cluster("drawn:1000:42")), 10490001044178526344ULL);
  EXPECT_EQ(checksum(drawn_cluster("drawn:100:42:crowded")), 8213337114269356909ULL);
}

TEST(DrawnCluster, RefusesWhatItDoesNotKnow) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      load_cluster(text);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing";
  };
  for (const auto& [text, why] : std::map<std::string, std::string>{
           {"drawn:", "COUNT '' is no whole number"},
           {"drawn:x", "COUNT 'x' is no whole number"},
           {"drawn:0", "COUNT is from 1 to 1000 on good Wi-Fi"},
           {"drawn:1001", "COUNT is from 1 to 1000"},
           {"drawn:101:1:crowded", "COUNT is from 1 to 100 on crowded Wi-Fi"},
           {"drawn:-3", "COUNT '-3' is no whole number"},
           {"drawn:3:", "SEED '' is no whole number"},
           {"drawn:3:1.5", "SEED '1.5' is no whole number"},
           {"drawn:3:99999999999999999999", "SEED '99999999999999999999' is no whole number"},
           {"drawn:3:1:bad\x1b", "WIFI 'bad\\x1b' is neither good nor crowded"},
           {"drawn:3:1:good:2", "has too many fields"}}) {
    EXPECT_THAT(refusal(text), HasSubstr(why)) << text;
    EXPECT_THAT(refusal(text), HasSubstr("write drawn:COUNT[:SEED[:WIFI]]")) << text;
  }
}

}  // namespace
}  // namespace lingua
