// Workers that stay: one run after another, whatever becomes of the coordinators.

#include <signal.h>

#include <filesystem>

#include "runtime/base/cores.h"
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
    start({"--insecure", "--ignore-eos", "--on-loss", "end"});
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

// Each by its own choice, in every run.
TEST_F(StayingWorkers, ComputeOnTheCoresAndWithTheThreadsThatTheyHave) {
  const std::string core = std::to_string(allowed_cores().back());
  start({"--insecure", "--threads", "7"});
  workers_["left"] = staying({"--coordinator", address_, "--name", "left", "--insecure", "--cpus",
                              core, "--threads", "3", "--advertise", "localhost"});
  workers_["right"] = staying({"--coordinator", address_, "--name", "right", "--insecure"});
  for (int run = 0; run < 2; ++run) {
    if (run > 0) start({"--insecure", "--threads", "7"});
    const Outcome outcome = run_->wait();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto said = outcome.json()["devices_say"];
    EXPECT_EQ(said["left"]["cores"], 1);
    EXPECT_EQ(said["left"]["threads"], 3);
    EXPECT_FALSE(said["right"].contains("threads"));
    for (const char* name : {"left", "right", "coordinator"})
      EXPECT_GT(outcome.json()["peak_memory_bytes"][name], 1e6) << name;
  }
  if (allowed_cores().size() > 1) {
    EXPECT_THAT(workers_["left"]->err(), HasSubstr("computes on the cores " + core + " of "));
  }
}

TEST_F(StayingWorkers, WhatTheyCannotComputeOnIsRefused) {
  const auto refused = [&](const std::vector<std::string>& options,
                           const std::vector<std::string>& words) {
    expect_refused(lingua(std::vector<std::string>{"worker", "--coordinator", "tcp://127.0.0.1:9",
                                                   "--name", "left", "--insecure"} +
                          options),
                   2, words);
  };
  refused({"--cpus", "fast"}, {"--cpus", "'fast'", "0-3,6, or big, or all"});
  refused({"--cpus", "1023"}, {"--cpus 1023", "core 1023", "write some of"});
  refused({"--threads", "0"}, {"--threads", "0"});
  refused({"--advertise", "two words"}, {"--advertise", "'two words' is no host"});
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
  for (const bool once : {false, true}) {
    if (once)
      workers_["right"] = worker({"--coordinator", address_, "--name", "right", "--insecure"});
    start_long_run();
    ::kill(workers_["right"]->pid(), SIGTERM);
    EXPECT_EQ(workers_["right"]->wait(seconds(5)).exit_code, 128 + SIGTERM);
    expect_refused(run_->wait(seconds(10)), 5, {"right was lost", "(it has left)"});
    EXPECT_TRUE(workers_["left"]->running());
  }
}

TEST_F(StayingWorkers, OneWhoseBatteryIsLowLeavesInOrderAndComesBackWhenItIsCharged) {
  const std::filesystem::path battery = folder_.path() / "sensors/power_supply/battery";
  std::filesystem::create_directories(battery);
  std::ofstream(battery / "type") << "Battery";
  const auto charge = [&](const char* percent) { std::ofstream(battery / "capacity") << percent; };
  const auto says = [&](const Program& program, const std::string& text) {
    return eventually([&] { return program.err().find(text) != std::string::npos; });
  };
  charge("50");
  max_tokens_ = "100000";
  start({"--insecure", "--ignore-eos"});
  for (const char* name : {"left", "right"})
    workers_[name] = staying({"--coordinator", address_, "--name", name, "--insecure",
                              "--battery-floor", "10", "--heat-limit", "60", "--sensors",
                              folder_.file(name == std::string("right") ? "sensors" : "none")});
  ASSERT_TRUE(says(*run_, "answering")) << run_->err();
  charge("9");
  EXPECT_TRUE(says(*run_, "(it has left: battery at 9 %, floor 10 %); planning without"))
      << run_->err();
  EXPECT_THAT(run_->err(), HasSubstr("right was lost while it held segments "));
  EXPECT_TRUE(says(*workers_["right"], "it has left: battery at 9 %, floor 10 %; right goes on"));
  EXPECT_TRUE(run_->running()) << "left goes on alone: " << run_->err();
  ::kill(run_->pid(), SIGINT);
  EXPECT_EQ(run_->wait(seconds(10)).exit_code, 128 + SIGINT);
  charge("14");
  EXPECT_TRUE(says(*workers_["right"], "it stays away: battery at 14 %, it joins from 15 %"));
  const Outcome once = worker({"--coordinator", address_, "--name", "right", "--insecure",
                               "--battery-floor", "10", "--sensors", folder_.file("sensors")})
                           ->wait();
  expect_refused(once, 5, {"it stays away: battery at 14 %"});
  charge("15");
  max_tokens_ = "4";
  start({"--insecure"});
  EXPECT_EQ(answer().size(), 4U);
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
  for (const char* name : {"left", "right"})  // of which the second may come when the run is over
    workers_[name] =
        staying({"--coordinator", address_, "--name", name, "--insecure", "--join-timeout", "2"});
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

// Workers that keep what they were sent.
class KeepingWorkers : public StayingWorkers {
 protected:
  // Both stay, with a cache each; `more` for both.
  void stay_with_caches(const std::vector<std::string>& more = {},
                        const std::vector<std::string>& for_runs = {}) {
    for_runs_ = std::vector<std::string>{"--insecure", "--weight-cache", folder_.file("here")};
    for_runs_ = for_runs_ + for_runs;
    start(for_runs_);
    for (const char* name : {"left", "right"}) {
      workers_[name] =
          staying(std::vector<std::string>{"--coordinator", address_, "--name", name, "--insecure",
                                           "--weight-cache", cache_of(name)} +
                  more);
    }
    tokens_ = answer_of_run();
    EXPECT_TRUE(sent_weights());
  }
  void run_again() {
    start(for_runs_);
    EXPECT_EQ(answer_of_run(), tokens_);
  }
  nlohmann::json answer_of_run() {
    const Outcome outcome = run_->wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    said_ = outcome.err;
    return outcome.exit_code == 0 ? outcome.json()["requests"][0]["tokens"] : nlohmann::json();
  }
  bool sent_weights() const { return said_.find("sending weights") != std::string::npos; }
  std::string cache_of(const std::string& name) const { return folder_.file("cache-" + name); }
  std::vector<std::filesystem::path> kept_by(const std::string& name) const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache_of(name))) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }
  std::vector<std::string> for_runs_;
  std::string said_;
};

