// lingua measure, and run --compare: real workers, and no claim about how fast they are.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/base/cores.h"
#include "runtime/device/spec.h"
#include "tests/cli/network_run_fixture.h"

namespace lingua::testing {
namespace {

class Measure : public NetworkRun {
 protected:
  std::string file() const { return folder_.file("measured.yaml"); }
  std::vector<std::string> command(const std::vector<std::string>& more) const {
    return std::vector<std::string>{"measure", "--quick", "--out", file()} + more;
  }
  // Waits until it listens.
  void begin(const std::vector<std::string>& more) {
    run_ = std::make_unique<Program>(lingua_command(
        command(std::vector<std::string>{"--insecure", "--listen", "tcp://127.0.0.1:*"} + more)));
    std::smatch found;
    ASSERT_TRUE(eventually([&] {
      const std::string said = run_->err();
      if (!std::regex_search(said, found, std::regex("at (tcp://[0-9.:]+)\n"))) return false;
      address_ = found[1];
      return true;
    })) << run_->err();
  }
  std::unique_ptr<Program> insecure(const std::string& name) const {
    return worker({"--coordinator", address_, "--name", name, "--insecure", "--memory", "100 MB"});
  }
};

TEST_F(Measure, WritesAClusterThatPlansAndRunsTake) {
  const Outcome outcome = lingua(command({"--local", "--workers", "2", "--json"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json json = outcome.json();
  ASSERT_EQ(json["devices"].size(), 2U);
  EXPECT_EQ(json["devices"][0]["name"], "worker-1");
  for (const char* dtype : {"fp32", "bf16", "int8"}) {
    const auto& speed = json["devices"][0]["by_dtype"][dtype];
    EXPECT_GT(speed["flops_per_s"]["value"].get<double>(), 1e7) << dtype;
    EXPECT_GT(speed["memory_bytes_per_s"]["value"].get<double>(), 1e7) << dtype;
  }
  EXPECT_EQ(json["links"].size(), 6U) << "each pair, the coordinator's too";
  EXPECT_LT(json["took_s"].get<double>(), 60);
  const Outcome plan = lingua({"plan", "--model", tiny_model(), "--cluster", file(), "--json"});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  const Outcome run = lingua({"run", "--model", tiny_model(), "--cluster", file(), "--planner",
                              "even", "--local", "--max-tokens", "6", "--compare", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  std::set<std::string> compared;
  const nlohmann::json done = run.json();
  for (const auto& row : done["comparison"]) {
    compared.insert(row["what"].get<std::string>());
    EXPECT_GT(row["estimated"].get<double>(), 0) << row;
    EXPECT_NEAR(row["ratio"].get<double>() * row["estimated"].get<double>(),
                row["measured"].get<double>(), 1e-9)
        << row;
  }
  EXPECT_EQ(compared, (std::set<std::string>{"compute_s", "latency_s", "message_s", "tokens_per_s",
                                             "tpot_s", "ttft_s"}));
}

TEST_F(Measure, MeasuresWorkersThatJoin) {
  begin({"--devices", "left,right"});
  const auto left = insecure("left");
  const auto right = insecure("right");
  const Outcome outcome = run_->wait();
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(left->wait(std::chrono::seconds(10)).exit_code, 0) << left->err();
  EXPECT_EQ(right->wait(std::chrono::seconds(10)).exit_code, 0) << right->err();
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("left -> right"));
  std::ifstream in(file());
  const std::string text(std::istreambuf_iterator<char>(in), {});
  EXPECT_THAT(text, ::testing::HasSubstr("memory: 100 MB"));
}

// On a machine of its own, whose second core is faster by what the system says.
class MeasureCores : public Measure {
 protected:
  void SetUp() override {
    const std::vector<std::string> apart = {"unshare", "--mount", "true"};
    if (run_program(apart).exit_code != 0 || allowed_cores() != Cores{0, 1})
      GTEST_SKIP() << "it needs root, and two cores";
    const std::filesystem::path facts = folder_.file("cpu");
    for (const char* file : {"online", "possible", "present"}) {
      std::filesystem::create_directories(facts);
      std::ofstream(facts / file) << std::ifstream(std::string(kCoreFacts) + "/" + file).rdbuf();
    }
    for (const auto& [core, capacity] : {std::pair{"cpu0", 400}, {"cpu1", 1024}}) {
      std::filesystem::create_directories(facts / core);
      std::ofstream(facts / core / "cpu_capacity") << capacity << "\n";
    }
  }
  std::unique_ptr<Program> unequal(const std::vector<std::string>& more) const {
    const std::vector<std::string> apart = {
        "unshare",
        "--mount",
        "sh",
        "-c",
        fmt::format("mount --bind '{}' {} && exec \"$@\"", folder_.file("cpu"), kCoreFacts),
        "sh"};
    return std::make_unique<Program>(
        apart + lingua_command(std::vector<std::string>{"worker", "--once", "--coordinator",
                                                        address_, "--name", "left", "--insecure",
                                                        "--memory", "1 GB"} +
                               more));
  }
  // What the kernel says of each of its threads.
  static std::set<std::string> cores_of(pid_t pid) {
    std::set<std::string> cores;
    std::error_code error;
    for (const auto& thread :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
      std::ifstream status(thread.path() / "status");
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("Cpus_allowed_list:")) cores.insert(line.substr(line.find('\t') + 1));
      }
    }
    return cores;
  }
};

TEST_F(MeasureCores, OfUnequalKindsAreTriedByKindAndTogether) {
  begin({"--devices", "left", "--json"});
  const auto left = unequal({"--cpus", "all"});
  const Outcome outcome = run_->wait();
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(left->wait(std::chrono::seconds(10)).exit_code, 0) << left->err();
  const nlohmann::json device = outcome.json()["devices"][0];
  std::vector<std::pair<std::string, int>> tried;
  std::map<std::string, double> reached;
  for (const auto& one : device["tried"]) {
    tried.emplace_back(one["cpus"], one["threads"]);
    reached[one["cpus"]] = one["flops_per_s"]["value"];
  }
  EXPECT_EQ(tried, (std::vector<std::pair<std::string, int>>{{"1", 1}, {"0", 1}, {"0-1", 2}}));
  EXPECT_TRUE(reached.contains(device["cpus"]));
  const ClusterSpec cluster = load_cluster(file());
  EXPECT_EQ(cores_text(cluster.devices.at(0).computing.cores), device["cpus"]);
}

TEST_F(MeasureCores, AreThoseThatARunComputesOn) {
  write("pair.yaml",
        "name: one\ndevices:\n  - {name: left, cpus: '1', compute: 10 GFLOP/s, "
        "memory_bandwidth: 5 GB/s, memory: 1 GB}\n"
        "links: {default: {bandwidth: 10 MB/s, latency: 1 ms}}\n");
  max_tokens_ = "400";
  const auto cores_in_a_run = [&](const std::function<std::unique_ptr<Program>()>& start_left) {
    address_ = "tcp://127.0.0.1:*";
    start({"--insecure"});
    const auto left = start_left();
    std::set<std::string> last;
    while (run_->running() && left->running()) {
      if (auto cores = cores_of(left->pid()); !cores.empty()) last = std::move(cores);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const Outcome outcome = run_->wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(left->wait(std::chrono::seconds(10)).exit_code, 0) << left->err();
    return last;
  };
  EXPECT_EQ(cores_in_a_run([&] { return unequal({"--cpus", "all"}); }), std::set<std::string>{"1"});
  EXPECT_EQ(cores_in_a_run([&] {
              return unequal({"--cpus", "0"});
            }),
            std::set<std::string>{"0"})
      << "it may not run on others";
  EXPECT_EQ(cores_in_a_run([&] { return insecure("left"); }), std::set<std::string>{"1"})
      << "also where cores are equal";
}

TEST_F(Measure, LeavesNothingWhereAWorkerIsKilledInTheMiddle) {
  begin({"--devices", "left,right"});
  const auto left = insecure("left");
  const auto right = insecure("right");
  ASSERT_TRUE(eventually(
      [&] { return run_->err().find("measuring") != std::string::npos || !run_->running(); }));
  ::kill(right->pid(), SIGKILL);
  expect_refused(run_->wait(), 5, {"device 'right' was lost while it was measured"});
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_NE(left->wait(std::chrono::seconds(10)).exit_code, 1) << left->err();
}

TEST_F(Measure, RefusesDevicesThatCannotBe) {
  const auto refuse = [&](const std::vector<std::string>& more, const std::string& words) {
    expect_refused(lingua(command(more)), 2, {words});
    EXPECT_FALSE(std::filesystem::exists(file()));
  };
  refuse({}, "--devices is required without --local");
  refuse({"--devices", "a,b,a"}, "'a' stands twice");
  refuse({"--devices", "a,,b"}, "--devices 'a,,b'");
  refuse({"--devices", "a,coordinator"}, "coordinator");
  refuse({"--devices", "a", "--workers", "2"}, "--workers");
  expect_refused(lingua({"measure", "--local", "--out", folder_.file("none/such/m.yaml")}), 3,
                 {"none/such/m.yaml"});
}

}  // namespace
}  // namespace lingua::testing
