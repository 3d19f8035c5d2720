#include "runtime/measure/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lingua {
namespace {

using ::testing::HasSubstr;

Measurement two_devices() {
  Measurement measurement;
  for (const char* name : {"a", "b"}) {
    DeviceFigures device;
    device.name = name;
    device.cores = 8;
    device.best = {4, {4, 5, 6, 7}};
    device.tried = {{{2, {6, 7}}, {{11e9, 0, 8}, {8e9, 0, 8}}},
                    {{4, {4, 5, 6, 7}}, {{20e9, 0, 8}, {9e9, 0, 8}}}};
    device.by_dtype[DType::kFloat32] = {{20.1234e9, 0.031, 8}, {9.87654e9, 0, 8}};
    device.by_dtype[DType::kBFloat16] = {{31e9, 0, 8}, {10e9, 0, 8}};
    device.overhead_s = {23e-6, 0.1, 8};
    device.memory_bytes = 3.9e9;
    measurement.devices.push_back(device);
  }
  for (const auto& ends : {std::pair<DeviceName, DeviceName>{"a", "b"},
                           {"b", "a"},
                           {"a", kCoordinator},
                           {kCoordinator, "a"},
                           {"b", kCoordinator},
                           {kCoordinator, "b"}}) {
    measurement.links[ends] = {{5e6, 0.02, 4}, {2.5e-3, 0.05, 15}, Figure{9e-3, 0, 15}, 40e-6};
  }
  measurement.alone_bytes_per_s = 1e7;
  measurement.together_bytes_per_s = 1e7;
  return measurement;
}

TEST(FigureTest, IsTheMedianAndHowFarSamplesLieApart) {
  const Figure figure = figure_of({5, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11});
  EXPECT_EQ(figure.value, 6);
  EXPECT_NEAR(figure.spread, 4.0 / 6, 1e-12);
  EXPECT_EQ(figure.samples, 11);
  EXPECT_EQ(figure_of({}).samples, 0);
}

TEST(ClusterFileOf, IsReadAgainAsWhatWasMeasured) {
  const Measurement measurement = two_devices();
  const std::string text = cluster_file_of(measurement, "lab", "a test");
  const ClusterSpec again = parse_cluster(text, "lab.yaml");
  const ClusterSpec direct = cluster_of(measurement, "lab");
  EXPECT_EQ(again.name, "lab");
  EXPECT_EQ(again.source, "a test");
  ASSERT_EQ(again.devices.size(), 2U);
  for (const DeviceSpec& device : direct.devices) {
    const DeviceSpec& found = again.device(device.name);
    EXPECT_NEAR(found.flops_per_s, device.flops_per_s, 1e-4 * device.flops_per_s);
    EXPECT_NEAR(found.memory_bytes_per_s, device.memory_bytes_per_s, 1e-4 * 1e10);
    EXPECT_EQ(found.memory_bytes, device.memory_bytes);
    EXPECT_EQ(found.computing, (Computing{4, {4, 5, 6, 7}}));
    EXPECT_EQ(found.cores, 8);
    EXPECT_NEAR(found.overhead.count(), 23e-6, 1e-12);
    EXPECT_EQ(found.in_dtype(DType::kBFloat16).flops_per_s, 31e9);
  }
  EXPECT_EQ(again.links.size(), 6U);
  EXPECT_EQ(again.link("b", kCoordinator).bytes_per_s, 5e6);
  EXPECT_EQ(again.link("b", kCoordinator).latency, Seconds(2.5e-3));
  EXPECT_EQ(again.shared_bytes_per_s, 0);
}

TEST(ClusterFileOf, TellsHowFarSamplesLieApartAndWhatAClusterDoesNotHave) {
  const std::string text = cluster_file_of(two_devices(), "lab", "a test");
  EXPECT_THAT(text, HasSubstr("compute: 20.123 GFLOP/s  # +-3.1 %\n"));
  EXPECT_THAT(text, HasSubstr("    # threads 2 on 6-7: 11 GFLOP/s, 8 GB/s\n"));
  EXPECT_THAT(text, HasSubstr("    threads: 4\n    cpus: 4-7\n"));
  EXPECT_THAT(text, HasSubstr("9 ms under load"));
  EXPECT_THAT(text, HasSubstr("40 us a message"));
}

TEST(ClusterFileOf, HasAMediumWhereAllTogetherCarryLess) {
  Measurement measurement = two_devices();
  measurement.together_bytes_per_s = 5.5e6;
  EXPECT_TRUE(measurement.has_medium());
  const ClusterSpec again =
      parse_cluster(cluster_file_of(measurement, "lab", "a test"), "lab.yaml");
  EXPECT_EQ(again.shared_bytes_per_s, 5.5e6);
  measurement.together_bytes_per_s = 0;
  EXPECT_FALSE(measurement.has_medium()) << "it was not seen";
}

}  // namespace
}  // namespace lingua
