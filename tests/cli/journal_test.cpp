// Coordinators that are killed, and started again with the same journal: what comes out is what would have
// come out without. LINGUA_DRAWS sets how often.

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>

#include "runtime/base/random.h"
#include "tests/cli/network_run_fixture.h"
#include "tests/support/draws.h"

namespace lingua::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

// Large enough for its weights to take a moment.
const std::string& larger_model() {
  static TemporaryFolder folder;
  static const std::string path = [] {
    const std::string made = folder.file("larger");
    const Outcome outcome =
        lingua({"model", "random", "bloom:hidden=256,layers=6,heads=4,vocabulary=2048", "--seed",
                "3", "-o", made});
    if (outcome.exit_code != 0) throw std::runtime_error(outcome.err);
    return made;
  }();
  return path;
}

double since(steady_clock::time_point start) {
  return duration<double>(steady_clock::now() - start).count();
}

std::vector<nlohmann::json> tokens_of(const nlohmann::json& run) {
  std::vector<nlohmann::json> tokens;
  for (const nlohmann::json& request : run["requests"]) tokens.push_back(request["tokens"]);
  return tokens;
}

class JournaledRun : public NetworkRun {
 protected:
  // Three requests, two at once, whose tokens are drawn.
  Words asked() const {
    return {
        "--model", larger_model(), "--requests",      "3", "--in-flight",   "2",   "--max-tokens",
        "600",     "--ignore-eos", "--prompt-length", "5", "--temperature", "0.9", "--planner",
        "even",    "--json"};
  }
  Words local(const Words& more = {}) const {
    return Words{"run", "--local", "--workers", "2"} + asked() + more;
  }
  Words remote(const Words& more = {}) const {
    return Words{"run",        "--cluster", folder_.file("pair.yaml"),
                 "--insecure", "--listen",  address_} +
           asked() + more;
  }
  Words journal() const { return {"--journal", folder_.file("journal")}; }
  // At whichever of its phases, drawn evenly: reading, sending weights, answering.
  static void wait_for_moment(Program& program, Rng& rng, double answering_s) {
    const auto has_said = [&](const char* text) {
      return eventually(
          [&] { return !program.running() || program.err().find(text) != std::string::npos; });
    };
    const auto sleep = [&](double most_s) {
      std::this_thread::sleep_for(duration<double>(rng.uniform(0, most_s)));
    };
    switch (rng.below(4)) {
      case 0: return sleep(1);
      case 1: has_said("sending weights"); return sleep(0.05);
      default: has_said("answering"); return sleep(0.7 * answering_s);
    }
  }
  static void kill_now(Program& program) {
    const std::vector<pid_t> workers = children_of(program.pid());
    ::kill(program.pid(), SIGKILL);
    program.wait(seconds(10));
    EXPECT_TRUE(eventually([&] {
      return std::none_of(workers.begin(), workers.end(),
                          [](pid_t pid) { return fs::exists("/proc/" + std::to_string(pid)); });
    })) << "workers of this machine end with it";
  }

  // Kills it once or twice, then lets it end. Returns how many tokens the last one began with.
  std::int64_t expect_resumes(const Words& command, Rng& rng, const nlohmann::json& whole) {
    const double answering_s = whole["makespan_s"];
    fs::remove(folder_.file("journal"));
    for (auto kills = 1 + rng.below(2); kills > 0; --kills) {
      Program program(lingua_command(command));
      wait_for_moment(program, rng, answering_s);
      kill_now(program);
    }
    const auto start = steady_clock::now();
    const Outcome outcome = run_program(lingua_command(command));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    if (outcome.exit_code != 0) return 0;
    const nlohmann::json run = outcome.json();
    EXPECT_EQ(tokens_of(run), tokens_of(whole));
    const std::int64_t tokens = run["resumed"]["tokens"];
    EXPECT_EQ(tokens > 0, outcome.err.find("resuming ") != std::string::npos) << outcome.err;
    std::printf("resumed %ld of 1800 tokens, ended %.1f s after its start\n",
                static_cast<long>(tokens), since(start));
    return tokens;
  }
};

TEST_F(JournaledRun, OfLocalWorkersEndsWithTheTokensOfOneThatIsNotKilled) {
  const nlohmann::json whole = lingua(local()).json();
  std::int64_t resumed = 0;
  for (int draw = 0; draw < draws(2); ++draw) {
    SCOPED_TRACE(draw);
    Rng rng(static_cast<std::uint64_t>(draw));
    resumed += expect_resumes(local(journal()), rng, whole);
  }
  EXPECT_GT(resumed, 0) << "no draw has killed one that had made tokens";
}

