#include "runtime/plan/objective.h"

#include <gtest/gtest.h>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

TEST(Objective, IsReadAsItIsNamed) {
  for (const Objective& objective :
       {Objective::kLatency, Objective::kTtft, Objective::kTpot, Objective::kThroughput,
        Objective::kEnergy, Objective{.latency = 1, .energy = 0.25}, Objective{.ttft = 2},
        Objective{.tpot = 1e-3, .throughput = 1e3}}) {
    EXPECT_EQ(parse_objective(objective_name(objective)), objective) << objective_name(objective);
  }
  EXPECT_EQ(parse_objective("latency,energy=0.5"), (Objective{.latency = 1, .energy = 0.5}));
  EXPECT_EQ(objective_name({.latency = 1, .energy = 0.5}), "latency=1,energy=0.5");
}

TEST(Objective, RefusesWhatIsNone) {
  for (const char* text : {"", "speed", "latency,", ",latency", "latency=", "latency=0",
                           "latency=-1", "latency=nan", "latency=inf", "latency=1e999",
                           "latency=1x", "latency=1,latency=2", "latency energy", "Latency"}) {
    EXPECT_THROW(parse_objective(text), UsageError) << text;
  }
}

TEST(Objective, ValuesAreShownInTheirUnits) {
  EXPECT_EQ(objective_text(1.2, Objective::kTtft), "1.20 s");
  EXPECT_EQ(objective_text(0.05, Objective::kThroughput), "20 tokens/s");
  EXPECT_EQ(objective_text(0.81, Objective::kEnergy), "0.81 J/token");
  EXPECT_EQ(objective_text(3.14, {.latency = 1, .energy = 1}), "3.14");
}

}  // namespace
}  // namespace lingua
