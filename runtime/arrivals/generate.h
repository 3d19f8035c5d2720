#pragma once
// Request traces that are made: when requests come and how long they are, from a seed.
//
// Determinism: a seed gives the same trace to the last bit with every compiler, library and machine
// (additions, multiplications, divisions and comparisons of doubles only; base/random.h). The times do
// not depend on what the lengths are, nor the lengths on the times.
// Errors: UsageError that names the text and the forms that would be accepted.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/arrivals/arrivals.h"

namespace lingua {

// When requests come:
//   poisson:RATE      RATE requests per second, each at a time of its own, independent of all others
//   bursts:RATE,SIZE  RATE requests per second in the mean that come SIZE at once; the bursts are Poisson,
//                     RATE / SIZE per second
//   closed:CLIENTS    no times: so many clients, each of which submits the next request when its last
//                     one is answered
// The first request, or burst, comes after the first gap, not at 0.
struct ArrivalProcess {
  enum class Kind { kPoisson, kBursts, kClosed };
  Kind kind = Kind::kPoisson;
  double rate_per_s = 0;     // of kPoisson and kBursts
  std::int64_t size = 1;     // of kBursts
  std::int64_t clients = 0;  // of kClosed
};
ArrivalProcess parse_arrivals(std::string_view text);
std::string to_text(const ArrivalProcess& process);

// How many tokens: "128", always the same; "16-512", each number from 16 to 512 as likely as another.
struct Lengths {
  std::int64_t least = 1;
  std::int64_t most = 1;
};
// `option` stands in messages.
Lengths parse_lengths(std::string_view text, std::string_view option);

struct TraceRequest {
  ArrivalProcess process;
  Lengths prompt_tokens;
  Lengths output_tokens;
  // Where it has requests: the two lengths of one of these, drawn anew each time, in place of those
  // above. So prompts and answers belong together as they did there.
  RequestTrace like;
  std::size_t requests = 1;
  std::uint64_t seed = 1;
};
// Errors: UsageError when the last request would come after kMostTraceSeconds.
RequestTrace generate_trace(const TraceRequest& request);

}  // namespace lingua
