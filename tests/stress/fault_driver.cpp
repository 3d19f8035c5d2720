// Runs many seeds of faults, each in a process of its own: fault_driver --seeds 1..400
//
//   --seeds A..B   all of them; exits with 1 when any shows a violation, and says how to replay it
//   --seed N       one, twice: prints its scenario, what struck, and the first violation
//   --jobs N       processes at once; without it, as many as there are cores

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <deque>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/stress/stress_run.h"

namespace lingua::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kPatienceS = 60;  // of this machine's time, for one run
constexpr int kRepeatEvery = 16;     // of so many seeds one runs twice

struct Options {
  std::uint64_t first = 1;
  std::uint64_t last = 400;
  bool is_one = false;
  int jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
};

nlohmann::json to_json(const StressResult& result) {
  return {{"violations", result.violations}, {"error", result.error},
          {"answered", result.answered},     {"refused", result.refused},
          {"recoveries", result.recoveries}, {"joins", result.joins},
          {"joins_used", result.joins_used}, {"moves", result.moves},
          {"ended_s", result.ended_s},       {"longest_recovery_s", result.longest_recovery_s},
          {"struck", result.struck},         {"log", result.log}};
}

nlohmann::json broken(const std::string& why) {
  StressResult result;
  result.violations = {why};
  return to_json(result);
}

// A run in a process of its own.
class Child {
 public:
  explicit Child(std::uint64_t seed) : seed_(seed) {
    int ends[2];
    std::fflush(stdout);  // else the child would write it again
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe to be had");
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("no process to be had");
    if (pid_ == 0) live(ends[1]);
    ::close(ends[1]);
    answer_ = ends[0];
  }

  std::uint64_t seed() const { return seed_; }
  int answer() const { return answer_; }

  // Reads what is there. False: it has said all.
  bool read() {
    char buffer[65536];
    const ssize_t count = ::read(answer_, buffer, sizeof buffer);
    if (count > 0) text_.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  }

  // REQUIRES: it has said all.
  nlohmann::json result() {
    ::close(answer_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
      return broken(fmt::format("it did not end within {} s", kPatienceS));
    if (WIFSIGNALED(status)) return broken(fmt::format("signal {} ended it", WTERMSIG(status)));
    nlohmann::json json = nlohmann::json::parse(text_, nullptr, false);
    if (json.is_discarded()) return broken(fmt::format("it said nothing, status {}", status));
    return json;
  }

 private:
  [[noreturn]] void live(int out) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(kPatienceS);
    std::string text;
    try {
      text = to_json(run_scenario(draw_scenario(seed_))).dump();
    } catch (const std::exception& error) {
      text = broken(error.what()).dump();
    }
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t count = ::write(out, text.data() + done, text.size() - done);
      if (count <= 0) ::_exit(1);
      done += static_cast<std::size_t>(count);
    }
    ::_exit(0);
  }

  std::uint64_t seed_;
  pid_t pid_ = -1;
  int answer_ = -1;
  std::string text_;
};

nlohmann::json run_alone(std::uint64_t seed) {
  Child child(seed);
  while (child.read()) {
  }
  return child.result();
}

std::string first_difference(const std::string& a, const std::string& b) {
  if (a == b) return "";
  const auto place = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  const auto start = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, place - 80));
  return fmt::format("two runs of the seed differ: '{}' and '{}'", a.substr(start, 160),
                     b.substr(start, 160));
}

int run_one(std::uint64_t seed) {
  fmt::print("{}", describe(draw_scenario(seed)));
  const nlohmann::json result = run_alone(seed);
  fmt::print("struck:\n");
  for (const auto& line : result["struck"]) fmt::print("{}\n", line.get<std::string>());
  fmt::print(
      "{} answered, {} refused, {} recoveries, the longest {:.3g} s, {} joins, {} moves, ended "
      "at {:.4g} s\n",
      result["answered"].get<int>(), result["refused"].get<int>(), result["recoveries"].get<int>(),
      result["longest_recovery_s"].get<double>(), result["joins"].get<int>(),
      result["moves"].get<int>(), result["ended_s"].get<double>());
  std::istringstream log(result["log"].get<std::string>());
  for (std::string line; std::getline(log, line);) {
    if (line.find(" Refused ") != std::string::npos)
      fmt::print("{}\n", line.substr(line.find(' ') + 1));
  }
  if (const std::string error = result["error"]; !error.empty()) fmt::print("error: {}\n", error);
  const std::string difference = first_difference(result["log"], run_alone(seed)["log"]);
  if (!difference.empty()) fmt::print("VIOLATION: {}\n", difference);
  for (const auto& violation : result["violations"])
    fmt::print("VIOLATION: {}\n", violation.get<std::string>());
  return result["violations"].empty() && difference.empty() ? 0 : 1;
}

