#pragma once
// Runs over a network as their users start them, with a folder of keys for each machine.

#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <thread>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {

inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

class NetworkRun : public LinguaTest {
 protected:
  NetworkRun() {
    write("pair.yaml",
          "name: pair\ndevices:\n"
          "  - {name: left, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 GB}\n"
          "  - {name: right, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 GB}\n"
          "links: {default: {bandwidth: 10 MB/s, latency: 1 ms}}\n");
  }

  // Each has its keys in a folder of its own name.
  std::vector<std::string> keys(const std::string& who) const {
    return {"--keys", folder_.file("keys-" + who)};
  }
  std::vector<std::string> run_command(const std::vector<std::string>& more) const {
    return lingua_command(std::vector<std::string>{"run", "--cluster", folder_.file("pair.yaml"),
                                                   "--planner", planner_, "--model", tiny_model(),
                                                   "--max-tokens", max_tokens_, "--json"} +
                          more);
  }
  // Starts a coordinator and waits until it listens.
  void start(const std::vector<std::string>& more) {
    run_ = std::make_unique<Program>(
        run_command(std::vector<std::string>{"--listen", address_} + more));
    ASSERT_TRUE(eventually(
        [&] { return !run_->running() || run_->err().find("waiting for") != std::string::npos; }));
    const std::string said = run_->err();
    std::smatch found;
    ASSERT_TRUE(std::regex_search(said, found, std::regex("at (tcp://[0-9.:]+)"))) << said;
    address_ = found[1];
    static const std::regex kLine("(\\w+), new, .*--join (\\S+)");
    lines_.clear();
    ASSERT_TRUE(eventually([&] {
      return run_->err().find(" right,") != std::string::npos ||
             run_->err().find("--insecure") != std::string::npos;
    }));
    const std::string all = run_->err();
    for (std::sregex_iterator it(all.begin(), all.end(), kLine), end; it != end; ++it) {
      lines_[(*it)[1]] = (*it)[2];
    }
  }
  // One that ends with its run.
  std::unique_ptr<Program> worker(const std::vector<std::string>& arguments) const {
    return std::make_unique<Program>(
        lingua_command(std::vector<std::string>{"worker", "--once"} + arguments));
  }
  std::unique_ptr<Program> by_line(const std::string& who) {
    return worker(std::vector<std::string>{"--join", lines_[who]} + keys(who));
  }
  std::unique_ptr<Program> by_name(const std::string& who) const {
    return worker(std::vector<std::string>{"--coordinator", address_, "--name", who} + keys(who));
  }
  // The tokens of a run that both workers join.
  nlohmann::json tokens_with(std::unique_ptr<Program> left, std::unique_ptr<Program> right) {
    const Outcome outcome = run_->wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(left->wait(std::chrono::seconds(10)).exit_code, 0) << left->err();
    EXPECT_EQ(right->wait(std::chrono::seconds(10)).exit_code, 0) << right->err();
    return outcome.json()["requests"][0]["tokens"];
  }
  void join_once() {
    start(keys("here"));
    ASSERT_EQ(lines_.size(), 2U) << run_->err();
    tokens_ = tokens_with(by_line("left"), by_line("right"));
    EXPECT_EQ(tokens_.size(), 4U);
  }

  std::string max_tokens_ = "4";
  std::string planner_ = "even";
  std::string address_ = "tcp://127.0.0.1:*";
  std::map<std::string, std::string> lines_;  // by device
  std::unique_ptr<Program> run_;
  nlohmann::json tokens_;
};

}  // namespace lingua::testing
