#include "runtime/arrivals/trace_file.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kOurs = "arrival_s,prompt_tokens,output_tokens\n";
constexpr const char* kAzure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

std::vector<Arrival> arrivals(const std::string& text) { return parse_trace(text, "t").arrivals; }

std::string refusal(const std::string& text) {
  try {
    parse_trace(text, "my/trace.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "(taken)";
}

TEST(TraceFile, OfOursIsRead) {
  EXPECT_EQ(arrivals(kOurs + std::string("0,16,4\n0.5,1,100000000\n0.5,3,2\n1e3,4,5\n")),
            (std::vector<Arrival>{{Seconds(0), 16, 4},
                                  {Seconds(0.5), 1, kMostTraceTokens},
                                  {Seconds(0.5), 3, 2},
                                  {Seconds(1000), 4, 5}}));
}

TEST(TraceFile, OfAzuresIsReadAsItIsWithItsFirstRequestAtZero) {
  const std::string rows =
      "2023-11-16 18:17:03.9799600,4808,10\r\n"
      "2023-11-16 18:17:04.0319600,110,27\r\n"
      "2023-11-17 00:00:00,3,4\r\n"
      "2024-02-29 00:00:00.5,5,6";
  const std::vector<Arrival> read = arrivals("TIMESTAMP,ContextTokens,GeneratedTokens\r\n" + rows);
  ASSERT_EQ(read.size(), 4U);
  EXPECT_EQ(read[0], (Arrival{Seconds(0), 4808, 10}));
  EXPECT_DOUBLE_EQ(read[1].at.count(), 0.052);
  EXPECT_EQ(read[1].prompt_tokens, 110);
  EXPECT_EQ(read[1].output_tokens, 27);
  // Python: datetime(2023, 11, 17) - datetime(2023, 11, 16, 18, 17, 3, 979960), and so on.
  EXPECT_NEAR(read[2].at.count(), 20576.02004, 1e-6);
  EXPECT_NEAR(read[3].at.count(), 9006176.52004, 1e-6);
}

TEST(TraceFile, OfMooncakesIsReadAsItIs) {
  EXPECT_EQ(
      arrivals(
          "{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, "
          "1, 2]}\n"
          "{\"timestamp\": 27482, \"input_length\": 7319, \"output_length\": 490, \"hash_ids\": "
          "[0, 14]}\r\n\n"
          "{\"output_length\":1,\"type\":\"text\",\"timestamp\":30000.5,\"input_length\":2}"),
      (std::vector<Arrival>{
          {Seconds(0), 6758, 500}, {Seconds(27.482), 7319, 490}, {Seconds(30.0005), 2, 1}}));
}

TEST(TraceFile, TakesWhatOtherProgramsPutAroundCsv) {
  const std::vector<Arrival> expected = {{Seconds(1), 2, 3}};
  EXPECT_EQ(arrivals("\xEF\xBB\xBF"
                     "arrival_s,prompt_tokens,output_tokens\r\n1,2,3\r\n"),
            expected);
  EXPECT_EQ(arrivals("\n\"arrival_s\",\"prompt_tokens\",\"output_tokens\"\n\n\"1\", 2 ,3\n\n"),
            expected);
  EXPECT_EQ(arrivals("\xEF\xBB\xBF{\"timestamp\":1e3,\"input_length\":2,\"output_length\":3}"),
            expected);
}

TEST(TraceFile, KnowsItsNameAndSource) {
  const RequestTrace trace = parse_trace(kOurs + std::string("1,2,3\n"), "some/where/day.csv");
  EXPECT_EQ(trace.name, "day");
  EXPECT_EQ(trace.source, "some/where/day.csv");
  EXPECT_EQ(trace.clients, 0);
}

TEST(TraceFile, IsTheSameToTheLastBitWhenWrittenAndReadAgain) {
  RequestTrace trace{"a", "b", {}, 0};
  for (int r = 0; r < 100; ++r)
    trace.arrivals.push_back({Seconds(r / 7.0), r + 1, kMostTraceTokens - r});
  EXPECT_EQ(arrivals(trace_csv(trace)), trace.arrivals);
  const TemporaryFolder folder;
  write_trace(trace, folder.file("t.csv"));
  EXPECT_EQ(read_trace(folder.file("t.csv")).arrivals, trace.arrivals);
  trace.clients = 1;
  EXPECT_THROW(trace_csv(trace), BugError);
}

TEST(TraceFile, IsRefusedWithFileLineFieldAndValue) {
  const struct {
    std::string text;
    std::vector<std::string> words;
  } cases[] = {
      {"-0.5,2,3", {"my/trace.csv:2: arrival_s: '-0.5' is not accepted", "from 0 to 1000000000"}},
      {"nan,2,3", {":2: arrival_s: 'nan'"}},
      {"inf,2,3", {":2: arrival_s: 'inf'"}},
      {",2,3", {":2: arrival_s: ''"}},
      {"1e10,2,3", {":2: arrival_s: '1e10'"}},
      {"1s,2,3", {":2: arrival_s: '1s'"}},
      {"1,0,3", {":2: prompt_tokens: '0'", "a whole number from 1 to 100000000"}},
      {"1,2,-3", {":2: output_tokens: '-3'"}},
      {"1,2.5,3", {":2: prompt_tokens: '2.5'"}},
      {"1,2,100000001", {":2: output_tokens: '100000001'"}},
      {"1,2,99999999999999999999999", {":2: output_tokens: '99999999999999999999999'"}},
      {"1,2", {":2: '1,2' has 2 columns; write 3: arrival_s,prompt_tokens,output_tokens"}},
      {"1,2,3,4", {":2: '1,2,3,4' has 4 columns"}},
      {"1,2,3\n\n2,3,4\n1.5,3,4", {":5: arrival_s: '1.5' is before the request above it"}},
      {"1,2,3\n1,\"2,3", {":3: '1,\"2,3' is no line of CSV"}},
      {"1,2,3\n1,\xff\xfe,3", {":3: prompt_tokens: '\xef\xbf\xbd\xef\xbf\xbd'"}},
      {"1,\x1b[31m2,3", {":2: prompt_tokens: '\\x1b[31m2'"}},
      {"", {"my/trace.csv:1: no request stands in it"}},
      {std::string(2 << 20, '1'), {":2: has 2097152 bytes; a line has at most 1048576"}},
  };
  for (const auto& one : cases) {
    const std::string said = refusal(kOurs + one.text);
    for (const std::string& word : one.words) {
      EXPECT_THAT(said, HasSubstr(word)) << one.text.substr(0, 80);
    }
    EXPECT_LT(said.size(), 300U) << said;
    EXPECT_THAT(said, Not(HasSubstr("\n")));
  }
}

TEST(TraceFile, OfAzuresIsRefusedForTimesThatAreNone) {
  for (const char* time :
       {"", "2023-11-16", "2023-11-16T18:17:03", "2023-13-01 00:00:00", "2023-02-29 00:00:00",
        "2023-11-16 24:00:00", "2023-11-16 18:60:00", "2023-11-16 18:17:61", "2023-11-16 18:17:03.",
        "2023-11-16 18:17:03.12345678", "2023-11-16 18:17:03.12x", "2023-11-16 18:17:03+00:00",
        "16.11.2023 18:17:03", "1700158623"}) {
    EXPECT_THAT(refusal(kAzure + std::string(time) + ",2,3\n"),
                AllOf(HasSubstr("my/trace.csv:2: TIMESTAMP: '" + std::string(time) + "'"),
                      HasSubstr("2023-11-16 18:17:03.9799600")));
  }
  EXPECT_THAT(refusal(kAzure + std::string("2023-11-16 18:17:04,2,3\n2023-11-16 18:17:03,2,3\n")),
              HasSubstr(":3: TIMESTAMP: '2023-11-16 18:17:03' is before"));
}

TEST(TraceFile, OfMooncakesIsRefusedWithLineMemberAndValue) {
  const auto with = [](const std::string& time, const std::string& in, const std::string& out) {
    return R"({"timestamp":0,"input_length":1,"output_length":1})"
           "\n{\"timestamp\":" +
           time + ",\"input_length\":" + in + ",\"output_length\":" + out + "}";
  };
  EXPECT_EQ(refusal(with("1", "2", "3")), "(taken)");
  EXPECT_THAT(refusal(with("-1", "2", "3")),
              HasSubstr(":2: timestamp: '-1' is not accepted; write a number of milliseconds"));
  EXPECT_THAT(refusal(with("\"7\"", "2", "3")), HasSubstr(":2: timestamp: '7'"));
  EXPECT_THAT(refusal(with("null", "2", "3")), HasSubstr(":2: timestamp: 'null'"));
  EXPECT_THAT(refusal(with("NaN", "2", "3")), HasSubstr("is no JSON"));
  EXPECT_THAT(refusal(with("1e999", "2", "3")), HasSubstr(":2: "));
  EXPECT_THAT(refusal(with("1", "0", "3")), HasSubstr(":2: input_length: '0'"));
  EXPECT_THAT(refusal(with("1", "2.0", "3")), HasSubstr(":2: input_length: '2.0'"));
  EXPECT_THAT(refusal(with("1", "2", "18446744073709551615")),
              HasSubstr(":2: output_length: '184"));
  EXPECT_THAT(refusal(with("1", "2", "-3")), HasSubstr(":2: output_length: '-3'"));
  EXPECT_THAT(refusal("{\"timestamp\":0,\"input_length\":1}"),
              HasSubstr(":1: output_length: is missing"));
  EXPECT_THAT(refusal("{}\n[1]"), HasSubstr(":1: timestamp: is missing"));
  EXPECT_THAT(refusal(with("1", "2", "3") + "\n[1]"), HasSubstr(":3: '[1]' is no object"));
  EXPECT_THAT(
      refusal(with("1", "2", "3") + "\n{\"timestamp\":0,\"input_length\":1,\"output_length\":1}"),
      HasSubstr(":3: timestamp: '0' is before"));
  const std::string deep(200'000, '[');
  EXPECT_THAT(refusal(with(deep + std::string(200'000, ']'), "2", "3")),
              HasSubstr(":2: timestamp: 'array'"));
  EXPECT_THAT(refusal(with(deep, "2", "3")), HasSubstr("is no JSON"));
}

TEST(TraceFile, OfAnotherKindIsRefusedWithTheKindsThatThereAre) {
  for (const char* text :
       {"time,prompt,output\n1,2,3\n", "1,2,3\n", "TIMESTAMP,ContextTokens\n", "[1,2]",
        "\x7f"
        "ELF\2",
        "arrival_s;prompt_tokens;output_tokens\n"}) {
    EXPECT_THAT(refusal(text), AllOf(HasSubstr("my/trace.csv:1: '"), HasSubstr(" begins no trace"),
                                     HasSubstr("arrival_s,prompt_tokens,output_tokens"),
                                     HasSubstr("TIMESTAMP,ContextTokens,GeneratedTokens"),
                                     HasSubstr("input_length")))
        << text;
  }
  EXPECT_THAT(refusal(""), HasSubstr("no request"));
}

TEST(TraceFile, OfMoreThanItsLimitIsRefusedUnread) {
  const TemporaryFolder folder;
  const std::string file = folder.file("huge.csv");
  std::ofstream(file) << kOurs;
  std::filesystem::resize_file(file, 300 << 20);  // sparse
  EXPECT_THROW(read_trace(file), InputError);
  EXPECT_THROW(read_trace(folder.file("none.csv")), InputError);
  EXPECT_THROW(read_trace(folder.path()), InputError);
}

}  // namespace
}  // namespace lingua
