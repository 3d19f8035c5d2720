#include "runtime/balance/crossing_choice.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace lingua {
namespace {

constexpr double kLeft = 2;  // tokens of a request that was copied are missing when it has stopped
constexpr std::size_t kMostAlone = 32;  // requests that are chosen for one by one

// Costs of ways to cross, by prediction.
class CrossingCosts {
 public:
  CrossingCosts(const Forecast& forecast, const Plan& before, const Plan& after, double stop_s)
      : forecast_(forecast), before_(before), after_(after), stop_s_(stop_s) {
    for (const RequestLeft& request : forecast.requests()) {
      if (request.runs) running_.push_back(request);
    }
    token_before_s_ = forecast.token_s(before);
    token_after_s_ = forecast.token_s(after);
    looking_s_ = forecast.slow_header_s(before);
    meanwhile_ = forecast.tokens_meanwhile(before, after);
    const double stay_s = forecast.rest_s(before);
    saved_ = stay_s > 0 ? std::max(0.0, 1 - forecast.rest_s(after) / stay_s) : 0;
  }

  const std::vector<RequestLeft>& running() const { return running_; }

  // A request ends where it runs before the others have crossed, or with the next token.
  bool may_end(const RequestLeft& request, const CrossingChoice& others) const {
    const auto left = static_cast<double>(request.max_tokens - request.made);
    return (left - 1) * token_before_s_ <= others.copy_s + others.pause_s;
  }

  CrossingChoice of(const std::vector<Crossing>& ways) const {
    CrossingChoice choice;
    double moving = 0;  // tokens whose states go when the requests have stopped
    double copied = 0;  // and before
    std::vector<RequestLeft> computed;
    std::vector<RequestLeft> prompts;  // that end where they run
    std::int64_t ending = 0;
    int carried = 0;
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const RequestLeft& request = running_[i];
      const std::int64_t tokens = computed_of(request);
      switch (ways[i]) {
        case Crossing::kEnd: ending = std::max(ending, request.max_tokens - request.made); continue;
        case Crossing::kRebuild: computed.push_back(request); continue;
        case Crossing::kMove: moving += static_cast<double>(tokens); break;
        case Crossing::kKeepTwice:
          moving += std::min(kLeft, static_cast<double>(tokens));
          copied += static_cast<double>(std::max(tokens, request.prompt_tokens));
          if (request.made == 0) prompts.push_back(request);
          break;
      }
      ++carried;
    }
    choice.copy_s = forecast_.states_s(before_, after_, copied);
    const double trip_s = forecast_.round_trip_s(after_);
    if (!computed.empty())
      choice.pause_s = stop_s_ + trip_s + forecast_.rebuild_s(after_, computed, meanwhile_);
    // They stop when a token has come, where devices have computed what they are at; a header that others wait for
    // has then begun what is next. Until all have crossed they share the slowest one with those that are still in the
    // old plan, and what is computed anew is in their way.
    if (carried > 0) {
      const double states_s = forecast_.states_s(before_, after_, moving);
      const double half_s = token_before_s_ / static_cast<double>(2 * running_.size());
      const double next_s = computed.empty() ? std::max(token_before_s_, token_after_s_)
                                             : forecast_.rebuild_s(after_, computed, meanwhile_);
      choice.pause_s =
          std::max(choice.pause_s, half_s + looking_s_ + forecast_.prompts_s(before_, after_, 1) +
                                       trip_s + (states_s > 0 ? trip_s + states_s : 0) + next_s);
    }
    const double end_s =
        static_cast<double>(ending) * std::max(0.0, token_before_s_ - token_after_s_);
    double prompts_s = 0;
    for (const RequestLeft& request : prompts) {
      prompts_s +=
          (1 - prompt_done(request)) * std::max(0.0, forecast_.rebuild_s(before_, {request}) -
                                                         forecast_.rebuild_s(after_, {request}));
    }
    choice.loss_s = choice.pause_s + choice.copy_s * saved_ + end_s + prompts_s;
    return choice;
  }

 private:
  // How far its prompt has come is not known: as far as it would have alone.
  double prompt_done(const RequestLeft& request) const {
    if (request.made > 0) return 1;
    const double whole_s = forecast_.rebuild_s(before_, {request});
    return whole_s > 0 ? std::min(1.0, request.running_s / whole_s) : 1;
  }
  // The tokens whose states the devices have.
  std::int64_t computed_of(const RequestLeft& request) const {
    if (request.made > 0) return request.prompt_tokens + request.made - 1;
    return static_cast<std::int64_t>(prompt_done(request) *
                                     static_cast<double>(request.prompt_tokens));
  }

  const Forecast& forecast_;
  const Plan& before_;
  const Plan& after_;
  const double stop_s_;
  std::vector<RequestLeft> running_;
  double token_before_s_ = 0;
  double token_after_s_ = 0;
  double looking_s_ = 0;
  std::int64_t meanwhile_ = 0;
  double saved_ = 0;  // of the rest of the run
};

CrossingChoice with_requests(CrossingChoice choice, const std::vector<RequestLeft>& running,
                             const std::vector<Crossing>& ways, Crossing others) {
  choice.crossings.others = others;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (ways[i] != others) choice.crossings.requests[running[i].id] = ways[i];
  }
  return choice;
}

}  // namespace

CrossingChoice cost_of_crossing(const Forecast& forecast, const Plan& before, const Plan& after,
                                double stop_s, const std::vector<Crossing>& ways) {
  const CrossingCosts costs(forecast, before, after, stop_s);
  return with_requests(costs.of(ways), costs.running(), ways, Crossing::kEnd);
}

CrossingChoice choose_crossing(const Forecast& forecast, const Plan& before, const Plan& after,
                               double stop_s) {
  const CrossingCosts costs(forecast, before, after, stop_s);
  std::vector<Crossing> allowed = {Crossing::kRebuild};
  if (forecast.can_carry_states(before, after)) {
    allowed.push_back(Crossing::kMove);
    allowed.push_back(Crossing::kKeepTwice);
  }
  const std::size_t count = costs.running().size();
  // All by the same way, then all that are nearly over to their end, then each by the best for it while the others
  // stay.
  Crossing others = Crossing::kRebuild;
  CrossingChoice best = costs.of(std::vector<Crossing>(count, others));
  for (const Crossing way : allowed) {
    CrossingChoice choice = costs.of(std::vector<Crossing>(count, way));
    if (choice.loss_s >= best.loss_s) continue;
    best = std::move(choice);
    others = way;
  }
  std::vector<bool> may_end;
  for (const RequestLeft& request : costs.running())
    may_end.push_back(costs.may_end(request, best));
  std::vector<Crossing> ways(count, others);
  std::vector<Crossing> ending = ways;
  for (std::size_t i = 0; i < count; ++i) {
    if (may_end[i]) ending[i] = Crossing::kEnd;
  }
  CrossingChoice ended = costs.of(ending);
  if (ended.loss_s < best.loss_s) {
    best = std::move(ended);
    ways = std::move(ending);
  }
  for (std::size_t i = 0; i < count && count <= kMostAlone; ++i) {
    std::vector<Crossing> own = allowed;
    if (may_end[i]) own.push_back(Crossing::kEnd);
    for (const Crossing way : own) {
      std::vector<Crossing> other = ways;
      other[i] = way;
      CrossingChoice choice = costs.of(other);
      if (choice.loss_s >= best.loss_s) continue;
      best = std::move(choice);
      ways = std::move(other);
    }
  }
  return with_requests(std::move(best), costs.running(), ways, others);
}

}  // namespace lingua