TEST_F(KeepingWorkers, AreSentNothingInTheNextRun) {
  stay_with_caches();
  EXPECT_FALSE(kept_by("left").empty());
  run_again();
  EXPECT_FALSE(sent_weights()) << said_;
}

TEST_F(KeepingWorkers, AreSentNothingWhereSomeSegmentsAreInInt8AndTheHeadIsTied) {
  stay_with_caches({}, {"--int8", "0,3-5"});
  run_again();
  EXPECT_FALSE(sent_weights()) << said_;
  for_runs_.insert(for_runs_.end() - 2, "--ignore-eos");
  for_runs_.back() = "all";
  start(for_runs_);
  answer_of_run();
  EXPECT_TRUE(sent_weights()) << "other weights";
}

TEST_F(KeepingWorkers, AreSentWhatIsDamagedOrGoneAndKeepItAgain) {
  stay_with_caches();
  const auto files = kept_by("left");
  ASSERT_GE(files.size(), 2U);
  std::ofstream(files[0], std::ios::app) << "longer";
  std::filesystem::remove(files[1]);
  for (const std::filesystem::path& file : kept_by("right")) {
    const auto size = std::filesystem::file_size(file);
    std::ofstream(file) << std::string(size, 'x');
  }
  run_again();
  EXPECT_TRUE(sent_weights());
  run_again();
  EXPECT_FALSE(sent_weights()) << said_;
}

TEST_F(KeepingWorkers, KeepNothingWhereTheyAreToldNotTo) {
  stay_with_caches({"--weight-cache-size", "0 B"});
  run_again();
  EXPECT_TRUE(sent_weights());
  EXPECT_TRUE(kept_by("left").empty());
}

TEST_F(KeepingWorkers, OfThisMachineGetWhatTheirCoordinatorHasQuantisedBefore) {
  const auto tokens = [&] {
    const Outcome outcome = lingua({"run", "--local", "--workers", "2", "--planner", "even",
                                    "--model", tiny_model(), "--int8", "all", "--max-tokens", "4",
                                    "--json", "--weight-cache", cache_of("here")});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.json()["requests"][0]["tokens"];
  };
  const nlohmann::json first = tokens();
  const auto files = kept_by("here");
  ASSERT_FALSE(files.empty());
  const auto written = std::filesystem::last_write_time(files[0]);
  EXPECT_EQ(tokens(), first);
  EXPECT_GT(std::filesystem::last_write_time(files[0]), written) << "it was used";
  for (const std::filesystem::path& file : files) {
    const auto size = std::filesystem::file_size(file);
    std::ofstream(file) << std::string(size, 'x');
  }
  EXPECT_EQ(tokens(), first);
  EXPECT_EQ(kept_by("here").size(), files.size());
}

TEST_F(KeepingWorkers, RefuseASizeThatIsNone) {
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"worker", "--coordinator", "tcp://127.0.0.1:1", "--name", "left"},
        std::vector<std::string>{"run", "--local", "--model", tiny_model()}}) {
    for (const char* size : {"4", "lots", "-1 GB", "1e300 GB"})
      expect_refused(lingua(verb + std::vector<std::string>{"--weight-cache-size", size}), 2,
                     {"--weight-cache-size", size});
  }
}

TEST_F(KeepingWorkers, GoOnWithoutAFolderThatCannotBeWrittenTo) {
  std::ofstream(cache_of("left")) << "a file";
  expect_refused(staying({"--coordinator", "tcp://127.0.0.1:1", "--name", "left", "--insecure",
                          "--weight-cache", cache_of("left")})
                     ->wait(),
                 3, {"--weight-cache: ", "cache-left", "cannot be made a folder"});
  ::setenv("XDG_CACHE_HOME", cache_of("left").c_str(), 1);
  start({"--insecure", "--weight-cache", "off"});
  for (const char* name : {"left", "right"})
    workers_[name] = staying({"--coordinator", address_, "--name", name, "--insecure"});
  EXPECT_EQ(answer_of_run().size(), 4U);
  EXPECT_THAT(workers_["left"]->err(), HasSubstr("no weights are kept for the next run: "));
}

TEST_F(KeepingWorkers, WithKeysKeepForEachCoordinatorApart) {
  start(keys("here"));
  for (const char* name : {"left", "right"})
    workers_[name] =
        staying(std::vector<std::string>{"--join", lines_[name], "--weight-cache", cache_of(name)} +
                keys(name));
  tokens_ = answer_of_run();
  start(keys("here"));
  EXPECT_EQ(answer_of_run(), tokens_);
  EXPECT_FALSE(sent_weights()) << said_;
  workers_.clear();
  start({"--insecure"});
  for (const char* name : {"left", "right"})
    workers_[name] = staying({"--coordinator", address_, "--name", name, "--insecure",
                              "--weight-cache", cache_of(name)});
  EXPECT_EQ(answer_of_run(), tokens_);
  EXPECT_TRUE(sent_weights());
}

}  // namespace
}  // namespace lingua::testing
