#pragma once
// What a plan is best for: one goal, or a weighted sum of several.
//
// Units: a weight multiplies seconds (latency, ttft, tpot), seconds per token of all requests together
// (throughput) or joules per token (energy). Smaller sums are better.

#include <string>

namespace lingua {

struct Objective {
  double latency = 0;     // of one request alone, from its prompt to its last token
  double ttft = 0;        // of one request alone, to its first token
  double tpot = 0;        // of one request alone, per further token
  double throughput = 0;  // of the requests in flight together, per token
  double energy = 0;      // of the devices and their radios, per token

  static const Objective kLatency;
  static const Objective kTtft;
  static const Objective kTpot;
  static const Objective kThroughput;
  static const Objective kEnergy;

  bool operator==(const Objective&) const = default;
  // Only throughput counts.
  bool is_throughput() const { return throughput > 0 && latency + ttft + tpot + energy == 0; }
};

inline const Objective Objective::kLatency{.latency = 1};
inline const Objective Objective::kTtft{.ttft = 1};
inline const Objective Objective::kTpot{.tpot = 1};
inline const Objective Objective::kThroughput{.throughput = 1};
inline const Objective Objective::kEnergy{.energy = 1};

// "latency", or "latency=1,energy=0.2"; the one reads what the other writes.
std::string objective_name(const Objective& objective);
Objective parse_objective(const std::string& text);  // UsageError

// A value of the objective for people: "1.20 s", "12.3 tokens/s", "0.81 J/token", "3.14" of a sum.
std::string objective_text(double value, const Objective& objective);

}  // namespace lingua
