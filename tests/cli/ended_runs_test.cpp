// Workers that are lost, runs that are ended from outside, and what is left of them: how long it takes
// counts, so these run alone.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

template <class Condition>
bool eventually(Condition condition, seconds timeout = seconds(60)) {
  const auto deadline = steady_clock::now() + timeout;
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

class LostProcess : public LinguaTest {
 protected:
  // A generation that would take minutes, over three workers; returns once tokens are coming.
  void start() {
    program_ = std::make_unique<Program>(
        lingua_command({"run", "--local", "--workers", "3", "--planner", "even", "--model",
                        tiny_model(), "--prompt-length", "4", "--max-tokens", "100000",
                        "--ignore-eos", "--on-loss", "end", "--log", folder_.file("log.csv")}));
    ASSERT_TRUE(eventually([&] { return program_->err().find("answering") != std::string::npos; }))
        << program_->err();
    workers_ = children_of(program_->pid());
    ASSERT_EQ(workers_.size(), 3U);
  }
  bool no_worker_left() {
    return eventually(
        [&] {
          return std::none_of(workers_.begin(), workers_.end(),
                              [](pid_t pid) { return fs::exists("/proc/" + std::to_string(pid)); });
        },
        seconds(5));
  }

  std::unique_ptr<Program> program_;
  std::vector<pid_t> workers_;
};

TEST_F(LostProcess, AKilledWorkerEndsTheRunWithinFiveSeconds) {
  for (std::size_t victim = 0; victim < 3; ++victim) {
    start();
    std::this_thread::sleep_for(milliseconds(50 * victim));
    const auto killed = steady_clock::now();
    ::kill(workers_[victim], SIGKILL);
    const Outcome outcome = program_->wait(seconds(5));
    EXPECT_LT(steady_clock::now() - killed, seconds(5));
    expect_refused(outcome, 5, {"worker-", "killed by signal 9", "0 of 1 requests were answered"});
    EXPECT_TRUE(no_worker_left());
    EXPECT_FALSE(fs::exists(folder_.file("log.csv"))) << "nothing half-written";
  }
}

TEST_F(LostProcess, AStoppedWorkerEndsTheRunToo) {
  start();
  ::kill(workers_[1], SIGSTOP);
  const Outcome outcome = program_->wait(seconds(20));
  expect_refused(outcome, 5, {"lost"});
  EXPECT_TRUE(no_worker_left());
}

// Header, middle and tailer in turn: killed, and stopped so that only its silence tells.
TEST_F(LostProcess, TheOthersGoOnAndGiveTheSameTokens) {
  const std::vector<std::string> asked = {"run",
                                          "--local",
                                          "--workers",
                                          "3",
                                          "--planner",
                                          "even",
                                          "--model",
                                          tiny_model(),
                                          "--prompt-length",
                                          "4",
                                          "--max-tokens",
                                          "800",
                                          "--ignore-eos",
                                          "--loss-timeout",
                                          "2",
                                          "--json"};
  const auto tokens_of = [](const nlohmann::json& run) { return run["requests"][0]["tokens"]; };
  const nlohmann::json expected = tokens_of(lingua(asked).json());
  const std::vector<std::pair<std::size_t, int>> losses = {
      {0, SIGKILL}, {1, SIGKILL}, {2, SIGKILL}, {1, SIGSTOP}};
  for (const auto& [victim, signal] : losses) {
    program_ = std::make_unique<Program>(lingua_command(asked));
    ASSERT_TRUE(eventually([&] { return program_->err().find("answering") != std::string::npos; }))
        << program_->err();
    workers_ = children_of(program_->pid());
    ASSERT_EQ(workers_.size(), 3U);
    std::this_thread::sleep_for(milliseconds(100 * victim));
    ::kill(workers_[victim], signal);
    const Outcome outcome = program_->wait(seconds(60));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const nlohmann::json run = outcome.json();
    EXPECT_EQ(tokens_of(run), expected);
    ASSERT_EQ(run["recoveries"].size(), 1U) << outcome.err;
    EXPECT_EQ(run["recoveries"][0]["requests"], 1);
    EXPECT_THAT(outcome.err, ::testing::HasSubstr("was lost while it held segments"));
    EXPECT_TRUE(no_worker_left());
  }
}

TEST_F(LostProcess, TheOthersAreSentNothingThatTheyHaveAsSpares) {
  std::vector<std::string> asked = {
      "run",          "--local",    "--workers",       "3", "--planner",    "even",
      "--model",      tiny_model(), "--prompt-length", "4", "--max-tokens", "1500",
      "--ignore-eos", "--json",     "--spares"};
  const auto killed = [&](const char* spares, std::size_t victim) {
    program_ = std::make_unique<Program>(lingua_command(asked + std::vector<std::string>{spares}));
    EXPECT_TRUE(eventually([&] { return program_->err().find("answering") != std::string::npos; }));
    workers_ = children_of(program_->pid());
    EXPECT_EQ(workers_.size(), 3U);
    if (victim < workers_.size()) ::kill(workers_[victim], SIGKILL);
    const Outcome outcome = program_->wait(seconds(60));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  };
  const nlohmann::json whole = killed("1", 3);
  EXPECT_FALSE(whole.contains("recoveries"));
  for (std::size_t victim = 0; victim < 3; ++victim) {
    const nlohmann::json with = killed("1", victim);
    EXPECT_EQ(with["requests"][0]["tokens"], whole["requests"][0]["tokens"]);
    ASSERT_EQ(with["recoveries"].size(), 1U);
    EXPECT_EQ(with["recoveries"][0]["weights_bytes"], 0);
    EXPECT_EQ(with["recoveries"][0]["predicted"]["weights_bytes"], 0);
    EXPECT_GT(with["recoveries"][0]["resumed_s"], with["recoveries"][0]["ready_s"]);
  }
  EXPECT_GT(killed("0", 1)["recoveries"][0]["weights_bytes"], 0);
}

TEST_F(LostProcess, WorkersEndWithTheirCoordinator) {
  start();
  ::kill(program_->pid(), SIGKILL);
  program_->wait();
  EXPECT_TRUE(no_worker_left());
}

TEST_F(LostProcess, InterruptingTheRunLeavesNoWorker) {
  start();
  ::kill(program_->pid(), SIGINT);
  EXPECT_NE(program_->wait(seconds(10)).exit_code, 0);
  EXPECT_TRUE(no_worker_left());
}

TEST_F(LinguaTest, ADeviceThatIsLostInVirtualTimeChangesNoToken) {
  const auto emulated = [&](const std::vector<std::string>& more) {
    return lingua(std::vector<std::string>{"emulate", "--model", tiny_model(), "--cluster",
                                           kThreePhones, "--planner", "even", "--prompt-length",
                                           "6", "--max-tokens", "20", "--requests", "4",
                                           "--in-flight", "2", "--json"} +
                  more)
        .json();
  };
  const nlohmann::json whole = emulated({});
  const double from = whole["requests"][0]["start_s"];
  const double to = whole["requests"][3]["end_s"];
  const std::string middle = fmt::format("{}s", from + (to - from) / 2);
  const std::string header = whole["plan"]["stages"][0]["device"];
  for (const char* device : {"xiaomi-14", "oneplus-9", "oneplus-6"}) {
    const nlohmann::json run = emulated({"--lose", device + (":" + middle)});
    for (std::size_t r = 0; r < 4; ++r)
      EXPECT_EQ(run["requests"][r]["tokens"], whole["requests"][r]["tokens"]) << device;
    // What a header had answered goes with its rows, and stderr says so.
    const double tokens = run["tokens_per_s"].get<double>() * run["makespan_s"].get<double>();
    if (device != header) {
      EXPECT_NEAR(tokens, 80, 1e-6) << device;
    }
    EXPECT_EQ(run["recoveries"].size(), 1U) << device;
  }
  for (const char* wrong : {"nobody:1s", "xiaomi-14", "xiaomi-14:", "xiaomi-14:-1s", ":1s"}) {
    expect_refused(lingua({"simulate", "bloom-560m", "--cluster", kThreePhones, "--lose", wrong}),
                   2, {"--lose", "DEVICE"});
  }
}

TEST_F(LinguaTest, NamesTheWorkersThatDoNotCome) {
  expect_refused(lingua({"run", "--cluster", kThreePhones, "--listen", "tcp://127.0.0.1:*",
                         "--join-timeout", "1", "--insecure", "--model", tiny_model()}),
                 5, {"xiaomi-14", "oneplus-9", "at tcp://127.0.0.1:"});
  expect_refused(lingua({"worker", "--once", "--coordinator", "tcp://127.0.0.1:1", "--name", "x",
                         "--join-timeout", "1", "--insecure"}),
                 5, {"127.0.0.1:1", "nothing listens there", "start it first"});
  expect_refused(lingua({"worker", "--once", "--coordinator", "tcp://no.such.host.invalid:5555",
                         "--name", "x", "--join-timeout", "1", "--insecure"}),
                 5, {"'no.such.host.invalid' does not resolve"});
}

TEST_F(LinguaTest, NamesAPortInUse) {
  Program first(lingua_command({"run", "--cluster", kThreePhones, "--listen", "tcp://127.0.0.1:*",
                                "--insecure", "--model", tiny_model()}));
  ASSERT_TRUE(eventually([&] { return first.err().find("tcp://") != std::string::npos; }))
      << first.err();
  const std::string said = first.err();
  const auto at = said.find("tcp://");
  const std::string address = said.substr(at, said.find_first_of(" \n", at) - at);
  expect_refused(lingua({"run", "--cluster", kThreePhones, "--listen", address, "--insecure",
                         "--model", tiny_model()}),
                 5, {address, "in use"});
}

// With a place of its own for temporary files.
class EndedRun : public LinguaTest {
 protected:
  std::vector<std::string> run_of(const std::string& model,
                                  const std::vector<std::string>& options) {
    return std::vector<std::string>{"env",
                                    "TMPDIR=" + folder_.path().string(),
                                    LINGUA_PROGRAM,
                                    "run",
                                    "--local",
                                    "--workers",
                                    "2",
                                    "--planner",
                                    "even",
                                    "--model",
                                    model} +
           options;
  }
  // A generation that would take minutes.
  std::vector<std::string> command() {
    return run_of(tiny_model(), {"--prompt-length", "4", "--max-tokens", "100000", "--ignore-eos"});
  }
  void expect_nothing_left(pid_t group) {
    EXPECT_TRUE(fs::is_empty(folder_.path()));
    for (int i = 0; i < 200 && count_group(group) > 0; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_EQ(count_group(group), 0);
  }
};

TEST_F(EndedRun, ByASignalAtAnyMomentLeavesNothing) {
  tiny_model();
  const std::vector<int> signals = {SIGINT, SIGTERM, SIGHUP};
  for (int moment = 0; moment < 9; ++moment) {
    SCOPED_TRACE(moment);
    Program program(command());
    std::this_thread::sleep_for(milliseconds(30 + 150 * moment));
    const int signal = signals[static_cast<std::size_t>(moment) % signals.size()];
    ::kill(program.pid(), signal);
    EXPECT_EQ(program.wait(seconds(10)).exit_code, 128 + signal);
    expect_nothing_left(program.pid());
  }
}

// Interrupted in a prefill of some seconds: each worker is inside LibTorch for longer than the second.
class EndedPrefill : public EndedRun {
 protected:
  std::vector<std::string> command() {
    return run_of(slow_model(),
                  {"--prompt-length", "4000", "--max-tokens", "2", "--max-segments", "2"});
  }
  static const std::string& slow_model() {
    static TemporaryFolder folder;
    static const std::string path = [] {
      const std::string made = folder.file("slow");
      const Outcome outcome = lingua(
          {"model", "random", "bloom:hidden=256,layers=16,heads=4,vocabulary=256", "-o", made});
      if (outcome.exit_code != 0) throw std::runtime_error(outcome.err);
      return made;
    }();
    return path;
  }
  // Processor time of a process, in ticks.
  static long ticks_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    const auto end = stat.rfind(')');
    if (end == std::string::npos) return 0;
    std::istringstream fields(stat.substr(end + 2));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;  // see proc(5)
    long user = 0;
    long system = 0;
    fields >> user >> system;
    return user + system;
  }
};

// Nothing waits for a segment to end: neither Ctrl-C at a terminal, which signals the whole group, nor
// a signal to the program alone. How long the machine takes to do nothing is added to the second, as it
// may be busy with other things.
TEST_F(EndedPrefill, ByCtrlCTakesASecondAtMost) {
  slow_model();
  const long second = ::sysconf(_SC_CLK_TCK);
  for (const bool whole_group : {true, false}) {
    SCOPED_TRACE(whole_group);
    const auto begin = steady_clock::now();
    EXPECT_EQ(lingua({"--version"}).exit_code, 0);
    const auto nothing = steady_clock::now() - begin;
    Program program(command());
    std::vector<pid_t> workers;
    const auto computed = [&] {
      long ticks = 0;
      for (const pid_t worker : workers) ticks += ticks_of(worker);
      return ticks;
    };
    ASSERT_TRUE(eventually([&] {
      return !program.running() || program.err().find("weights: 100%") != std::string::npos;
    })) << program.err();
    workers = children_of(program.pid());
    ASSERT_EQ(workers.size(), 2U) << program.err();
    const long loaded = computed();
    ASSERT_TRUE(eventually([&] { return !program.running() || computed() > loaded + second; }));
    ASSERT_TRUE(program.running()) << "the prefill ended too early: " << program.err();
    ASSERT_EQ(program.err().find("answering"), std::string::npos) << program.err();
    EXPECT_GT(count_group(program.pid()), 1) << "its workers are of its group";
    const auto interrupted = steady_clock::now();
    ::kill(whole_group ? -program.pid() : program.pid(), SIGINT);
    EXPECT_EQ(program.wait(seconds(60)).exit_code, 128 + SIGINT);
    // Those that have ended and wait for init to see it do not count.
    EXPECT_TRUE(eventually([&] { return count_group(program.pid()) == 0; }));
    EXPECT_LT(steady_clock::now() - interrupted, seconds(1) + nothing);
    expect_nothing_left(program.pid());
  }
}

TEST_F(EndedRun, ByASignalThatItsParentIgnoresGoesOn) {
  std::string words;
  for (const std::string& word : command()) words += " '" + word + "'";
  Program program({"sh", "-c", "trap '' HUP; exec" + words});
  std::this_thread::sleep_for(milliseconds(500));
  ::kill(program.pid(), SIGHUP);
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_TRUE(program.running()) << program.err();
  ::kill(program.pid(), SIGTERM);
  EXPECT_EQ(program.wait(seconds(10)).exit_code, 128 + SIGTERM);
  expect_nothing_left(program.pid());
}

TEST_F(EndedRun, ByAReaderThatHasGoneLeavesNothing) {
  std::string words;
  for (const std::string& word : command()) words += " '" + word + "'";
  // The status is that of the program, not of its reader.
  Program program(
      {"sh", "-c", "( " + words + " 2>&1; echo $? >" + tiny_model() + ".status ) | head -n 1"});
  program.wait(seconds(60));
  std::ifstream status(tiny_model() + ".status");
  int code = 0;
  status >> code;
  EXPECT_EQ(code, 128 + SIGPIPE);
  expect_nothing_left(program.pid());
}

TEST_F(EndedRun, WithoutAPlaceForTemporaryFilesSaysSo) {
  auto words = command();
  words[1] = "TMPDIR=/nonexistent";
  expect_refused(run_program(words), 3, {"TMPDIR", "/nonexistent"});
}

}  // namespace
}  // namespace lingua::testing
