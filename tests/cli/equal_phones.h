#pragma once
// Three phones that are alike, and a model that is large enough for their plan to matter.

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {

class EqualPhones : public LinguaTest {
 protected:
  EqualPhones() {
    write("equal.yaml",
          "name: equal\ndevices:\n"
          "  - {name: anna, compute: 100 MFLOP/s, memory_bandwidth: 40 MB/s, memory: 4 MB}\n"
          "  - {name: ben, compute: 100 MFLOP/s, memory_bandwidth: 40 MB/s, memory: 4 MB}\n"
          "  - {name: carla, compute: 100 MFLOP/s, memory_bandwidth: 40 MB/s, memory: 4 MB}\n"
          "links: {default: {bandwidth: 2 MB/s, latency: 2 ms}}\n");
    const Outcome made =
        lingua({"model", "random", "bloom:hidden=128,layers=9,heads=4,vocabulary=512", "--seed",
                "3", "-o", folder_.file("model")});
    EXPECT_EQ(made.exit_code, 0) << made.err;
  }
  // What a run of this model on these phones is asked for, three requests in flight.
  std::vector<std::string> asked() const {
    std::vector<std::string> words = {"--model", folder_.file("model"), "--cluster",
                                      folder_.file("equal.yaml")};
    for (const char* word :
         {"--planner", "dp", "--objective", "throughput", "--prompt-length", "12", "--max-tokens",
          "30", "--in-flight", "3", "--threads", "1", "--ignore-eos"})
      words.emplace_back(word);
    return words;
  }
};

}  // namespace lingua::testing
