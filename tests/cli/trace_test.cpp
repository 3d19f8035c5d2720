// `lingua trace` and `lingua log`: what they print, and what they refuse.

#include <nlohmann/json.hpp>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kAzure =
    std::string(LINGUA_SOURCE) + "/traces/requests/azure-2023-conversation.csv";

class TraceVerb : public LinguaTest {};
class LogVerb : public LinguaTest {
 protected:
  static constexpr const char* kColumns = "who,what,segment,request,step,start,end,bytes\n";
  LogVerb() {
    const std::string start =
        std::string(kColumns) + "a,request,-1,0,-1,0,4,0\na,step,-1,0,0,0,2,0\n";
    write("a.csv", start + "a,step,-1,0,1,2,4,0\n");
    write("b.csv", start + "a,step,-1,0,1,2,4.25,0\n");
    write("c.csv", start);
  }
  Outcome diff(const char* a, const char* b, const std::vector<std::string>& more = {}) {
    return lingua(std::vector<std::string>{"log", "diff", folder_.file(a), folder_.file(b)} + more);
  }
};

TEST_F(TraceVerb, DescribesAFileForPeopleAndPrograms) {
  const Outcome people = lingua({"trace", "describe", kAzure});
  EXPECT_EQ(people.exit_code, 0) << people.err;
  EXPECT_THAT(people.out,
              HasSubstr("300 requests, the first at 0.00 s, all in 84.0 s\n3.558 requests/s"));
  EXPECT_THAT(people.out, HasSubstr("of a prompt       900.0     972.0    4085.0      4107\n"));
  const auto json =
      lingua({"trace", "describe", kAzure, "--requests", "10", "--trace-rate", "2", "--json"})
          .json();
  EXPECT_EQ(json.at("requests"), 10);
  EXPECT_DOUBLE_EQ(json.at("span_s").get<double>(), 8.464985 / 2);
  EXPECT_EQ(json.at("output_tokens").at("max"), 152);
}

TEST_F(TraceVerb, MakesTheSameFileForASeedAndReadsItBack) {
  const std::vector<std::string> make = {"trace", "generate", "bursts:2,4", "--requests",
                                         "12",    "--like",   kAzure};
  const Outcome first = lingua(make);
  EXPECT_THAT(first.out, StartsWith("arrival_s,prompt_tokens,output_tokens\n"));
  EXPECT_EQ(lingua(make).out, first.out);
  EXPECT_NE(lingua(make + std::vector<std::string>{"--seed", "2"}).out, first.out);
  write("made.csv", first.out);
  EXPECT_EQ(lingua({"trace", "convert", folder_.file("made.csv")}).out, first.out);
}

TEST_F(TraceVerb, ConvertsAzuresColumnsToOurs) {
  const std::string file = folder_.file("ours.csv");
  EXPECT_EQ(lingua({"trace", "convert", kAzure, "--requests", "2", "-o", file}).exit_code, 0);
  EXPECT_EQ(read_file(file), "arrival_s,prompt_tokens,output_tokens\n0,374,44\n4.314579,396,109\n");
}

TEST_F(TraceVerb, RefusesWhatIsNoTraceOrProcess) {
  write("bad.csv", "arrival_s,prompt_tokens,output_tokens\n1,2,3\n0.5,2,3\n");
  expect_refused(lingua({"trace", "describe", folder_.file("bad.csv")}), 3,
                 {"bad.csv:3: arrival_s: '0.5'"});
  expect_refused(lingua({"trace", "describe", "/nonexistent"}), 3, {"/nonexistent"});
  expect_refused(lingua({"trace", "generate", "uniform:1", "--requests", "2"}), 2,
                 {"'uniform:1'", "poisson:RATE"});
  expect_refused(lingua({"trace", "generate", "closed:4", "--requests", "2"}), 2,
                 {"closed:4 has no times"});
  expect_refused(
      lingua({"trace", "generate", "poisson:1", "--requests", "2", "--prompt-length", "9-2"}), 2,
      {"--prompt-length '9-2'"});
  expect_refused(lingua({"trace", "generate", "poisson:1", "--requests", "0"}), 2, {"--requests"});
  expect_refused(
      lingua({"trace", "generate", "poisson:1", "--requests", "1", "-o", "/nonexistent/t.csv"}), 3,
      {"/nonexistent/t.csv"});
  expect_refused(lingua({"trace"}), 2, {"subcommand"});
}

