#pragma once
// Sweeps to test with: a folder, a specification in it, and an evaluation that is a function of the settings.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"
#include "runtime/sweep/sweep.h"

namespace lingua::testing {

inline std::string check_setting(const std::string&, const std::string& name) {
  for (const char* known : {"model", "cluster", "planner", "seed", "in-flight", "int8", "supply"})
    if (name == known) return "";
  return "model, cluster, planner, seed, in-flight, int8, supply";
}

// 3 planners x 20 seeds x 2 depths, of which 20 are excluded: 100 points.
inline constexpr const char* kHundred =
    "name: hundred\n"
    "base: {model: toy}\n"
    "axes:\n"
    "  planner: [even, dp, cbc]\n"
    "  seed: 1..20\n"
    "  in-flight: [1, 8]\n"
    "exclude: ['planner == \"even\" and in_flight > 2']\n";

inline nlohmann::json evaluate(const std::string&, const nlohmann::json& settings) {
  const auto seed = settings.value("seed", 1);
  const auto planner = settings.value("planner", std::string("none"));
  return {{"tokens_per_s", static_cast<double>(seed) / 3},
          {"latency", {{"mean_s", 1.0 / seed}, {"planner", planner}}},
          {"devices", {{{"busy_s", seed}}, {{"busy_s", 2 * seed}}}}};
}

inline SweepTools tools() {
  SweepTools tools;
  tools.check = check_setting;
  tools.evaluate = evaluate;
  tools.version = "1.0";
  return tools;
}

class SweepFolder {
 public:
  explicit SweepFolder(const std::string& spec = kHundred) { write("sweep.yaml", spec); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  std::filesystem::path path(const std::string& name) const { return folder_.file(name); }

  SweepRunRequest request(const std::string& database = "sweep.db") const {
    SweepRunRequest request;
    request.spec = path("sweep.yaml");
    request.database = path(database);
    request.workers = 2;
    return request;
  }

  SweepRunOutcome run(const std::string& database = "sweep.db", const SweepTools& with = tools(),
                      const SweepShard& shard = {}) const {
    SweepRunRequest asked = request(database);
    asked.shard = shard;
    return run_sweep(asked, with);
  }

  std::string digest(const std::string& database = "sweep.db") const {
    return digest_of_sweep(path(database));
  }

 private:
  TemporaryFolder folder_;
};

// What an error says; "nothing" where there is none.
template <typename E, typename F>
std::string refusal(const F& act) {
  try {
    act();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace lingua::testing
