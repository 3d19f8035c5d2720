// Real processes that take as long as the phones of a cluster file, and the messages of every world.

#include <csignal>
#include <map>
#include <sstream>

#include "tests/cli/network_run_fixture.h"

namespace lingua::testing {
namespace {

using ::testing::HasSubstr;

// time,what,from,to,kind,epoch,request,step,bytes,arrived
using Row = std::vector<std::string>;

std::vector<Row> rows_of(const std::string& file) {
  std::vector<Row> rows;
  std::istringstream text(read_file(file));
  std::string line;
  std::getline(text, line);
  EXPECT_EQ(line, "time,what,from,to,kind,epoch,request,step,bytes,arrived");
  while (std::getline(text, line)) {
    Row& row = rows.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) row.push_back(field);
    EXPECT_EQ(row.size(), 10U) << line;
  }
  return rows;
}

class PacedRun : public LinguaTest {
 protected:
  PacedRun() {
    write("slow.yaml",
          "name: slow\ndevices:\n"
          "  - {name: anna, compute: 20 MFLOP/s, memory_bandwidth: 20 MB/s, memory: 4 MB}\n"
          "  - {name: ben, compute: 10 MFLOP/s, memory_bandwidth: 20 MB/s, memory: 4 MB}\n"
          "  - {name: carla, compute: 20 MFLOP/s, memory_bandwidth: 30 MB/s, memory: 4 MB}\n"
          "links: {default: {bandwidth: 200 kB/s, latency: 5 ms}}\n"
          "medium: {bandwidth: 300 kB/s}\n");
  }
  std::vector<std::string> job(const std::vector<std::string>& more = {}) const {
    return std::vector<std::string>{
               "--model",         tiny_model(), "--cluster",    slow(), "--planner",    "even",
               "--prompt-length", "12",         "--max-tokens", "6",    "--requests",   "6",
               "--in-flight",     "3",          "--threads",    "1",    "--ignore-eos", "--json"} +
           more;
  }
  std::string slow() const { return folder_.file("slow.yaml"); }
  nlohmann::json done(const std::vector<std::string>& verb,
                      const std::vector<std::string>& more = {}) const {
    const Outcome outcome = lingua(verb + job(more));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    err_ = outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }

