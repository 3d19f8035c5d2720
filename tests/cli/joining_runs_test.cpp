// Devices that join real runs in the middle: late, or again after they were lost.

#include <signal.h>

#include "tests/cli/network_run_fixture.h"

namespace lingua::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class JoiningRuns : public NetworkRun {
 protected:
  JoiningRuns() { max_tokens_ = "1000"; }
  // Of which neither holds the model alone.
  void make_small() {
    write("pair.yaml",
          "name: pair\ndevices:\n"
          "  - {name: left, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 MB}\n"
          "  - {name: right, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 MB}\n"
          "links: {default: {bandwidth: 10 MB/s, latency: 1 ms}}\n");
  }
  void come(const std::string& name, const std::vector<std::string>& saying = {}) {
    workers_[name] = std::make_unique<Program>(
        lingua_command(std::vector<std::string>{"worker", "--coordinator", address_, "--name", name,
                                                "--insecure"} +
                       saying));
  }
  // Alone, left computes a tenth as fast as right would if it is as fast as this.
  // `to_right`: how fast the coordinator reaches it; left does with 1 GB/s.
  void make_slow(const std::string& compute, const std::string& memory_bandwidth,
                 const std::string& to_right = "1 GB/s") {
    write("pair.yaml",
          "name: pair\ndevices:\n"
          "  - {name: left, compute: 1 GFLOP/s, memory_bandwidth: 0.5 GB/s, memory: 1 GB}\n"
          "  - {name: right, compute: " +
              compute + ", memory_bandwidth: " + memory_bandwidth +
              ", memory: 1 GB}\n"
              "links:\n"
              "  default: {bandwidth: 1 GB/s, latency: 10 us}\n"
              "  between:\n"
              "    - {from: coordinator, to: right, bandwidth: " +
              to_right + ", latency: 10 us}\n");
    planner_ = "dp";
    max_tokens_ = "4000";  // some seconds, in which right starts and joins
  }
  void expect_said(const std::string& what) {
    ASSERT_TRUE(eventually([&] {
      return run_->err().find(what) != std::string::npos || !run_->running();
    })) << run_->err();
    ASSERT_THAT(run_->err(), HasSubstr(what));
  }
  nlohmann::json expect_the_same_tokens() {
    const Outcome outcome = run_->wait(seconds(120));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    nlohmann::json run = outcome.json();
    const nlohmann::json whole =
        lingua({"run", "--local", "--workers", "1", "--model", tiny_model(), "--max-tokens",
                max_tokens_, "--ignore-eos", "--json"})
            .json();
    EXPECT_EQ(run["requests"][0]["tokens"], whole["requests"][0]["tokens"]);
    return run;
  }

  std::map<std::string, std::unique_ptr<Program>> workers_;
};

TEST_F(JoiningRuns, OneThatComesLateIsUsedWhereThatPays) {
  make_slow("100 GFLOP/s", "50 GB/s", "100 MB/s");
  start({"--insecure", "--ignore-eos", "--start-with", "1"});
  come("left");
  expect_said("planned without right, which may join later");
  expect_said("answering");
  come("right", {"--weight-cache", "off"});  // which left has filled
  expect_said("right has joined");
  const nlohmann::json run = expect_the_same_tokens();
  ASSERT_EQ(run["joins"].size(), 1U);
  EXPECT_EQ(run["joins"][0]["device"], "right");
  EXPECT_TRUE(run["joins"][0]["first_use_s"].is_number()) << run["joins"];
  ASSERT_EQ(run["moves"].size(), 1U);
  const auto& move = run["moves"][0];
  EXPECT_GT(move["weights_from"].value("left", 0.0), move["weights_bytes"].get<double>() / 2)
      << move;
}

TEST_F(JoiningRuns, WhatOneThatComesLateSaysOfItselfCountsWhereDevicesAreTrusted) {
  make_slow("1 MFLOP/s", "1 MB/s");  // by the file nobody would use right
  start({"--insecure", "--ignore-eos", "--start-with", "1", "--trust", "devices"});
  come("left", {"--memory", "1 GB"});
  expect_said("answering");
  come("right", {"--probe", "--memory-bandwidth", "50 GB/s"});
  expect_said("FLOP/s (the cluster file: 1.00 MFLOP/s)");
  expect_said("planned with this from now on");
  const nlohmann::json run = expect_the_same_tokens();
  ASSERT_EQ(run["joins"].size(), 1U);
  EXPECT_TRUE(run["joins"][0]["first_use_s"].is_number()) << run["joins"];
  EXPECT_GT(run["devices_say"]["right"]["flops_per_s"].get<double>(), 1e9);
  EXPECT_EQ(run["devices_say"]["right"]["memory_bytes_per_s"], 50e9);
}

TEST_F(JoiningRuns, WhereTheFirstDoNotSufficeAnotherIsWaitedFor) {
  make_small();
  start({"--insecure", "--ignore-eos", "--start-with", "1"});
  come("left");
  expect_said("the model needs");
  expect_said("waiting 30 s for one more to join");
  come("right");
  const nlohmann::json run = expect_the_same_tokens();
  EXPECT_FALSE(run.contains("joins")) << "it was there when the run began";
}

TEST_F(JoiningRuns, WhereNoOtherComesARunDoesNotBegin) {
  make_small();
  start({"--insecure", "--start-with", "1", "--wait-for-devices", "1"});
  come("left");
  expect_refused(run_->wait(seconds(20)), 5,
                 {"have 1.00 MB", "no device has joined for 1 s that suffices"});
}

// What is left cannot hold the model.
TEST_F(JoiningRuns, ARunWaitsForOneThatComesAgain) {
  make_small();
  start({"--insecure", "--ignore-eos"});
  for (const char* name : {"left", "right"}) come(name);
  expect_said("answering");
  for (const char* name : {"right", "left"}) {
    std::this_thread::sleep_for(milliseconds(200));
    const std::vector<pid_t> children = children_of(workers_[name]->pid());
    ASSERT_EQ(children.size(), 1U);
    ::kill(children[0], SIGKILL);  // the worker itself comes again
    expect_said(std::string(name) + " was lost while it held");
    expect_said("waiting 30 s for a device to join");
    expect_said(std::string(name) + " has joined");
  }
  const nlohmann::json run = expect_the_same_tokens();
  EXPECT_EQ(run["recoveries"].size(), 2U);
}

TEST_F(JoiningRuns, WhereNoneComesItEndsAndSaysByHowMuch) {
  make_small();
  start({"--insecure", "--ignore-eos", "--wait-for-devices", "1"});
  for (const char* name : {"left", "right"}) come(name);
  expect_said("answering");
  ::kill(workers_["right"]->pid(), SIGKILL);
  expect_refused(
      run_->wait(seconds(20)), 5,
      {"right was lost", "the model needs", "have 1.00 MB", "no device has joined for 1 s"});
}

TEST_F(JoiningRuns, WhatCannotBeIsRefused) {
  const auto run = [&](const std::vector<std::string>& more) {
    return Program(run_command(more)).wait(seconds(20));
  };
  expect_refused(run({"--start-with", "3"}), 2, {"--start-with 3", "2 devices"});
  expect_refused(run({"--start-with", "1", "--local"}), 2, {"--start-with", "--local"});
  expect_refused(run({"--wait-for-devices", "-1"}), 2, {"--wait-for-devices"});
}

}  // namespace
}  // namespace lingua::testing
