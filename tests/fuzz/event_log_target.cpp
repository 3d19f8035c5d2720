#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/events/event_log.h"
#include "runtime/events/log_diff.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"
#include "runtime/events/timeline.h"
#include "tests/fuzz/target.h"
#include "tests/support/memory_file.h"

namespace lingua::testing {
namespace {

void check_finite(const nlohmann::json& json) {
  if (json.is_structured()) {
    for (const nlohmann::json& inner : json) check_finite(inner);
  } else if (json.is_number()) {
    LINGUA_CHECK(std::isfinite(json.get<double>()));
  }
}

// All that the program makes of a log: metrics that are numbers, a table, a timeline, a comparison.
void run(const std::string& bytes) {
  static const MemoryFile content;
  content.write(bytes);
  const EventLog log = read_event_log(content.path());
  Metrics metrics = compute_metrics(log);
  metrics.goodput = goodput_of(metrics, {Seconds(1), Seconds(1)});
  LINGUA_CHECK(metrics.goodput->share >= 0 && metrics.goodput->share <= 1);
  check_finite(summary_json(metrics));
  summary_table(metrics);
  timeline_json(log, "fuzzed");
  for (const bool times : {true, false}) {
    const LogComparison how{times, Seconds(0), 3};
    LINGUA_CHECK(!first_difference(log, log, how));
    LINGUA_CHECK(first_difference(log, {}, how).has_value() == !log.rows().empty());
  }
  content.write(log.to_csv());
  LINGUA_CHECK(read_event_log(content.path()).to_csv() == log.to_csv());
}

std::vector<std::string> samples() {
  const std::string columns = "who,what,segment,request,step,start,end,bytes\n";
  return {
      columns +
          "a,load,0,-1,-1,0,0.5,100\nclient,arrival,-1,0,-1,0.75,0.75,0\na,request,-1,0,-1,1,9,0\n"
          "a,step,-1,0,0,1,4,0\na,step,-1,0,1,4,6,0\na,compute,0,0,0,1,3,64\nb,compute,1,0,0,3.5,4,"
          "8\n"
          "a->b,transfer,1,0,0,3,3.5,1000\nb->a,result,-1,0,0,4,4.25,50\n",
      columns + "\"a,\"\"b\"\"\",compute,2147483647,9223372036854775807,0,-1e9,1e9,1e18\r\n",
      columns + "no arrow,transfer,-1,-1,-1,0,0,0\na,request,-1,3,-1,5,5,0\n",
      columns,
  };
}

}  // namespace

FuzzTarget event_log_target() { return {"event_log", run, samples}; }

}  // namespace lingua::testing
