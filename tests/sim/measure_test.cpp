// A modelled cluster that is measured gives back the numbers of its file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/engine/worker.h"
#include "runtime/measure/measure_cluster.h"
#include "runtime/net/wire.h"
#include "sim/cluster/sim_cluster.h"
#include "tests/stress/decorated.h"

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
  ClusterSpec model =
      load_cluster(std::string(LINGUA_SOURCE_FOLDER) + "/platforms/measured-five.yaml");
  for (DeviceSpec& device : model.devices) device.core_kinds = {{7}, {4, 5, 6}, {0, 1, 2, 3}};
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

// What a device answers to an exercise that it does not do; nothing: it says nothing.
using Answer = std::function<std::optional<Exercised>(const DeviceName&, const Exercise&)>;

// Does all but its exercises, which it answers as it likes.
class Pretender : public testing::Decorated {
 public:
  Pretender(Device& inner, Answer answer) : Decorated(inner), answer_(std::move(answer)) {}
  std::optional<Message> receive(Seconds deadline) override {
    while (true) {
      auto message = inner_.receive(deadline);
      const auto* order = message ? std::get_if<Exercise>(&message->body) : nullptr;
      if (order == nullptr) return message;
      if (const auto said = answer_(name(), *order)) inner_.send(message->from, *said);
    }
  }

 private:
  const Answer answer_;
};

// Of two devices, of which those that `pretends` names answer so.
Measurement measured_with(const Answer& answer, const std::set<DeviceName>& pretends = {"b"},
                          bool quick = true, const std::vector<Cores>& core_kinds = {}) {
  ClusterSpec model = unequal();
  model.devices.resize(2);
  model.devices[1].core_kinds = core_kinds;
  model.links.clear();
  SimCluster sim(model, {wire_bytes, [](const DeviceSpec&) { return make_shape_executor(); }});
  for (const DeviceSpec& device : model.devices) {
    sim.start(device.name, [&](Device& self) {
      if (pretends.count(self.name()) == 0) return run_worker(self, {});
      Pretender pretender(self, answer);
      run_worker(pretender, {});
    });
  }
  Measurement result;
  sim.start(kCoordinator, [&](Device& self) {
    std::exception_ptr error;
    try {
      result = measure_cluster(self, {model.devices, quick, {}});
    } catch (const WorldError&) {
      error = std::current_exception();
    }
    for (const DeviceSpec& device : model.devices) self.send(device.name, Stop{});
    if (error) std::rethrow_exception(error);
  });
  sim.run();
  return result;
}

std::string trouble_with(const std::function<std::optional<Exercised>(const Exercise&)>& answer) {
  try {
    measured_with([&](const DeviceName&, const Exercise& order) { return answer(order); });
  } catch (const WorldError& error) {
    return error.what();
  }
  return "";
}

// Of a device with such a speed.
Exercised reached(const Exercise& order, double flops_per_s, double memory_bytes_per_s) {
  const Work work = work_of({order.kind, order.dtype, 1});
  const double time_s = order.kind == ExertionKind::kProducts  ? work.flops / flops_per_s
                        : order.kind == ExertionKind::kWeights ? work.bytes / memory_bytes_per_s
                                                               : 1e-5;
  return {order.number, {time_s, time_s, time_s}, {1, 1, 1}, 1e9, ""};
}

TEST(Measure, FindsTheThreadsAndCoresThatAreBest) {
  const std::map<Cores, double> speed_of = {{{7}, 10},
                                            {{4, 5, 6}, 7},
                                            {{4, 5, 6, 7}, 6.5},
                                            {{0, 1, 2, 3}, 2},
                                            {{0, 1, 2, 3, 4, 5, 6, 7}, 2.5}};
  const Computing best{4, {4, 5, 6, 7}};
  std::vector<Computing> after_trials;
  const Measurement result = measured_with(
      [&](const DeviceName&, const Exercise& order) {
        if (order.dtype != DType::kFloat32) after_trials.push_back(order.computing);
        const double speed = order.computing.threads == 0
                                 ? 1
                                 : speed_of.at(order.computing.cores) * order.computing.threads;
        return reached(order, speed * 1e9, speed * 1e8);
      },
      {"b"}, true, {{7}, {4, 5, 6}, {0, 1, 2, 3}});
  const DeviceFigures& figures = result.devices.at(1);
  EXPECT_EQ(figures.best, best);
  EXPECT_THAT(after_trials,
              ::testing::AllOf(::testing::Not(::testing::IsEmpty()), ::testing::Each(best)));
  EXPECT_EQ(figures.tried.size(), 9U);
  EXPECT_NEAR(figures.tried.front().speed.flops_per_s.value, 10e9, 1e3) << "one thread on 7";
  EXPECT_NEAR(figures.by_dtype.at(DType::kFloat32).flops_per_s.value, 26e9, 1e3);
  const DeviceSpec again =
      parse_cluster(cluster_file_of(result, "again", "a test"), "again.yaml").devices.at(1);
  EXPECT_EQ(again.computing, best);
}

// Their machine is busy for the time of two thirds of a round, whatever they do.
TEST(Measure, WhatSlowsAllDownForAMomentIsNoDevicesSpeed) {
  constexpr int kFirst = 9;
  constexpr int kLast = 16;
  int in_rounds = 0;
  const Measurement result = measured_with(
      [&](const DeviceName&, const Exercise& order) {
        const bool is_of_round = order.time == Seconds(0.2);
        if (is_of_round) ++in_rounds;
        const bool is_slow = is_of_round && in_rounds >= kFirst && in_rounds <= kLast;
        return reached(order, is_slow ? 1e9 : 20e9, is_slow ? 1e9 : 5e9);
      },
      {"a", "b"}, false);
  EXPECT_GT(in_rounds, 2 * kLast);
  for (const DeviceFigures& device : result.devices) {
    for (const auto& [dtype, speed] : device.by_dtype) {
      EXPECT_NEAR(speed.flops_per_s.value, 20e9, 1e6) << device.name << dtype_name(dtype);
      EXPECT_NEAR(speed.memory_bytes_per_s.value, 5e9, 1e6) << device.name << dtype_name(dtype);
    }
  }
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