// Workers elsewhere know nothing of it: they ask for the next run until there is one.
TEST_F(JournaledRun, OfWorkersThatStayEndsWithTheTokensOfOneThatIsNotKilled) {
  start({"--insecure"});  // for an address
  kill_now(*run_);
  std::vector<std::unique_ptr<Program>> workers;
  for (const char* name : {"left", "right"})
    workers.push_back(
        std::make_unique<Program>(lingua_command({"worker", "--coordinator", address_, "--name",
                                                  name, "--insecure", "--weight-cache", "off"})));
  const Outcome first = lingua(remote());
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const nlohmann::json whole = first.json();
  EXPECT_EQ(tokens_of(whole), tokens_of(lingua(local()).json()));
  std::int64_t resumed = 0;
  for (int draw = 0; draw < draws(2); ++draw) {
    SCOPED_TRACE(draw);
    Rng rng(static_cast<std::uint64_t>(draw));
    resumed += expect_resumes(remote(journal()), rng, whole);
  }
  EXPECT_GT(resumed, 0) << "no draw has killed one that had made tokens";
  for (const auto& worker : workers) EXPECT_TRUE(worker->running()) << worker->err();
}

TEST_F(JournaledRun, WithItsKeysFindsTheWorkersThatItLetIn) {
  max_tokens_ = "2000";
  const Words more = keys("here") + journal() + Words{"--ignore-eos"};
  start(more);
  std::vector<std::unique_ptr<Program>> workers;
  for (const char* name : {"left", "right"})
    workers.push_back(std::make_unique<Program>(
        lingua_command(Words{"worker", "--join", lines_[name]} + keys(name))));
  ASSERT_TRUE(eventually([&] { return run_->err().find("answering") != std::string::npos; }))
      << run_->err();
  kill_now(*run_);
  start(more);
  EXPECT_TRUE(lines_.empty()) << "none is new to it";
  const Outcome outcome = run_->wait();
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GT(outcome.json()["resumed"]["tokens"], 0);
  EXPECT_EQ(tokens_of(outcome.json()),
            tokens_of(lingua({"run", "--local", "--workers", "2", "--planner", "even", "--model",
                              tiny_model(), "--max-tokens", max_tokens_, "--ignore-eos", "--json"})
                          .json()));
}

TEST_F(JournaledRun, AllThatIsAnsweredNeedsNoWorker) {
  const nlohmann::json whole = lingua(local(journal())).json();
  EXPECT_EQ(whole["resumed"]["tokens"], 0);
  const std::string noted = read_file(folder_.file("journal"));
  // No worker joins, and all that it is to write is there.
  const Outcome again =
      lingua(remote(journal() + Words{"--log", folder_.file("log.csv"), "--timeline",
                                      folder_.file("timeline.json"), "--trace-messages",
                                      folder_.file("messages.csv")}));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("3 of 3 requests were answered, 1800 tokens are there"));
  EXPECT_EQ(tokens_of(again.json()), tokens_of(whole));
  EXPECT_EQ(again.json()["resumed"], nlohmann::json({{"requests", 3}, {"tokens", 1800}}));
  EXPECT_EQ(read_file(folder_.file("journal")), noted);
  for (const char* file : {"log.csv", "timeline.json", "messages.csv"})
    EXPECT_TRUE(fs::exists(folder_.file(file))) << file;
}

TEST_F(JournaledRun, GoesOnWithOtherCutsDevicesAndOrder) {
  const nlohmann::json whole = lingua(local()).json();
  {
    Program program(lingua_command(local(journal())));
    ASSERT_TRUE(eventually([&] {
      return program.err().find("answering:  50%") != std::string::npos || !program.running();
    }));
    kill_now(program);
  }
  const Outcome outcome =
      lingua(Words{"run", "--local", "--workers", "3", "--max-segments", "5", "--chunk", "2"} +
             asked() + journal());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GE(outcome.json()["resumed"]["tokens"], 800);
  EXPECT_EQ(tokens_of(outcome.json()), tokens_of(whole));
}

// ---- what is no journal of this run ----

class RefusedJournal : public NetworkRun {
 protected:
  Words command(const std::string& file) const {
    return {"run",          "--local",    "--workers",       "2",     "--planner",    "even",
            "--model",      tiny_model(), "--prompt-tokens", "1,2,3", "--max-tokens", "6",
            "--ignore-eos", "--json",     "--journal",       file};
  }
};

