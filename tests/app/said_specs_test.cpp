#include "runtime/app/said_specs.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace lingua {
namespace {

ClusterSpec pair_of_phones() {
  ClusterSpec cluster;
  cluster.devices = {{"a", 20e9, 10e9, 4e9, 4, Seconds(1e-3), 3, 50e3, 1},
                     {"b", 20e9, 10e9, 4e9, 4, Seconds(1e-3), 3, 50e3, 1}};
  return cluster;
}

TEST(SaidSpecs, OnlyWhatIsKnownAndDiffersIsShown) {
  const ClusterSpec file = pair_of_phones();
  DeviceSpec a{"a", 0, 0, 3.9e9, 8, Seconds(0)};
  EXPECT_EQ(differences_text(file, {a}), "") << "nearly the same memory, and else it knows nothing";
  a.memory_bytes = 1e9;
  a.charge = 0.4;
  EXPECT_EQ(differences_text(file, {a, {"stranger", 1, 1, 1}}),
            "a says: memory 1.00 GB (the cluster file: 4.00 GB), charge 40.0 % (the cluster file: "
            "100 %)\n");
}

TEST(SaidSpecs, ThePlansClusterTakesWhatDevicesKnow) {
  DeviceSpec a{"a", 0, 5e9, 1e9, 8, Seconds(0)};
  a.charge = 0.4;
  a.computing.threads = 2;
  const ClusterSpec said = as_said(pair_of_phones(), {a, {"stranger", 1, 1, 1}});
  ASSERT_EQ(said.devices.size(), 2U);
  EXPECT_EQ(said.devices[0].flops_per_s, 20e9) << "the file's: the device does not know";
  EXPECT_EQ(said.devices[0].memory_bytes_per_s, 5e9);
  EXPECT_EQ(said.devices[0].memory_bytes, 1e9);
  EXPECT_EQ(said.devices[0].overhead, Seconds(1e-3));
  EXPECT_EQ(said.devices[0].charge, 0.4);
  EXPECT_EQ(said.devices[0].computing.threads, 2);
  EXPECT_EQ(said_json({a})["a"]["threads"], 2);
  EXPECT_EQ(said.devices[1].memory_bytes, 4e9);
}

TEST(SaidSpecs, AChargeThatIsNotKnownIsNeitherFullNorShown) {
  ClusterSpec file = pair_of_phones();
  file.devices[0].charge = 0.3;
  DeviceSpec a{"a", 0, 0, 4e9, 4, Seconds(0)};
  a.charge = -1;
  EXPECT_EQ(differences_text(file, {a}), "");
  EXPECT_EQ(as_said(file, {a}).devices[0].charge, 0.3);
  EXPECT_FALSE(said_json({a})["a"].contains("charge"));
}

TEST(SaidSpecs, WhoTakesNoConnectionsIsPlannedForWhomeverOneTrusts) {
  ClusterSpec file = pair_of_phones();
  file.default_link = {2e6, Seconds(0.01)};
  DeviceSpec a{"a", 0, 0, 1e9, 4, Seconds(0)};
  EXPECT_EQ(newly_relayed(file, {a}), "");
  EXPECT_EQ(as_reached(file, {a}).link("b", "a").bytes_per_s, 2e6);
  a.relayed = true;
  EXPECT_EQ(newly_relayed(file, {a, {"stranger", 1, 1, 1}}), "a");
  const ClusterSpec reached = as_reached(file, {a});
  EXPECT_DOUBLE_EQ(reached.link("b", "a").bytes_per_s, 1e6);
  EXPECT_EQ(reached.devices[0].memory_bytes, 4e9) << "nothing else of what it says";
  EXPECT_EQ(newly_relayed(reached, {a}), "") << "it is known";
  EXPECT_DOUBLE_EQ(as_said(file, {a}).link("b", "a").bytes_per_s, 1e6);
  EXPECT_EQ(said_json({a})["a"]["relayed"], true);
}

}  // namespace
}  // namespace lingua