class Campaign {
 public:
  explicit Campaign(const Options& options) : options_(options), next_(options.first) {}

  int run() {
    while (next_ <= options_.last || !children_.empty()) {
      while (next_ <= options_.last && static_cast<int>(children_.size()) < options_.jobs)
        children_.emplace_back(next_++);
      listen();
    }
    summary();
    return failing_.empty() ? 0 : 1;
  }

 private:
  void listen() {
    std::vector<pollfd> files;
    for (const Child& child : children_) files.push_back({child.answer(), POLLIN, 0});
    if (::poll(files.data(), files.size(), -1) <= 0) return;
    for (std::size_t i = files.size(); i-- > 0;) {
      if (files[i].revents == 0 || children_[i].read()) continue;
      take(children_[i].seed(), children_[i].result());
      children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  void take(std::uint64_t seed, nlohmann::json result) {
    ++done_;
    answered_ += result["answered"].get<int>();
    refused_ += result["refused"].get<int>();
    recoveries_ += result["recoveries"].get<int>();
    joins_ += result["joins"].get<int>();
    joins_used_ += result["joins_used"].get<int>();
    moves_ += result["moves"].get<int>();
    struck_ += result["struck"].size();
    ended_early_ += result["error"].get<std::string>().empty() ? 0 : 1;
    longest_recovery_s_ = std::max(longest_recovery_s_, result["longest_recovery_s"].get<double>());
    if (seed % kRepeatEvery == 0) {
      const std::string difference = first_difference(result["log"], run_alone(seed)["log"]);
      if (!difference.empty()) result["violations"].push_back(difference);
      ++repeated_;
    }
    if (!result["violations"].empty()) {
      failing_.push_back(seed);
      fmt::print("seed {}: {}\n", seed, result["violations"].front().get<std::string>());
      std::fflush(stdout);
    }
    if (Clock::now() < shown_ + std::chrono::seconds(10)) return;
    shown_ = Clock::now();
    fmt::print(stderr, "{} of {} seeds, {} with a violation\n", done_,
               options_.last - options_.first + 1, failing_.size());
  }

  void summary() const {
    const double seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    fmt::print(
        "{} seeds ({} of them twice) in {:.1f} s, {} at once: {:.0f} seeds per minute per core\n"
        "{} faults struck; {} requests answered, {} refused; {} recoveries, the longest {:.3g} s "
        "of "
        "virtual time; {} devices joined, {} were used; {} moves; {} runs ended with an error\n",
        done_, repeated_, seconds, options_.jobs,
        static_cast<double>(done_ + repeated_) * 60 / seconds / options_.jobs, struck_, answered_,
        refused_, recoveries_, longest_recovery_s_, joins_, joins_used_, moves_, ended_early_);
    if (failing_.empty()) {
      fmt::print("no violation\n");
      return;
    }
    auto failing = failing_;
    std::sort(failing.begin(), failing.end());
    fmt::print("{} seeds with a violation; replay them with:\n", failing.size());
    for (const std::uint64_t seed : failing) fmt::print("  fault_driver --seed {}\n", seed);
  }

  const Options options_;
  std::uint64_t next_;
  std::deque<Child> children_;
  std::vector<std::uint64_t> failing_;
  int done_ = 0;
  int repeated_ = 0;
  int answered_ = 0;
  int refused_ = 0;
  int recoveries_ = 0;
  int joins_ = 0;
  int joins_used_ = 0;
  int moves_ = 0;
  int ended_early_ = 0;
  std::size_t struck_ = 0;
  double longest_recovery_s_ = 0;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point shown_ = begun_;
};

template <class Number>
bool parse(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse(const std::vector<std::string_view>& arguments, Options* options) {
  if (arguments.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string_view value = arguments[i + 1];
    if (arguments[i] == "--seed") {
      options->is_one = true;
      if (!parse(value, &options->first)) return false;
    } else if (arguments[i] == "--seeds") {
      const std::size_t dots = value.find("..");
      if (dots == std::string_view::npos || !parse(value.substr(0, dots), &options->first) ||
          !parse(value.substr(dots + 2), &options->last) || options->last < options->first)
        return false;
    } else if (arguments[i] == "--jobs") {
      if (!parse(value, &options->jobs) || options->jobs < 1) return false;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace lingua::testing

int main(int argc, char** argv) {
  lingua::testing::Options options;
  if (!lingua::testing::parse({argv + 1, argv + argc}, &options)) {
    fmt::print(stderr, "usage: fault_driver --seeds A..B | --seed N [--jobs N]\n");
    return 2;
  }
  if (options.is_one) return lingua::testing::run_one(options.first);
  return lingua::testing::Campaign(options).run();
}