TEST_F(LogVerb, DiffEndsWithZeroWhereLogsAreEqualAndWithOneWhereTheyPart) {
  const Outcome equal = diff("a.csv", "a.csv");
  EXPECT_EQ(equal.exit_code, 0) << equal.err;
  EXPECT_EQ(equal.out, "equal: 3 events\n");
  const Outcome other = diff("a.csv", "b.csv");
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_EQ(other.err, "");
  EXPECT_EQ(other.out,
            "they part at 2.00 s in an event of a: its end differs, 250 ms later in the "
            "second\n" +
                folder_.file("a.csv") +
                "\n  a,step,-1,0,0,0,2,0\n  a,request,-1,0,-1,0,4,0\n> a,step,-1,0,1,2,4,0\n" +
                folder_.file("b.csv") +
                "\n  a,step,-1,0,0,0,2,0\n  a,request,-1,0,-1,0,4,0\n> a,step,-1,0,1,2,4.25,0\n");
  EXPECT_EQ(diff("a.csv", "b.csv", {"--tolerance", "250 ms"}).exit_code, 0);
  EXPECT_EQ(diff("a.csv", "b.csv", {"--tolerance", "249 ms"}).exit_code, 1);
  EXPECT_EQ(diff("a.csv", "b.csv", {"--no-times"}).exit_code, 0);
  const Outcome fewer = diff("c.csv", "a.csv", {"--no-times", "--before", "0"});
  EXPECT_EQ(fewer.exit_code, 1);
  EXPECT_THAT(fewer.out, HasSubstr("only the second has this event of a at 2.00 s\n"));
  EXPECT_THAT(fewer.out, HasSubstr("c.csv\n> has no such event\n"));
}

TEST_F(LogVerb, DiffSaysTheSameToPrograms) {
  const auto json = diff("a.csv", "b.csv", {"--json", "--before", "1"}).json();
  EXPECT_EQ(json.at("equal"), false);
  EXPECT_EQ(json.at("column"), "end");
  EXPECT_EQ(json.at("a").at("events"), 3);
  EXPECT_EQ(json.at("b").at("event").at("end_s"), 4.25);
  EXPECT_EQ(json.at("b").at("before").size(), 1U);
  EXPECT_EQ(diff("a.csv", "a.csv", {"--json"}).json().at("equal"), true);
  EXPECT_TRUE(diff("a.csv", "c.csv", {"--json"}).json().at("b").at("event").is_null());
}

TEST_F(LogVerb, RefusesWhatIsNoLog) {
  write("bad.csv", std::string(kColumns) + "a,flew,-1,0,-1,0,4,0\n");
  expect_refused(diff("a.csv", "bad.csv"), 3, {"bad.csv:2: what: 'flew'"});
  expect_refused(diff("a.csv", "none.csv"), 3, {"none.csv"});
  expect_refused(diff("a.csv", "b.csv", {"--tolerance", "3"}), 2, {"--tolerance", "'3'"});
  expect_refused(diff("a.csv", "b.csv", {"--tolerance", "1 s", "--no-times"}), 2, {"--no-times"});
  expect_refused(lingua({"log", "metrics", folder_.file("a.csv"), "--slo", "1 s"}), 2,
                 {"'1 s'", "500 ms,50 ms"});
}

TEST_F(LogVerb, MetricsOfASavedLogAreThoseOfTheRun) {
  const std::string log = folder_.file("log.csv");
  const Outcome run = lingua({"simulate", "bloom-560m", "--cluster", kThreePhones, "--planner",
                              "even", "--requests", "4", "--in-flight", "2", "--max-tokens", "3",
                              "--slo", "10 s,1 s", "--log", log, "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto again = lingua({"log", "metrics", log, "--slo", "10 s,1 s", "--json"}).json();
  for (const char* key : {"tokens_per_s", "percentiles", "goodput", "bytes_per_token"}) {
    EXPECT_EQ(again.at(key), run.json().at(key)) << key;
  }
  EXPECT_EQ(again.at("goodput").at("arrived"), 4);
  for (const auto& device : run.json().at("devices")) {
    const auto& idle = device.at("idle_s");
    EXPECT_NEAR(device.at("busy_s").get<double>() + idle.at("link").get<double>() +
                    idle.at("no_input").get<double>(),
                run.json().at("makespan_s").get<double>(), 1e-9);
  }
  EXPECT_EQ(lingua({"log", "diff", log, log}).exit_code, 0);
  EXPECT_THAT(lingua({"log", "metrics", log}).out, HasSubstr("percentile"));
}

TEST_F(LogVerb, TwoSimulationsOfASeedHaveEqualLogsAndAnotherPlanHasNot) {
  const auto simulate = [&](const std::string& planner, const std::string& name) {
    lingua({"simulate", "bloom-560m", "--cluster", kThreePhones, "--planner", planner,
            "--max-tokens", "3", "--log", folder_.file(name)});
  };
  simulate("even", "1.csv");
  simulate("even", "2.csv");
  simulate("compute", "3.csv");
  EXPECT_EQ(diff("1.csv", "2.csv").exit_code, 0);
  EXPECT_EQ(diff("1.csv", "3.csv").exit_code, 1);
}

}  // namespace
}  // namespace lingua::testing
