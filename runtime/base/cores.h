#pragma once
// The cores of this machine, and on which of them this process computes.
//
// Phones have clusters of cores of unequal speed, and a product whose parts are equal ends with the slowest: without a
// wish the slowest kind is left out. Kinds differ in speed by more than 5 %, so that the cores of a PC whose best
// ones may be clocked a little higher are of one kind.
// Source: sched_getaffinity(2); of each core `cpu_capacity`, and where not all have it
// `cpufreq/cpuinfo_max_freq`, as Linux has them below /sys/devices/system/cpu.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lingua {

using Cores = std::vector<int>;  // their numbers, ascending

inline constexpr int kMostCores = 1024;  // numbers are smaller

inline constexpr const char* kCoreFacts = "/sys/devices/system/cpu";
inline constexpr const char* kBigCores = "big";
inline constexpr const char* kAllCores = "all";

// Those that this thread may run on, ascending; at least one.
Cores allowed_cores();

// What is wrong with a wish as it is written: "big", "all", or a list as "0-3,6"; empty when nothing is.
std::string cores_problem(const std::string& wish);
// What is wished for of the cores that are allowed. Where speeds are not known all are big.
// Errors: UsageError for a list with others. REQUIRES: cores_problem() has nothing to say.
Cores chosen_cores(const std::string& wish, const Cores& allowed,
                   const std::filesystem::path& facts = kCoreFacts);

// These, by their kinds, the fastest first. Where speeds are not known all are of one.
std::vector<Cores> core_kinds(const Cores& cores, const std::filesystem::path& facts = kCoreFacts);

// From now on all threads of this process run there, and those that they make; where the caller does already, nothing is
// asked of the system. Errors: WorldError.
// Threads: any, one at a time. A process that is confined later calls it before as well: it keeps open what it needs.
void compute_on(const Cores& cores);

// "0-3,6": as a list is written.
std::string cores_text(const Cores& cores);
// Of such a text; nothing where it is none.
std::optional<Cores> listed_cores(const std::string& list);

}  // namespace lingua
