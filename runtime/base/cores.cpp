#include "runtime/base/cores.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <bitset>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr double kSameKind = 1.05;  // speeds that differ by no more

std::optional<int> core_of(std::string_view text) {
  int core = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), core);
  const bool is_core = error == std::errc() && end == text.data() + text.size() && core >= 0;
  return is_core && core < kMostCores ? std::optional(core) : std::nullopt;
}

// Of each core; empty where it is not known of all.
std::vector<double> speeds(const Cores& cores, const std::filesystem::path& facts,
                           const char* file) {
  std::vector<double> speeds;
  for (const int core : cores) {
    double speed = 0;
    if (!(std::ifstream(facts / fmt::format("cpu{}", core) / file) >> speed) || !(speed > 0))
      return {};
    speeds.push_back(speed);
  }
  return speeds;
}

// Both ascending.
Cores without(const Cores& cores, const Cores& some) {
  Cores rest;
  std::set_difference(cores.begin(), cores.end(), some.begin(), some.end(),
                      std::back_inserter(rest));
  return rest;
}

// Of the threads of this process, as the system lists them. What is open is of the process that opened it.
DIR* own_threads() {
  static DIR* threads = nullptr;
  static pid_t owner = 0;
  if (threads != nullptr && owner == ::getpid()) return threads;
  if (threads != nullptr) ::closedir(threads);
  threads = ::opendir("/proc/self/task");
  owner = ::getpid();
  return threads;
}

}  // namespace

Cores allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  Cores cores;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int core = 0; core < kMostCores; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  if (!cores.empty()) return cores;
  // Where it cannot be told, as on a machine with more cores than a set holds.
  const int count = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (int core = 0; core < count; ++core) cores.push_back(core);
  return cores;
}

std::string cores_problem(const std::string& wish) {
  if (wish == kBigCores || wish == kAllCores || listed_cores(wish)) return "";
  return fmt::format("'{}' names no cores; write a list as 0-3,6, or big, or all", one_line(wish));
}

Cores chosen_cores(const std::string& wish, const Cores& allowed,
                   const std::filesystem::path& facts) {
  if (wish == kAllCores) return allowed;
  if (wish == kBigCores) {
    const std::vector<Cores> kinds = core_kinds(allowed, facts);
    return kinds.size() > 1 ? without(allowed, kinds.back()) : allowed;
  }
  const std::optional<Cores> cores = listed_cores(wish);
  LINGUA_CHECK(cores, "{}", wish);
  for (const int core : *cores) {
    if (std::binary_search(allowed.begin(), allowed.end(), core)) continue;
    throw UsageError(fmt::format("`cpus` {}: this process may not run on core {}; write some of {}",
                                 wish, core, cores_text(allowed)));
  }
  return *cores;
}

std::vector<Cores> core_kinds(const Cores& cores, const std::filesystem::path& facts) {
  std::vector<double> known = speeds(cores, facts, "cpu_capacity");
  if (known.empty()) known = speeds(cores, facts, "cpufreq/cpuinfo_max_freq");
  if (known.empty()) return {cores};
  std::map<double, Cores> by_speed;
  for (std::size_t i = 0; i < cores.size(); ++i) by_speed[known[i]].push_back(cores[i]);
  std::vector<Cores> kinds;
  double slowest = 0;  // of the kind that is last
  for (const auto& [speed, same] : by_speed) {
    if (kinds.empty() || speed > kSameKind * slowest) {
      kinds.emplace_back();
      slowest = speed;
    }
    kinds.back().insert(kinds.back().end(), same.begin(), same.end());
  }
  for (Cores& kind : kinds) std::sort(kind.begin(), kind.end());
  std::reverse(kinds.begin(), kinds.end());
  return kinds;
}

void compute_on(const Cores& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  const auto fail = [&] {
    throw WorldError(
        fmt::format("cannot keep to the cores {}: {}", cores_text(cores), std::strerror(errno)));
  };
  DIR* threads = own_threads();
  if (cores == allowed_cores()) return;
  if (threads == nullptr) fail();
  ::rewinddir(threads);
  // Threads that there are already as well; one that has just ended is none.
  while (const dirent* entry = ::readdir(threads)) {
    const auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (thread > 0 && sched_setaffinity(thread, sizeof(set), &set) != 0 && errno != ESRCH) fail();
  }
}

std::string cores_text(const Cores& cores) {
  std::string text;
  for (std::size_t first = 0; first < cores.size();) {
    std::size_t last = first;
    while (last + 1 < cores.size() && cores[last + 1] == cores[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cores[first]);
    if (last > first) text += fmt::format("-{}", cores[last]);
    first = last + 1;
  }
  return text;
}

std::optional<Cores> listed_cores(const std::string& list) {
  std::bitset<kMostCores> named;
  for (std::string_view rest = list;;) {
    const std::string_view item = rest.substr(0, rest.find(','));
    const auto dash = item.find('-');
    const auto first = core_of(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : core_of(item.substr(dash + 1));
    if (!first || !last || *first > *last) return std::nullopt;
    for (int core = *first; core <= *last; ++core) named.set(static_cast<std::size_t>(core));
    if (item.size() == rest.size()) break;
    rest.remove_prefix(item.size() + 1);
  }
  Cores cores;
  for (int core = 0; core < kMostCores; ++core) {
    if (named[static_cast<std::size_t>(core)]) cores.push_back(core);
  }
  return cores;
}

}  // namespace lingua
