#include "runtime/app/sweep_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

std::string refusal_of(const SweepShardsRequest& request) {
  try {
    shard_commands(request);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing";
}

TEST(SweepCommands, AreCommandsForGnuParallelAndAScriptForSlurm) {
  SweepShardsRequest request;
  request.program = "build/lingua";
  request.spec = "my sweep.yaml";
  request.database = "out/it's.db";
  request.shards = 2;
  request.options = {"--time-limit", "60"};
  EXPECT_EQ(shard_commands(request),
            "build/lingua sweep run 'my sweep.yaml' --time-limit 60 --shard 1/2 --db "
            "'out/it'\\''s-1-of-2.db'\n"
            "build/lingua sweep run 'my sweep.yaml' --time-limit 60 --shard 2/2 --db "
            "'out/it'\\''s-2-of-2.db'\n");
  const std::string script = slurm_script(request);
  EXPECT_THAT(script, ::testing::StartsWith("#!/bin/bash\n#SBATCH"));
  EXPECT_THAT(script, HasSubstr("#SBATCH --array=1-2\n"));
  EXPECT_THAT(script, HasSubstr("exec build/lingua sweep run 'my sweep.yaml' --time-limit 60 "
                                "--shard \"$shard/2\""));
  EXPECT_THAT(script, HasSubstr("--db 'out/it'\\''s'-\"$shard\"-of-2.db\n"));
  request.shards = 0;
  EXPECT_THAT(refusal_of(request), HasSubstr("`shards`: 0 is not accepted"));
}

}  // namespace
}  // namespace lingua
