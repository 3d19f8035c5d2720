#include "runtime/app/sweep_commands.h"

#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr std::uint64_t kMostShards = 100'000;

void check(const SweepShardsRequest& request) {
  if (request.shards < 1 || request.shards > kMostShards)
    throw UsageError(fmt::format("`shards`: {} is not accepted; write a number from 1 to {}",
                                 request.shards, kMostShards));
}

// "sweep" and ".db" of sweep.db.
std::pair<std::string, std::string> parts_of(const std::filesystem::path& database) {
  const std::string end = database.extension().string();
  const std::string whole = database.string();
  return {whole.substr(0, whole.size() - end.size()), end};
}

std::string beginning_of(const SweepShardsRequest& request) {
  std::string command = fmt::format("{} sweep run {}", shell_word(request.program),
                                    shell_word(request.spec.string()));
  for (const std::string& option : request.options)
    command += fmt::format(" {}", shell_word(option));
  return command;
}

}  // namespace

std::string shard_commands(const SweepShardsRequest& request) {
  check(request);
  const auto [stem, end] = parts_of(request.database);
  std::string text;
  for (std::uint64_t i = 1; i <= request.shards; ++i) {
    text += fmt::format("{} --shard {}/{} --db {}\n", beginning_of(request), i, request.shards,
                        shell_word(fmt::format("{}-{}-of-{}{}", stem, i, request.shards, end)));
  }
  return text;
}

std::string slurm_script(const SweepShardsRequest& request) {
  check(request);
  const auto [stem, end] = parts_of(request.database);
  const std::string of = fmt::format("-of-{}{}", request.shards, end);
  return fmt::format(
      "#!/bin/bash\n"
      "#SBATCH --job-name=lingua-sweep\n"
      "#SBATCH --array=1-{0}\n"
      "#SBATCH --ntasks=1\n"
      "#SBATCH --cpus-per-task=1\n"
      "# A task that is started again goes on where it was. Afterwards, in the same folder:\n"
      "#   {1} sweep merge {2} {3}-*{4}\n"
      "set -euo pipefail\n"
      "shard=$SLURM_ARRAY_TASK_ID\n"
      "exec {5} --shard \"$shard/{0}\" --workers \"${{SLURM_CPUS_PER_TASK:-1}}\" --db "
      "{3}-\"$shard\"{4}\n",
      request.shards, shell_word(request.program), shell_word(request.database.string()),
      shell_word(stem), shell_word(of), beginning_of(request));
}

}  // namespace lingua
