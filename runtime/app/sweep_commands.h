#pragma once
// Commands that run the parts of a sweep on several machines.
//
// Errors: UsageError for a number of parts that is not accepted.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lingua {

struct SweepShardsRequest {
  std::string program = "lingua";
  std::filesystem::path spec;
  std::filesystem::path database;  // "sweep.db": shard 1 of 8 writes sweep-1-of-8.db
  std::uint64_t shards = 0;
  std::vector<std::string> options;  // more of `sweep run`
};
// A command for each shard, on a line of its own: for GNU parallel.
std::string shard_commands(const SweepShardsRequest& request);
// A script for sbatch, with a task for each shard, and how to merge what they made.
std::string slurm_script(const SweepShardsRequest& request);

}  // namespace lingua
