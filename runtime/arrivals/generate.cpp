#include "runtime/arrivals/generate.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

constexpr double kLeastRate = 1e-6;
constexpr double kMostRate = 1e6;
constexpr std::int64_t kMostAtOnce = 1'000'000;

template <typename Number>
std::optional<Number> number_in(std::string_view text, Number least, Number most) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !(value >= least && value <= most))
    return std::nullopt;
  return value;
}

// What stands before and after a mark; nothing after it where there is none.
struct Halves {
  std::string_view before;
  std::string_view after;
};
Halves split(std::string_view text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::vector<Seconds> arrival_times(const ArrivalProcess& process, std::size_t count, Rng rng) {
  std::vector<Seconds> times(count);
  if (process.kind == ArrivalProcess::Kind::kClosed) return times;
  const double bursts_per_s = process.rate_per_s / static_cast<double>(process.size);
  Seconds now{0};
  for (std::size_t r = 0; r < count; ++r) {
    if (r % static_cast<std::size_t>(process.size) == 0) {
      now += Seconds(rng.exponential() / bursts_per_s);
    }
    times[r] = now;
  }
  if (count > 0 && now > Seconds(kMostTraceSeconds)) {
    throw UsageError(fmt::format("{}: {} requests take {:.3g} s; a trace lasts at most {} s",
                                 to_text(process), count, now.count(), kMostTraceSeconds));
  }
  return times;
}

std::int64_t draw(const Lengths& lengths, Rng& rng) {
  return lengths.least + static_cast<std::int64_t>(rng.below(
                             static_cast<std::uint64_t>(lengths.most - lengths.least + 1)));
}

}  // namespace

ArrivalProcess parse_arrivals(std::string_view text) {
  const Halves whole = split(text, ':');
  const Halves numbers = split(whole.after, ',');
  using Kind = ArrivalProcess::Kind;
  if (whole.before == "poisson") {
    if (const auto rate = number_in(whole.after, kLeastRate, kMostRate)) {
      return {Kind::kPoisson, *rate, 1, 0};
    }
  } else if (whole.before == "bursts") {
    const auto rate = number_in(numbers.before, kLeastRate, kMostRate);
    const auto size = number_in<std::int64_t>(numbers.after, 1, kMostAtOnce);
    if (rate && size) return {Kind::kBursts, *rate, *size, 0};
  } else if (whole.before == "closed") {
    if (const auto clients = number_in<std::int64_t>(whole.after, 1, kMostAtOnce)) {
      return {Kind::kClosed, 0, 1, *clients};
    }
  }
  throw UsageError(fmt::format(
      "'{}' is not accepted; write poisson:RATE, bursts:RATE,SIZE or closed:CLIENTS, with {} to {} "
      "requests per second and whole numbers from 1 to {}",
      one_line(text, 60), kLeastRate, kMostRate, kMostAtOnce));
}

std::string to_text(const ArrivalProcess& process) {
  switch (process.kind) {
    case ArrivalProcess::Kind::kPoisson: return fmt::format("poisson:{}", process.rate_per_s);
    case ArrivalProcess::Kind::kBursts:
      return fmt::format("bursts:{},{}", process.rate_per_s, process.size);
    case ArrivalProcess::Kind::kClosed: return fmt::format("closed:{}", process.clients);
  }
  return "";
}

Lengths parse_lengths(std::string_view text, std::string_view option) {
  const bool range = text.find('-') != std::string_view::npos;
  const Halves ends = split(text, '-');
  const auto least = number_in<std::int64_t>(ends.before, 1, kMostTraceTokens);
  const auto most = range ? number_in<std::int64_t>(ends.after, 1, kMostTraceTokens) : least;
  if (least && most && *least <= *most) return {*least, *most};
  throw UsageError(
      fmt::format("{} '{}' is not accepted; write a number of tokens such as 128, or the least and "
                  "the most such as "
                  "16-512, from 1 to {}",
                  option, one_line(text, 60), kMostTraceTokens));
}

RequestTrace generate_trace(const TraceRequest& request) {
  // Each has its own numbers, so that a change of one leaves the others as they are.
  Rng seeds(request.seed);
  const Rng times_rng(seeds.next());
  Rng prompts(seeds.next());
  Rng outputs(seeds.next());
  RequestTrace trace;
  trace.name = to_text(request.process);
  trace.source = fmt::format("{}, seed {}", trace.name, request.seed);
  trace.clients = request.process.clients;
  const std::vector<Arrival>& like = request.like.arrivals;
  for (const Seconds at : arrival_times(request.process, request.requests, times_rng)) {
    if (like.empty()) {
      trace.arrivals.push_back(
          {at, draw(request.prompt_tokens, prompts), draw(request.output_tokens, outputs)});
    } else {
      const Arrival& one = like[prompts.below(like.size())];
      trace.arrivals.push_back({at, one.prompt_tokens, one.output_tokens});
    }
  }
  return trace;
}

}  // namespace lingua
