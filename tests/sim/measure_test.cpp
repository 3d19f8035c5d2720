// A modelled cluster that is measured gives back the numbers of its file.

#include <gtest/gtest.h>

#include "runtime/engine/worker.h"
#include "runtime/measure/measure_cluster.h"
#include "runtime/net/wire.h"
#include "sim/cluster/sim_cluster.h"

namespace lingua {
namespace {

constexpr double kExact = 0.01;

Measurement measured(const ClusterSpec& cluster, bool quick = false) {
  SimCluster sim(cluster, {wire_bytes, [](const DeviceSpec&) { return make_shape_executor(); }});
  for (const DeviceSpec& device : cluster.devices)
    sim.start(device.name, [](Device& self) { run_worker(self, {}); });
  Measurement result;
  sim.start(kCoordinator, [&](Device& self) {
    result = measure_cluster(self, {cluster.devices, quick, {}});
    for (const DeviceSpec& device : cluster.devices) self.send(device.name, Stop{});
  });
  sim.run();
  return result;
}

void expect_near(double measured, double modelled, const std::string& what) {
  EXPECT_NEAR(measured, modelled, kExact * modelled) << what;
}

// Two FLOPs for each weight: where a device does not compute them as fast as it reads, it reads no faster.
double reads(const DeviceSpec& device, DType dtype) {
  return std::min(device.memory_bytes_per_s,
                  device.flops_per_s / 2 * static_cast<double>(dtype_bytes(dtype)));
}

// What is written is read again, and is the cluster that was modelled. Latencies are half of what there and back take.
void expect_same(const Measurement& measurement, const ClusterSpec& model) {
  const ClusterSpec again =
      parse_cluster(cluster_file_of(measurement, "again", "a test"), "again.yaml");
  ASSERT_EQ(again.devices.size(), model.devices.size());
  for (const DeviceSpec& device : model.devices) {
    const DeviceSpec& found = again.device(device.name);
    expect_near(found.flops_per_s, device.flops_per_s, device.name + " compute");
    expect_near(found.memory_bytes_per_s, reads(device, DType::kFloat32), device.name + " reads");
    expect_near(found.memory_bytes, device.memory_bytes, device.name + " memory");
    expect_near(found.overhead.count(), device.overhead.count(), device.name + " overhead");
    EXPECT_EQ(found.cores, device.cores);
    for (const DType dtype : {DType::kBFloat16, DType::kInt8}) {
      expect_near(found.in_dtype(dtype).flops_per_s, device.in_dtype(dtype).flops_per_s,
                  device.name + " compute in " + dtype_name(dtype));
      expect_near(found.in_dtype(dtype).memory_bytes_per_s, reads(device.in_dtype(dtype), dtype),
                  device.name + " reads in " + dtype_name(dtype));
    }
  }
  for (const auto& [ends, link] : measurement.links) {
    const auto& [from, to] = ends;
    const std::string what = from + " to " + to;
    const LinkSpec found = again.link(from, to);
    expect_near(found.bytes_per_s, model.link(from, to).bytes_per_s, what + " bandwidth");
    expect_near(found.latency.count(),
                (model.link(from, to).latency + model.link(to, from).latency).count() / 2,
                what + " latency");
    EXPECT_LT(link.message_s, 1e-6) << what << ": a message costs its bytes alone";
  }
  expect_near(again.shared_bytes_per_s, model.shared_bytes_per_s, "medium");
}

DeviceSpec device(const DeviceName& name, double flops_per_s, double memory_bytes_per_s) {
  DeviceSpec spec;
  spec.name = name;
  spec.flops_per_s = flops_per_s;
  spec.memory_bytes_per_s = memory_bytes_per_s;
  spec.memory_bytes = 2.5e9;
  spec.cores = 8;
  spec.overhead = Seconds(25e-6);
  return spec;
}

ClusterSpec unequal() {
  ClusterSpec cluster;
  cluster.name = "unequal";
  cluster.devices = {device("a", 50e9, 20e9), device("b", 17e9, 5e9), device("c", 8e9, 3e9)};
  cluster.devices[0].by_dtype = {{DType::kBFloat16, {90e9, 21e9}}, {DType::kInt8, {60e9, 15e9}}};
  cluster.default_link = {20e6, Seconds(4e-3)};
  cluster.links[{"a", "b"}] = cluster.links[{"b", "a"}] = {5e6, Seconds(12e-3)};
  cluster.links[{"c", kCoordinator}] = {1e6, Seconds(30e-3)};
  return cluster;
}

TEST(Measure, GivesBackTheNumbersOfAModelledCluster) {
  const ClusterSpec model = unequal();
  const Measurement result = measured(model);
  expect_same(result, model);
  EXPECT_FALSE(result.has_medium());
}

TEST(Measure, QuicklyToo) { expect_same(measured(unequal(), true), unequal()); }

TEST(Measure, SeesThatAMediumIsShared) {
  ClusterSpec model = unequal();
  model.links.clear();
  model.shared_bytes_per_s = 20e6;
  const Measurement result = measured(model);
  expect_same(result, model);
  EXPECT_TRUE(result.has_medium());
}

TEST(Measure, OfFivePhonesTakesLessThanTwoMinutes) {
  const ClusterSpec model =
      load_cluster(std::string(LINGUA_SOURCE_FOLDER) + "/platforms/measured-five.yaml");
  const Measurement result = measured(model);
  expect_same(result, model);
  EXPECT_LT(result.took, Seconds(120));
}

TEST(Measure, OfOneDeviceHasItsLinksToTheCoordinator) {
  ClusterSpec model = unequal();
  model.devices.resize(1);
  model.links.clear();
  const Measurement result = measured(model);
  expect_same(result, model);
  EXPECT_EQ(result.links.size(), 2U);
}

// A device that says something else than what it is.
Measurement measured_with(
    const std::function<std::optional<MessageBody>(const Exercise&)>& answer) {
  ClusterSpec model = unequal();
  model.devices.resize(2);
  model.links.clear();
  SimCluster sim(model, {wire_bytes, [](const DeviceSpec&) { return make_shape_executor(); }});
  sim.start("a", [](Device& self) { run_worker(self, {}); });
  sim.start("b", [&](Device& self) {
    while (const auto message = self.receive(kNever)) {
      if (std::holds_alternative<Stop>(message->body)) return;
      const auto* order = std::get_if<Exercise>(&message->body);
      const auto said = order != nullptr ? answer(*order) : std::nullopt;
      if (said) self.send(kCoordinator, *said);
    }
  });
  Measurement result;
  sim.start(kCoordinator, [&](Device& self) {
    std::exception_ptr error;
    try {
      result = measure_cluster(self, {model.devices, true, {}});
    } catch (const WorldError&) {
      error = std::current_exception();
    }
    for (const DeviceSpec& device : model.devices) self.send(device.name, Stop{});
    if (error) std::rethrow_exception(error);
  });
  sim.run();
  return result;
}

std::string trouble_with(const std::function<std::optional<MessageBody>(const Exercise&)>& answer) {
  try {
    measured_with(answer);
  } catch (const WorldError& error) {
    return error.what();
  }
  return "";
}

class MeasureNonsense : public ::testing::TestWithParam<double> {};

TEST_P(MeasureNonsense, NamesTheDeviceThatSaysSo) {
  const double time_s = GetParam();
  const std::string what = trouble_with([&](const Exercise& order) {
    return Exercised{order.number, {time_s, time_s, time_s}, {1, 1, 1}, 0, ""};
  });
  EXPECT_NE(what.find("device 'b' answers nonsense: it computes"), std::string::npos) << what;
}

INSTANTIATE_TEST_SUITE_P(Times, MeasureNonsense, ::testing::Values(0.0, -1.0, 1e9, 1e-300));

TEST(Measure, NamesTheDeviceThatSaysNothing) {
  const std::string what = trouble_with([](const Exercise& order) {
    return Exercised{order.number, {}, {}, 0, ""};
  });
  EXPECT_NE(what.find("device 'b' answers nonsense: no times"), std::string::npos) << what;
}

TEST(Measure, NamesTheDeviceThatDoesNotAnswer) {
  const std::string what = trouble_with([](const Exercise&) { return std::nullopt; });
  EXPECT_NE(what.find("device 'b' has not answered for 60"), std::string::npos) << what;
}

TEST(Measure, SaysWhyADeviceCannotBeMeasured) {
  const std::string what = trouble_with([](const Exercise& order) {
    return Exercised{order.number, {}, {}, 0, "no memory is left"};
  });
  EXPECT_EQ(what, "device 'b' cannot be measured: no memory is left");
}

}  // namespace
}  // namespace lingua