TEST_F(RefusedJournal, OfAnotherModelOrOtherRequestsStaysAsItIs) {
  const std::string file = folder_.file("journal");
  ASSERT_EQ(lingua(command(file)).exit_code, 0);
  const std::string noted = read_file(file);
  const auto refused = [&](const std::string& option, const std::string& value,
                           const std::string& words) {
    Words other = command(file);
    const auto place = std::find(other.begin(), other.end(), option);
    if (place == other.end()) {
      other.insert(other.end(), {option, value});
    } else {
      *(place + 1) = value;
    }
    expect_refused(lingua(other), 3, {file, words});
    EXPECT_EQ(read_file(file), noted) << option;
  };
  refused("--max-tokens", "7", "another request 0 than this run: max_tokens is 6 there and 7 here");
  refused("--prompt-tokens", "1,2,4", "its prompt is another");
  refused("--temperature", "0.5", "temperature is 0 there and 0.5 here");
  refused("--dtype", "float32", "its dtype is 'bf16' there and 'fp32' here");
  refused("--int8", "all", "its dtype is 'bf16' there and 'bf16 and int8' here");
  refused("--wire", "int8", "--wire is 'fp32' there and 'int8' here");
  // One of the same name and shapes, trained a little further; and one that is set up otherwise.
  const std::string other = folder_.file("tiny");
  fs::copy(tiny_model(), other);
  std::fstream weights(other + "/model.safetensors",
                       std::ios::in | std::ios::out | std::ios::binary);
  weights.seekp(-2, std::ios::end);
  weights << "xy";
  weights.close();
  refused("--model", other, "its weights is '");
  fs::copy(tiny_model() + "/model.safetensors", other + "/model.safetensors",
           fs::copy_options::overwrite_existing);
  auto config = nlohmann::json::parse(std::ifstream(other + "/config.json"));
  config["layer_norm_epsilon"] = 1e-3;
  std::ofstream(other + "/config.json") << config.dump();
  refused("--model", other, "its settings is '");
}

TEST_F(RefusedJournal, WhatIsNone) {
  write("text", "some text\n");
  expect_refused(lingua(command(folder_.file("text"))), 3, {"text", "is no journal"});
  EXPECT_EQ(read_file(folder_.file("text")), "some text\n");
  expect_refused(lingua(command(folder_.path())), 3, {"--journal", "is a folder"});
  expect_refused(lingua(command("/nonexistent/journal")), 3, {"--journal", "/nonexistent"});
  expect_refused(lingua(command("/dev/null")), 3, {"/dev/null", "no file that a journal"});
  expect_refused(lingua({"run", "--connect", "http://127.0.0.1:1", "--prompt", "x", "--journal",
                         folder_.file("journal")}),
                 2, {"--journal"});
}

TEST_F(RefusedJournal, ThatARunHasOpen) {
  const std::string file = folder_.file("journal");
  Words endless = command(file);
  *(std::find(endless.begin(), endless.end(), "--max-tokens") + 1) = "100000";
  Program first(lingua_command(endless));
  ASSERT_TRUE(eventually([&] { return first.err().find("answering") != std::string::npos; }));
  expect_refused(lingua(endless), 5, {file, "is the journal of a run that is under way"});
  ::kill(first.pid(), SIGINT);
  first.wait(seconds(10));
}

// What is behind the damage is made again.
TEST_F(RefusedJournal, IsNotOneThatIsDamagedBehindItsBeginning) {
  const std::string file = folder_.file("journal");
  const nlohmann::json whole = lingua(command(file)).json();
  const std::string noted = read_file(file);
  for (const std::size_t cut : {1U, 60U, 100U}) {
    std::ofstream(file, std::ios::binary) << noted.substr(0, noted.size() - cut);
    const Outcome outcome = lingua(command(file));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(file + ": its last record was cut short; "));
    EXPECT_EQ(tokens_of(outcome.json()), tokens_of(whole));
    EXPECT_EQ(read_file(file), noted);
  }
  std::string flipped = noted;
  flipped[noted.size() - 100] = static_cast<char>(flipped[noted.size() - 100] ^ 4);
  std::ofstream(file, std::ios::binary) << flipped;
  const Outcome outcome = lingua(command(file));
  EXPECT_THAT(outcome.err, HasSubstr(file + ": a record is damaged; "));
  EXPECT_EQ(tokens_of(outcome.json()), tokens_of(whole));
  EXPECT_EQ(read_file(file), noted);
}

}  // namespace
}  // namespace lingua::testing
