// Workers that stay: one run after another, whatever becomes of the coordinators.

#include <signal.h>

#include "tests/cli/network_run_fixture.h"

namespace lingua::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class StayingWorkers : public NetworkRun {
 protected:
  std::unique_ptr<Program> staying(const std::vector<std::string>& arguments) const {
    return std::make_unique<Program>(
        lingua_command(std::vector<std::string>{"worker"} + arguments));
  }
  // Both, which know nothing but where the coordinator will be.
  void stay() {
    start({"--insecure"});
    for (const char* name : {"left", "right"})
      workers_[name] = staying({"--coordinator", address_, "--name", name, "--insecure"});
    tokens_ = answer();
  }
  nlohmann::json answer() {
    const Outcome outcome = run_->wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json()["requests"][0]["tokens"] : nlohmann::json();
  }
  // A run that goes on until it is told to end.
  void start_long_run() {
    max_tokens_ = "100000";
    start({"--insecure", "--ignore-eos"});
    max_tokens_ = "4";
    ASSERT_TRUE(eventually([&] { return run_->err().find("answering") != std::string::npos; }))
        << run_->err();
  }
  void expect_stays() {
    start({"--insecure"});
    EXPECT_EQ(answer(), tokens_);
    for (const auto& [name, worker] : workers_) EXPECT_TRUE(worker->running()) << worker->err();
  }

  std::map<std::string, std::unique_ptr<Program>> workers_;
};

TEST_F(StayingWorkers, ServeOneRunAfterAnotherAndEndWhenTheyAreTold) {
  stay();
  expect_stays();
  expect_stays();
  for (const auto& [name, signal] : {std::pair("left", SIGINT), std::pair("right", SIGTERM)}) {
    const auto worker = std::move(workers_[name]);
    EXPECT_THAT(worker->err(), HasSubstr(std::string(name) + " has served a run"));
    ::kill(worker->pid(), signal);
    EXPECT_EQ(worker->wait(seconds(5)).exit_code, 128 + signal);
    EXPECT_TRUE(children_of(worker->pid()).empty());
  }
}

TEST_F(StayingWorkers, OutliveCoordinatorsThatAreInterruptedOrKilled) {
  stay();
  for (int signal : {SIGINT, SIGTERM, SIGKILL}) {
    SCOPED_TRACE(signal);
    start_long_run();
    ::kill(run_->pid(), signal);
    const Outcome outcome = run_->wait(seconds(10));
    EXPECT_EQ(outcome.exit_code, 128 + signal);
    if (signal != SIGKILL) {
      EXPECT_THAT(outcome.err, HasSubstr(": the run was told to end; 0 of 1 requests"));
    }
    expect_stays();
  }
}

TEST_F(StayingWorkers, OneThatIsToldToEndInARunTellsItsCoordinator) {
  stay();
  start_long_run();
  ::kill(workers_["right"]->pid(), SIGTERM);
  EXPECT_EQ(workers_["right"]->wait(seconds(5)).exit_code, 128 + SIGTERM);
  expect_refused(run_->wait(seconds(10)), 5, {"right was lost", "(it has left)"});
  EXPECT_TRUE(workers_["left"]->running());
}

TEST_F(StayingWorkers, OneWhoseProcessIsKilledServesTheNextRun) {
  stay();
  start_long_run();
  const std::vector<pid_t> children = children_of(workers_["left"]->pid());
  ASSERT_EQ(children.size(), 1U);
  ::kill(children[0], SIGKILL);
  EXPECT_EQ(run_->wait(seconds(10)).exit_code, 5);
  expect_stays();
  EXPECT_THAT(workers_["left"]->err(), HasSubstr("was killed by signal 9; left goes on asking"));
}

TEST_F(StayingWorkers, ASecondOneOfANameIsRefusedAndNothingElseHappens) {
  stay();
  start_long_run();
  const Outcome second =
      staying({"--coordinator", address_, "--name", "left", "--insecure"})->wait(seconds(20));
  expect_refused(second, 5, {"the name 'left' is in use"});
  EXPECT_TRUE(run_->running());
  ::kill(run_->pid(), SIGINT);
  run_->wait(seconds(10));
  expect_stays();
}

TEST_F(StayingWorkers, OneThatTheRunLeavesOutWaitsForTheNext) {
  start({"--insecure", "--workers", "1"});
  for (const char* name : {"left", "right"})
    workers_[name] = staying({"--coordinator", address_, "--name", name, "--insecure"});
  tokens_ = answer();
  ASSERT_TRUE(eventually([&] {
    return workers_["right"]->err().find("goes on asking") != std::string::npos;
  })) << workers_["right"]->err();
  expect_stays();
}

TEST_F(StayingWorkers, WithKeysComeByTheirLineAndStayByTheirKey) {
  start(keys("here"));
  for (const char* name : {"left", "right"})
    workers_[name] = staying(std::vector<std::string>{"--join", lines_[name]} + keys(name));
  tokens_ = answer();
  start(keys("here"));
  EXPECT_TRUE(lines_.empty());
  EXPECT_EQ(answer(), tokens_);
}

}  // namespace
}  // namespace lingua::testing
