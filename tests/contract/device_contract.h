#pragma once
// What every implementation of Device promises, as tests.
//
// A world that wants to be tested implements ContractWorld, includes this file in one test source and
// instantiates the suite:
//   INSTANTIATE_TEST_SUITE_P(Simulated, DeviceContract, ::testing::Values(&simulated_world));
// Each test calls ContractWorld::run() once.

#include <algorithm>

#include "tests/contract/device_world.h"

namespace lingua::testing {

TEST_P(DeviceContract, MessagesOfOnePairArriveInTheOrderInWhichTheyWereSent) {
  static constexpr std::int64_t kMessages = 40;
  run({{"a",
        [](Device& device) {
          for (std::int64_t i = 0; i < kMessages; ++i) {
            device.send(kCoordinator, numbered(i, i % 3 == 0 ? 300'000 : i % 3 == 1 ? 0 : 1000));
          }
          wait_for_stop(device);
        }},
       {kCoordinator, [](Device& device) {
          for (std::int64_t i = 0; i < kMessages; ++i) {
            const auto message = next(device);
            if (!message) break;
            EXPECT_EQ(number_of(*message), i);
            EXPECT_EQ(message->from, "a");
          }
          stop_all(device, {"a"});
        }}});
}

TEST_P(DeviceContract, ReceiveGivesNothingWhenTheDeadlinePassesAndNotBefore) {
  run({{kCoordinator, [](Device& device) {
          for (const double wait : {0.0, 0.01, 0.05}) {
            const Seconds deadline = device.now() + Seconds(wait);
            EXPECT_FALSE(device.receive(deadline).has_value());
            EXPECT_GE(device.now(), deadline);
            EXPECT_LT(device.now(), deadline + Seconds(2));
          }
        }}});
}

TEST_P(DeviceContract, AMessageTellsItsSenderItsTimesAndItsSize) {
  run({{"a",
        [](Device& device) {
          EXPECT_EQ(device.spec().name, "a");
          device.send("b", numbered(0, 100'000));
          wait_for_stop(device);
        }},
       {"b",
        [](Device& device) {
          const Seconds before = device.now();
          const auto message = next(device);
          ASSERT_TRUE(message.has_value());
          EXPECT_EQ(message->from, "a");
          EXPECT_GE(message->wire_bytes, 100'000);
          EXPECT_LT(message->wire_bytes, 101'000);
          EXPECT_LE(message->sent, message->arrived);
          EXPECT_LE(message->arrived, device.now());
          EXPECT_GE(message->arrived, before - Seconds(60));
          device.send(kCoordinator, numbered(1, 0));
          wait_for_stop(device);
        }},
       {kCoordinator, [](Device& device) {
          EXPECT_TRUE(next(device).has_value());
          stop_all(device, {"a", "b"});
        }}});
}

TEST_P(DeviceContract, ALargeMessageArrivesWhole) {
  static constexpr std::int64_t kBytes = 24'000'000;
  run({{"a",
        [](Device& device) {
          device.send(kCoordinator, numbered(5, kBytes));
          wait_for_stop(device);
        }},
       {kCoordinator, [](Device& device) {
          const auto message = next(device);
          ASSERT_TRUE(message.has_value());
          const auto* got = std::get_if<Activations>(&message->body);
          ASSERT_NE(got, nullptr);
          const Tensor& tensor = got->tensors.at(0);
          ASSERT_EQ(tensor.bytes(), kBytes);
          ASSERT_TRUE(tensor.has_data());
          EXPECT_TRUE(std::all_of(tensor.data.get(), tensor.data.get() + kBytes,
                                  [](std::byte b) { return b == std::byte{5}; }));
          stop_all(device, {"a"});
        }}});
}

TEST_P(DeviceContract, ADeviceThatSendsToItselfHearsItself) {
  run({{kCoordinator, [](Device& device) {
          for (std::int64_t i = 0; i < 3; ++i) device.send(kCoordinator, numbered(i, 0));
          for (std::int64_t i = 0; i < 3; ++i) {
            const auto message = next(device);
            ASSERT_TRUE(message.has_value());
            EXPECT_EQ(message->from, kCoordinator);
            EXPECT_EQ(number_of(*message), i);
          }
        }}});
}

TEST_P(DeviceContract, ManySendersAreAllHeardEachInItsOrder) {
  static constexpr std::int64_t kEach = 25;
  const std::vector<DeviceName> names = {"a", "b", "c", "d"};
  Bodies bodies;
  for (const DeviceName& name : names) {
    bodies[name] = [](Device& device) {
      for (std::int64_t i = 0; i < kEach; ++i) device.send(kCoordinator, numbered(i, 20'000));
      wait_for_stop(device);
    };
  }
  bodies[kCoordinator] = [names](Device& device) {
    std::map<DeviceName, std::int64_t> heard;
    for (std::size_t i = 0; i < names.size() * kEach; ++i) {
      const auto message = next(device);
      if (!message) break;
      EXPECT_EQ(number_of(*message), heard[message->from]++) << "from " << message->from;
    }
    for (const DeviceName& name : names) EXPECT_EQ(heard[name], kEach);
    stop_all(device, names);
  };
  run(bodies);
}

TEST_P(DeviceContract, DevicesTalkToEachOtherDirectly) {
  const auto pass_on = [](const DeviceName& to) {
    return [to](Device& device) {
      const auto message = next(device);
      if (message) device.send(to, numbered(number_of(*message) + 1, 1000));
      wait_for_stop(device);
    };
  };
  run({{"a", pass_on("b")},
       {"b", pass_on("c")},
       {"c", pass_on(kCoordinator)},
       {kCoordinator, [](Device& device) {
          device.send("a", numbered(0, 1000));
          const auto message = next(device);
          ASSERT_TRUE(message.has_value());
          EXPECT_EQ(message->from, "c");
          EXPECT_EQ(number_of(*message), 3);
          stop_all(device, {"a", "b", "c"});
        }}});
}

TEST_P(DeviceContract, TheClockIsCommonAndNeverGoesBack) {
  static constexpr int kRounds = 20;
  run({{"a",
        [](Device& device) {
          for (int i = 0; i < kRounds; ++i) {
            const auto message = next(device);
            if (!message) return;
            EXPECT_GE(device.now() + clock_error(), message->sent);
            device.send(kCoordinator, numbered(i, 0));
          }
          wait_for_stop(device);
        }},
       {kCoordinator, [](Device& device) {
          Seconds last = device.now();
          EXPECT_GE(last, Seconds(0));
          for (int i = 0; i < kRounds; ++i) {
            const Seconds before = device.now();
            device.send("a", numbered(i, 0));
            const auto answer = next(device);
            if (!answer) return;
            EXPECT_GE(answer->sent + clock_error(), before);
            EXPECT_LE(answer->sent, device.now() + clock_error());
            EXPECT_GE(device.now(), last);
            last = device.now();
          }
          stop_all(device, {"a"});
        }}});
}

TEST_P(DeviceContract, TheCoordinatorHearsOfALostDeviceOnce) {
  run({{"a", [](Device& device) { device.receive(kNever); }},
       {"b", [](Device& device) { wait_for_stop(device); }},
       {kCoordinator,
        [](Device& device) {
          const auto lost = next_loss(device, device.now() + Seconds(30));
          ASSERT_TRUE(lost.has_value());
          EXPECT_EQ(lost->from, "a");
          EXPECT_FALSE(std::get<PeerLost>(lost->body).reason.empty());
          EXPECT_LE(lost->arrived, device.now());
          EXPECT_FALSE(next_loss(device, device.now() + Seconds(0.5)).has_value());
          stop_all(device, {"b"});
        }}},
      {{"a", Seconds(0.3)}});
}

TEST_P(DeviceContract, SendingToALostDeviceDoesNothing) {
  run({{"a", [](Device& device) { device.receive(kNever); }},
       {"b",
        [](Device& device) {
          const auto message = next(device);
          if (message) device.send(kCoordinator, numbered(number_of(*message) + 1, 0));
          wait_for_stop(device);
        }},
       {kCoordinator,
        [](Device& device) {
          ASSERT_TRUE(next_loss(device, device.now() + Seconds(30)).has_value());
          for (std::int64_t i = 0; i < 10; ++i) device.send("a", numbered(i, 10'000));
          device.send("b", numbered(41, 0));
          const auto answer = next(device);
          ASSERT_TRUE(answer.has_value());
          EXPECT_EQ(number_of(*answer), 42);
          stop_all(device, {"b"});
        }}},
      {{"a", Seconds(0.3)}});
}

TEST_P(DeviceContract, SendingToANameThatTheClusterDoesNotHaveIsABug) {
  run({{kCoordinator, [](Device& device) { EXPECT_ANY_THROW(device.send("nobody", Stop{})); }}});
}

}  // namespace lingua::testing