  mutable std::string err_;
};

// How close they are, experiments/04-paced-workers tells. Here the machine may be busy: never faster than
// the phones, and far slower than unpaced.
TEST_F(PacedRun, TakesAsLongAsTheSimulatedPhones) {
  const auto simulated = done({"simulate"});
  const auto paced = done({"run", "--local", "--pace"});
  EXPECT_THAT(err_, HasSubstr("pace: "));
  const double should_s = simulated["makespan_s"];
  EXPECT_GT(should_s, 1);
  EXPECT_GT(paced["makespan_s"].get<double>(), 0.98 * should_s);
  EXPECT_LT(paced["makespan_s"].get<double>(), 3 * should_s);
  EXPECT_GT(paced["deployment_s"].get<double>(), 0.9 * simulated["deployment_s"].get<double>())
      << "weights go over the links too";
  const auto at_once = done({"run", "--local"});
  EXPECT_LT(at_once["makespan_s"].get<double>(), paced["makespan_s"].get<double>());
  ASSERT_EQ(paced["requests"].size(), 6U);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(paced["requests"][i]["tokens"], at_once["requests"][i]["tokens"]);
  for (const char* name : {"anna", "ben", "carla"}) {
    EXPECT_GT(paced["pace"][name]["work"]["count"].get<int>(), 0) << name;
    EXPECT_GT(paced["pace"][name]["messages"]["count"].get<int>(), 0) << name;
  }
}

TEST_F(PacedRun, IsRefusedWhereNobodySaysHowLongItShouldTake) {
  const auto refused = [&](const std::vector<std::string>& more,
                           const std::vector<std::string>& words) {
    expect_refused(lingua(std::vector<std::string>{"run", "--model", tiny_model()} + more), 2,
                   words);
  };
  refused({"--pace", "--local"}, {"--pace", "--cluster"});
  refused({"--pace", "--cluster", slow()}, {"--pace", "--local"});
  refused({"--pace"}, {"--pace", "--local"});
}

class Messages : public PacedRun {
 protected:
  std::vector<Row> messages(const std::vector<std::string>& verb) const {
    const std::string file = folder_.file("messages.csv");
    done(verb, {"--trace-messages", file});
    return rows_of(file);
  }
  // Of what depends on the plan and the requests alone: how often, by "what kind from>to".
  static std::map<std::string, int> counts(const std::vector<Row>& rows) {
    std::map<std::string, int> counts;
    for (const Row& row : rows) {
      for (const char* kind :
           {"Activations", "StepResult", "Submit", "Done", "TokenMade", "Release"}) {
        if (row[4] == kind) ++counts[row[1] + " " + row[4] + " " + row[2] + ">" + row[3]];
      }
    }
    return counts;
  }
};

TEST_F(Messages, AreTheSameInEveryWorld) {
  const auto simulated = messages({"simulate"});
  const auto expected = counts(simulated);
  EXPECT_EQ(expected.at("sent Submit client:1>coordinator"), 6);
  EXPECT_EQ(expected.at("received Done coordinator>client:1"), 6);
  EXPECT_EQ(expected.at("sent Activations anna>ben"), 36);
  EXPECT_EQ(expected.at("received Activations anna>ben"), 36);
  EXPECT_EQ(counts(messages({"emulate"})), expected);
  EXPECT_EQ(counts(messages({"run", "--local"})), expected);
}

TEST_F(Messages, AreReceivedOnceEachInTheOrderOfTheirPair) {
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"simulate"}, {"run", "--local"}}) {
    std::map<std::string, std::vector<std::string>> sent;
    std::map<std::string, std::vector<std::string>> received;
    double before = 0;
    for (const Row& row : messages(verb)) {
      if (row[4] == "PeerLost") continue;  // which nobody sent
      const double time = std::stod(row[0]);
      EXPECT_GE(time, before);
      before = time;
      (row[1] == "sent" ? sent : received)[row[2] + ">" + row[3]].push_back(
          row[4] + " " + row[6] + " " + row[7] + " " + row[8]);
      if (row[1] == "sent") {
        EXPECT_EQ(row[9], "-1");
      } else {
        EXPECT_LE(std::stod(row[9]), time);
      }
    }
    EXPECT_GT(received.size(), 6U);
    for (const auto& [pair, taken] : received) {
      ASSERT_LE(taken.size(), sent[pair].size()) << pair;
      for (std::size_t i = 0; i < taken.size(); ++i) EXPECT_EQ(taken[i], sent[pair][i]) << pair;
    }
  }
}

TEST_F(Messages, OfARunThatASignalEndsAreThereToo) {
  const std::string file = folder_.file("messages.csv");
  Program program(lingua_command(std::vector<std::string>{"run", "--local", "--pace"} +
                                 job({"--trace-messages", file})));
  ASSERT_TRUE(eventually([&] {
    return !program.running() || program.err().find("100%") != std::string::npos;
  })) << program.err();
  ::kill(program.pid(), SIGINT);
  EXPECT_EQ(program.wait(std::chrono::seconds(60)).exit_code, 128 + SIGINT);
  std::map<std::string, int> stops;
  for (const Row& row : rows_of(file)) {
    if (row[4] == "Stop") ++stops[row[1] + " " + row[3]];
  }
  for (const std::string name : {"anna", "ben", "carla"}) {
    EXPECT_GE(stops["sent " + name], 1) << name;
    EXPECT_EQ(stops["received " + name], 1) << "workers' own are merged in";
  }
}

TEST_F(Messages, AreRefusedAFileThatCannotBeBeforeTheWorkBegins) {
  expect_refused(lingua(std::vector<std::string>{"run", "--local"} +
                        job({"--trace-messages", folder_.file("no/such/folder.csv")})),
                 3, {"--trace-messages", "folder.csv"});
}

}  // namespace
}  // namespace lingua::testing
