// `lingua sweep`, `rerun`, `report` and `plot` on simulations of the program itself.

#include <chrono>
#include <regex>
#include <sstream>
#include <thread>

#include "tests/cli/lingua_fixture.h"

namespace lingua {
namespace {

using nlohmann::json;
using testing::expect_refused;
using ::testing::HasSubstr;
using testing::lingua;
using ::testing::Not;
using testing::Outcome;
using testing::operator+;

class SweepVerb : public testing::LinguaTest {
 protected:
  SweepVerb() { write("sweep.yaml", spec()); }

  // 10 points of 12.
  static std::string spec(const std::string& name = "shares") {
    return "name: " + name +
           "\n"
           "base: {model: bloom-560m, cluster: '" +
           testing::kThreePhones +
           "', prompt-length: 8, max-tokens: 4}\n"
           "axes:\n"
           "  planner: [even, dp]\n"
           "  in-flight: [1, 3]\n"
           "  seed: 1..3\n"
           "exclude: ['planner == \"even\" and seed > 2']\n"
           "keep: [tokens_per_s, makespan_s, digest]\n";
  }
  std::string file(const std::string& name) const { return folder_.file(name); }
  Outcome sweep(std::vector<std::string> words) const {
    words.insert(words.begin(), "sweep");
    return lingua(words);
  }
  Outcome run(const std::string& database, const std::vector<std::string>& more = {}) const {
    return sweep(
        std::vector<std::string>{"run", file("sweep.yaml"), "--db", file(database), "--json"} +
        more);
  }
  std::string digest(const std::string& database) const {
    return sweep({"digest", file(database)}).out;
  }
};

TEST_F(SweepVerb, RunsEachPointOnceAndARowRunsAgainAlone) {
  const json planned = sweep({"plan", file("sweep.yaml"), "--samples", "2", "--json"}).json();
  EXPECT_EQ(planned["points"], 10);
  EXPECT_EQ(planned["excluded"], 2);
  EXPECT_EQ(planned["sampled"], 2);
  const json first = run("a.db").json();
  EXPECT_EQ(first["done"], 10);
  EXPECT_EQ(first["failed"], 0);
  const json second = run("a.db").json();
  EXPECT_EQ(second["before"], 10);
  EXPECT_EQ(second["done"], 0);
  const json status = sweep({"status", file("a.db"), "--json"}).json();
  EXPECT_EQ(status["left"], 0);
  EXPECT_EQ(status["name"], "shares");

  const Outcome rows = sweep({"export", file("a.db"), "--format", "jsonl"});
  std::istringstream lines(rows.out);
  std::string line;
  int count = 0;
  json last;
  while (std::getline(lines, line)) {
    last = json::parse(line);
    EXPECT_GT(last["results"]["tokens_per_s"], 1) << line;
    ++count;
  }
  EXPECT_EQ(count, 10);

  const Outcome again = lingua({"rerun", file("a.db"), "11", "--timeline", file("t.json")});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("all results are those of the row"));
  EXPECT_GT(json::parse(read_file(file("t.json"))).size(), 0U);
  // The command that it names gives the same numbers.
  std::smatch found;
  ASSERT_TRUE(std::regex_search(again.err, found, std::regex("lingua (simulate [^\n]*)\n")));
  const Outcome alone = testing::run_program(
      {"sh", "-c", std::string("'") + LINGUA_PROGRAM + "' " + found[1].str() + " --json"});
  EXPECT_EQ(alone.json()["tokens_per_s"], last["results"]["tokens_per_s"]);
  EXPECT_EQ(alone.json()["digest"], last["results"]["digest"]);
}

TEST_F(SweepVerb, KilledAndInterruptedItEndsWithTheRowsOfOneLeftAlone) {
  run("alone.db");
  const std::string begin = std::string("'") + LINGUA_PROGRAM + "' sweep run '" +
                            file("sweep.yaml") + "' --db '" + file("b.db") + "' --workers 1";
  // Once it has begun.
  const Outcome interrupted =
      testing::run_program({"sh", "-c",
                            begin + " & while [ ! -e '" + file("b.db") +
                                "' ]; do sleep 0.05; done; kill -TERM $!; wait $!"});
  testing::run_program({"sh", "-c", "timeout -s KILL 1.3 " + begin});
  const json rest = run("b.db").json();
  EXPECT_EQ(rest["before"].get<int>() + rest["done"].get<int>(), 10);
  EXPECT_EQ(interrupted.exit_code, 143) << interrupted.err;
  EXPECT_THAT(interrupted.err, HasSubstr("the same command goes on from there"));
  EXPECT_EQ(digest("b.db"), digest("alone.db"));
}

TEST_F(SweepVerb, ShardsByTheirCommandsMakeTheDatabaseOfOneRun) {
  run("alone.db");
  const Outcome commands =
      sweep({"run", file("sweep.yaml"), "--db", file("part.db"), "--commands", "--shards", "3"});
  const Outcome made =
      testing::run_program({"sh", "-c",
                            "lingua() { '" + std::string(LINGUA_PROGRAM) + "' \"$@\"; }\n" +
                                commands.out + "lingua sweep merge '" + file("all.db") + "' '" +
                                folder_.path().string() + "'/part-*-of-3.db --json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(made.json()["rows"], 10);
  EXPECT_EQ(made.json()["missing"], 0);
  EXPECT_EQ(digest("all.db"), digest("alone.db"));
  const Outcome script =
      sweep({"run", file("sweep.yaml"), "--db", file("part.db"), "--slurm", "--shards", "3"});
  EXPECT_THAT(script.out, HasSubstr("#SBATCH --array=1-3\n"));
}

TEST_F(SweepVerb, WhatFailsIsARowWithItsReason) {
  write("sweep.yaml", "base: {model: bloom-3b, dtype: fp32, cluster: '" + testing::kThreePhones +
                          "'}\naxes: {planner: [even, dp], max-tokens: [1, 2]}\n");
  const Outcome outcome = sweep({"run", file("sweep.yaml"), "--db", file("f.db")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("infeasible: "));
  EXPECT_THAT(sweep({"export", file("f.db")}).out, HasSubstr("failed,\"infeasible: "));
}

TEST_F(SweepVerb, AnswersBadInputInOneLine) {
  const std::vector<std::string> db = {"--db", file("x.db")};
  const auto refused = [&](const std::string& text, const std::vector<std::string>& words) {
    write("bad.yaml", text);
    expect_refused(sweep(std::vector<std::string>{"run", file("bad.yaml")} + db), 3, words);
    EXPECT_FALSE(std::filesystem::exists(file("x.db")));
  };
  refused("axes: {planer: [dp]}\n", {"bad.yaml: axes", "planer", "one of planner"});
  refused("axes: {planner: []}\n", {"bad.yaml: axes.planner"});
  refused("base: {timeline: t.json}\naxes: {seed: 1..2}\n", {"bad.yaml: base", "timeline"});
  refused("base: {model: bloom-560m}\naxes: {seed: 1..2}\nexclude: ['seed >']\n", {"exclude"});
  expect_refused(sweep({"run", file("sweep.yaml"), "--db", file("x.db"), "--shard", "4/3"}), 2,
                 {"--shard", "4/3"});
  expect_refused(sweep({"run", file("sweep.yaml"), "--db", file("x.db"), "--shards", "3"}), 2,
                 {"--commands"});
  expect_refused(sweep({"status", file("none.db")}), 3, {"none.db"});
  expect_refused(sweep({"status", file("sweep.yaml")}), 3, {"sweep.yaml"});
  run("a.db");
  expect_refused(lingua({"rerun", file("a.db"), "1000"}), 2, {"1000"});
  write("sweep.yaml", spec("another"));
  expect_refused(run("a.db"), 3, {"a.db", "another"});
}

TEST_F(SweepVerb, IsShownAsAPageAndAsFigures) {
  run("a.db");
  const Outcome page = lingua({"report", file("a.db"), "--out", file("a.html")});
  ASSERT_EQ(page.exit_code, 0) << page.err;
  const std::string html = read_file(file("a.html"));
  EXPECT_THAT(html, HasSubstr("tokens_per_s"));
  EXPECT_THAT(html, HasSubstr("content=\"default-src 'none';"));
  EXPECT_THAT(html, HasSubstr(", the best"));
  EXPECT_THAT(html, HasSubstr("what each device runs"));
  EXPECT_THAT(html, HasSubstr("When each device did what"));
  const std::vector<std::string> report = {"report", file("a.db"), "--out", file("b.html")};
  ASSERT_EQ(lingua(report + std::vector<std::string>{"--show", "none"}).exit_code, 0);
  EXPECT_THAT(read_file(file("b.html")), Not(HasSubstr("When each device did what")));
  ASSERT_EQ(lingua(report + std::vector<std::string>{"--show", "0", "--show", "1"}).exit_code, 0);
  EXPECT_THAT(read_file(file("b.html")), HasSubstr("Point 1: when it did what"));
  expect_refused(lingua(report + std::vector<std::string>{"--show", "1000"}), 2, {"1000"});
  for (const char* kind : {"lines", "bars", "boxes", "points"}) {
    const Outcome plot = lingua({"plot", file("a.db"), "--x", "in-flight", "--y", "tokens_per_s",
                                 "--series", "planner", "--kind", kind, "--out", file("a.svg")});
    ASSERT_EQ(plot.exit_code, 0) << plot.err;
    EXPECT_THAT(read_file(file("a.svg")), HasSubstr("tokens/s"));
  }
  const Outcome one = lingua({"plot", file("a.db"), "--x", "in-flight", "--y", "tokens_per_s",
                              "--only", "planner=dp", "--out", file("b.pdf")});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(read_file(file("b.pdf")).substr(0, 4), "%PDF");
  const std::vector<std::string> plot = {"plot", file("a.db"), "--out", file("c.svg"), "--x"};
  expect_refused(lingua(plot + std::vector<std::string>{"in-flight", "--y", "tokens"}), 3,
                 {"tokens"});
  expect_refused(lingua(plot + std::vector<std::string>{"in-flight", "--y", "tokens_per_s"}), 3,
                 {"planner"});
  expect_refused(lingua(plot + std::vector<std::string>{"in-flight", "--y", "tokens_per_s",
                                                        "--only", "planner=best"}),
                 2, {"--only", "best", "dp"});
}

}  // namespace
}  // namespace lingua
