#include "runtime/base/cores.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
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
  return is_core && core < CPU_SETSIZE ? std::optional(core) : std::nullopt;
}

// Of a list; nothing where it is none.
std::optional<std::set<int>> listed(std::string_view list) {
  std::set<int> cores;
  while (true) {
    const std::string_view item = list.substr(0, list.find(','));
    const auto dash = item.find('-');
    const auto first = core_of(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : core_of(item.substr(dash + 1));
    if (!first || !last || *first > *last) return std::nullopt;
    for (int core = *first; core <= *last; ++core) cores.insert(core);
    if (item.size() == list.size()) return cores;
    list.remove_prefix(item.size() + 1);
  }
}

// Of each core; empty where it is not known of all.
std::vector<double> speeds(const std::vector<int>& cores, const std::filesystem::path& facts,
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

std::vector<int> big_cores(const std::vector<int>& allowed, const std::filesystem::path& facts) {
  std::vector<double> known = speeds(allowed, facts, "cpu_capacity");
  if (known.empty()) known = speeds(allowed, facts, "cpufreq/cpuinfo_max_freq");
  if (known.empty()) return allowed;
  const double slowest = *std::min_element(known.begin(), known.end());
  std::vector<int> big;
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    if (known[i] > kSameKind * slowest) big.push_back(allowed[i]);
  }
  return big.empty() ? allowed : big;
}

}  // namespace

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
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
  if (wish == kBigCores || wish == kAllCores || listed(wish)) return "";
  return fmt::format("'{}' names no cores; write a list as 0-3,6, or big, or all", one_line(wish));
}

std::vector<int> chosen_cores(const std::string& wish, const std::vector<int>& allowed,
                              const std::filesystem::path& facts) {
  if (wish == kAllCores) return allowed;
  if (wish == kBigCores) return big_cores(allowed, facts);
  const std::optional<std::set<int>> cores = listed(wish);
  LINGUA_CHECK(cores, "{}", wish);
  for (const int core : *cores) {
    if (std::binary_search(allowed.begin(), allowed.end(), core)) continue;
    throw UsageError(fmt::format("`cpus` {}: this process may not run on core {}; write some of {}",
                                 wish, core, cores_text(allowed)));
  }
  return {cores->begin(), cores->end()};
}

void compute_on(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  // Threads that there are already as well; one that has just ended is none.
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    const auto thread = static_cast<pid_t>(std::stol(task.path().filename().string()));
    if (sched_setaffinity(thread, sizeof(set), &set) == 0 || errno == ESRCH) continue;
    throw WorldError(
        fmt::format("cannot keep to the cores {}: {}", cores_text(cores), std::strerror(errno)));
  }
}

std::string cores_text(const std::vector<int>& cores) {
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

}  // namespace lingua
