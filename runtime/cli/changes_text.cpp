#include "runtime/cli/changes_text.h"

#include <fmt/format.h>

#include "runtime/base/plain_text.h"
#include "runtime/base/units.h"

namespace lingua {
namespace {

// "2 rebuilt, 1 kept twice".
std::string crossings_text(const MoveRecord& move) {
  std::string text;
  const auto add = [&](int requests, const char* how) {
    if (requests > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", requests, how);
  };
  add(move.rebuilt, "rebuilt");
  add(move.moved, "moved");
  add(move.kept_twice, "kept twice");
  add(move.ended, "to end where they ran");
  return text;
}

}  // namespace

std::string recoveries_text(const std::vector<Recovery>& recoveries) {
  const auto seconds = [](double s) { return format_quantity(s, Unit::kSeconds); };
  const auto predicted = [&](const Recovery& recovery, double RecoveryForecast::*part) {
    return recovery.forecast ? fmt::format(" (predicted {})", seconds((*recovery.forecast).*part))
                             : "";
  };
  std::string text;
  for (const Recovery& recovery : recoveries) {
    text += fmt::format(
        "after {:.3f} s: {}; {}those left were ready {} later{}, with {} of weights sent, and {} "
        "requests began again with the tokens they had",
        recovery.lost.count(), one_line(recovery.why),
        recovery.chosen == "stored" ? "by a plan within what they stored " : "",
        seconds((recovery.ready - recovery.lost).count()),
        predicted(recovery, &RecoveryForecast::ready_s),
        format_quantity(recovery.weights_bytes, Unit::kBytes), recovery.requests);
    if (recovery.resumed)
      text += fmt::format("; all had the next one {} after that{}",
                          seconds((*recovery.resumed - recovery.ready).count()),
                          predicted(recovery, &RecoveryForecast::rebuild_s));
    text += "\n";
  }
  return text;
}

std::string joins_text(const std::vector<JoinRecord>& joins) {
  std::string text;
  for (const JoinRecord& join : joins) {
    text += fmt::format("after {:.3f} s: {} joined", join.joined.count(), join.device);
    text +=
        join.first_use
            ? fmt::format("; a plan that uses it served {} later\n",
                          format_quantity((*join.first_use - join.joined).count(), Unit::kSeconds))
            : "; no plan used it\n";
  }
  return text;
}

std::string moves_text(const std::vector<MoveRecord>& moves) {
  const auto seconds = [](double s) { return format_quantity(s, Unit::kSeconds); };
  std::string text;
  for (const MoveRecord& move : moves) {
    text += fmt::format("after {:.3f} s: {}; ", move.decided.count(), move.why);
    if (!move.failed.empty()) {
      text += fmt::format("the move to {} came to nothing: {}\n", move.plan, move.failed);
      continue;
    }
    text +=
        fmt::format("moved to {}, {} of weights in {} (predicted {})", move.plan,
                    format_quantity(move.weights_bytes, Unit::kBytes),
                    seconds((move.ready - move.decided).count()), seconds(move.forecast.prepare_s));
    for (const auto& [from, bytes] : move.weights_from)
      text += fmt::format(", {} from {}", format_quantity(bytes, Unit::kBytes), from);
    if (move.requests() + move.ended > 0)
      text += fmt::format("; requests: {}", crossings_text(move));
    if (move.states_bytes > 0)
      text += fmt::format(", {} of states", format_quantity(move.states_bytes, Unit::kBytes));
    if (move.requests() > 0)
      text += fmt::format(", a pause of {} (predicted {})", seconds(move.pause_s),
                          seconds(move.forecast.pause_s));
    text += fmt::format("; predicted gain {}\n", seconds(move.forecast.gain_s));
  }
  return text;
}

}  // namespace lingua
