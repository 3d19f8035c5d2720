#include "runtime/arrivals/arrivals.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/percentile.h"

namespace lingua {
namespace {

LengthSummary summarise_lengths(const RequestTrace& trace, std::int64_t Arrival::*length) {
  std::vector<double> lengths;
  double sum = 0;
  for (const Arrival& arrival : trace.arrivals) {
    lengths.push_back(static_cast<double>(arrival.*length));
    sum += lengths.back();
  }
  std::sort(lengths.begin(), lengths.end());
  return {sum / static_cast<double>(lengths.size()), percentile(lengths, 0.5),
          percentile(lengths, 0.99), static_cast<std::int64_t>(lengths.back())};
}

}  // namespace

RequestTrace scaled(RequestTrace trace, std::size_t most, double rate) {
  LINGUA_CHECK(rate > 0);
  if (trace.arrivals.size() > most) trace.arrivals.resize(most);
  for (Arrival& arrival : trace.arrivals) arrival.at /= rate;
  return trace;
}

TraceSummary summarise(const RequestTrace& trace) {
  const std::vector<Arrival>& arrivals = trace.arrivals;
  LINGUA_CHECK(!arrivals.empty());
  TraceSummary summary;
  summary.requests = arrivals.size();
  summary.first = arrivals.front().at;
  summary.span = arrivals.back().at - arrivals.front().at;
  summary.prompt_tokens = summarise_lengths(trace, &Arrival::prompt_tokens);
  summary.output_tokens = summarise_lengths(trace, &Arrival::output_tokens);
  if (!(summary.span > Seconds(0))) return summary;
  const auto gaps = static_cast<double>(arrivals.size() - 1);
  const Seconds mean = summary.span / gaps;
  double squares = 0;
  for (std::size_t r = 1; r < arrivals.size(); ++r) {
    const double off = (arrivals[r].at - arrivals[r - 1].at - mean) / mean;
    squares += off * off;
  }
  summary.rate_per_s = gaps / summary.span.count();
  summary.gap_variation = std::sqrt(squares / gaps);
  return summary;
}

}  // namespace lingua
