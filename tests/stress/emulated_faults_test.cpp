// A few seeds of faults with LibTorch's numerics: tokens are those of the unsplit model, whatever strikes.

#include <gtest/gtest.h>

#include <memory>

#include "runtime/base/files.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/import.h"
#include "runtime/torch/random_model.h"
#include "runtime/torch/torch_executor.h"
#include "tests/stress/stress_run.h"
#include "tests/support/draws.h"

namespace lingua::testing {
namespace {

TEST(EmulatedFaults, TokensAreThoseOfTheUnsplitModelWhateverStrikes) {
  const TemporaryFolder folder;
  const std::string path = folder.file("llama");
  write_random_model({"llama:hidden=32,layers=3,heads=2,vocabulary=96", 3, DType::kFloat32, path},
                     [](double) {});
  const ImportedModel model = import_model(path, {});
  PartitionOptions options;
  options.rule = "bytes";
  options.max_segments = 8;
  Subject subject;
  subject.model = partition(model.graph, options);
  subject.plain_loop = [&](const auto& prompts, std::int64_t tokens) {
    std::vector<std::vector<TokenId>> all;
    for (const auto& result : generate_reference(path, {}, prompts, tokens, 1, false))
      all.push_back(result.tokens);
    return all;
  };
  StressParts parts;
  parts.source = model.source.get();
  parts.executor = [] { return make_torch_executor(); };
  const int seeds = draws(20);
  for (int seed = 1; seed <= seeds; ++seed) {
    const Scenario scenario = draw_scenario(static_cast<std::uint64_t>(seed), subject);
    // In a process of its own: SimGrid simulates once.
    EXPECT_EXIT(
        {
          const StressResult result = run_scenario(scenario, parts);
          for (const std::string& violation : result.violations)
            std::fprintf(stderr, "%s\n", violation.c_str());
          _exit(result.violations.empty() ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), "")
        << describe(scenario);
  }
}

}  // namespace
}  // namespace lingua::testing
