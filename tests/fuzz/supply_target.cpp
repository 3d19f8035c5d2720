#include "runtime/base/errors.h"
#include "runtime/supply/supply_file.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

// What is taken keeps its promises and is the same when it is written and read again.
void run(const std::string& bytes) {
  ClusterSpec cluster;
  cluster.name = "lab";
  for (const char* name : {"a", "b-1"}) cluster.devices.push_back({name, 1e9, 1e9, 1e9});
  const SupplyTrace supply = parse_supply(bytes, "fuzzed.csv", cluster);
  for (const auto& [device, points] : supply.devices()) {
    LINGUA_CHECK(!points.empty());
    for (const SupplyPoint& point : points) {
      LINGUA_CHECK(point.from >= Seconds(0) && point.state.speed > 0 && point.state.bandwidth > 0);
      LINGUA_CHECK(supply.state_at(device, point.from) == point.state);
    }
    LINGUA_CHECK(end_of_work(supply, device, Seconds(0), Seconds(1)) > Seconds(0));
  }
  LINGUA_CHECK(parse_supply(supply_csv(supply), "again.csv", cluster).devices() ==
               supply.devices());
}

std::vector<std::string> samples() {
  return {
      "time_s,device,speed,bandwidth,present,battery,temperature_c\n0,a,0.5,,,,\n"
      "1.5,b-1,,2,false,0.75,-3.5\n1.5,a,,,true,,\n1e3,a,1,0.25,,1,40\n",
      "\xEF\xBB\xBFspeed,device,time_s\r\n\"0.25\", a ,1e-3\r\n\r\n1e-6,b-1,1000000000",
      "time_s,device,battery\n7,a,0.5\n8,a,0.25\n8,a,0.75\n",
  };
}

}  // namespace

FuzzTarget supply_target() { return {"supply", run, samples}; }

}  // namespace lingua::testing
