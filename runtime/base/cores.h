#pragma once
// The cores of this machine, and on which of them this process computes.
//
// Phones have clusters of cores of unequal speed, and a product whose parts are equal ends with the slowest: without a
// wish the slowest kind is left out. Kinds differ in speed by more than 5 %, so that the cores of a PC whose best
// ones may be clocked a little higher are of one kind.
// Source: sched_getaffinity(2); of each core `cpu_capacity`, and where not all have it
// `cpufreq/cpuinfo_max_freq`, as Linux has them below /sys/devices/system/cpu.

#include <filesystem>
#include <string>
#include <vector>

namespace lingua {

inline constexpr const char* kCoreFacts = "/sys/devices/system/cpu";
inline constexpr const char* kBigCores = "big";
inline constexpr const char* kAllCores = "all";

// Those that this thread may run on, ascending; at least one.
std::vector<int> allowed_cores();

// What is wrong with a wish as it is written: "big", "all", or a list as "0-3,6"; empty when nothing is.
std::string cores_problem(const std::string& wish);
// What is wished for of the cores that are allowed. Where speeds are not known all are big.
// Errors: UsageError for a list with others. REQUIRES: cores_problem() has nothing to say.
std::vector<int> chosen_cores(const std::string& wish, const std::vector<int>& allowed,
                              const std::filesystem::path& facts = kCoreFacts);

// From now on all threads of this process run there, and those that they make. Errors: WorldError.
void compute_on(const std::vector<int>& cores);

// "0-3,6": as a list is written. REQUIRES: ascending.
std::string cores_text(const std::vector<int>& cores);

}  // namespace lingua
