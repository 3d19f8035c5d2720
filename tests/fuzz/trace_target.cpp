#include "runtime/arrivals/trace_file.h"
#include "runtime/base/errors.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

// What is taken keeps its promises and is the same when it is written and read again.
void run(const std::string& bytes) {
  const RequestTrace trace = parse_trace(bytes, "fuzzed.csv");
  LINGUA_CHECK(!trace.arrivals.empty());
  Seconds before{0};
  for (const Arrival& arrival : trace.arrivals) {
    LINGUA_CHECK(arrival.at >= before && arrival.prompt_tokens > 0 && arrival.output_tokens > 0);
    before = arrival.at;
  }
  summarise(trace);
  LINGUA_CHECK(parse_trace(trace_csv(trace), "again.csv").arrivals == trace.arrivals);
}

std::vector<std::string> samples() {
  return {
      "arrival_s,prompt_tokens,output_tokens\n0,16,4\n0.25,1,100000000\n1e3,\"3\", 2\n",
      "\xEF\xBB\xBFTIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 "
      "18:17:03.9799600,4808,10\r\n"
      "2023-11-16 18:17:04.0319600,110,27\r\n\r\n2024-02-29 00:00:00,3,4",
      R"({"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2]})"
      "\n"
      R"({"timestamp": 27482.5, "input_length": 7319, "output_length": 490, "hash_ids": []})",
  };
}

}  // namespace

FuzzTarget trace_target() { return {"trace", run, samples}; }

}  // namespace lingua::testing
