#include "tests/stress/checks.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "runtime/balance/recover.h"
#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/engine/sampler.h"

namespace lingua::testing {

Expected expected_of(const Scenario& scenario, RequestId request) {
  const Submit& submit = scenario.requests[static_cast<std::size_t>(request)];
  const std::vector<TokenId>& free = scenario.free[static_cast<std::size_t>(request)];
  Expected expected;
  if (submit.max_tokens == 0) {
    expected.of_single_pass = free.front();
    return expected;
  }
  for (const TokenId token : free) {
    if (static_cast<std::int64_t>(expected.tokens.size()) == submit.max_tokens) break;
    expected.tokens.push_back(token);
    const auto& stops = submit.stop_tokens;
    if (std::find(stops.begin(), stops.end(), token) == stops.end()) continue;
    expected.ending = Ending::kStop;
    break;
  }
  const auto cancelled = scenario.cancelled.find(request);
  if (cancelled != scenario.cancelled.end()) expected.cancelled_after = cancelled->second;
  return expected;
}

// ---- what the client sees ----

std::optional<Message> WatchedClient::receive(Seconds deadline) {
  auto message = inner_.receive(deadline);
  if (!message) return message;
  log_ += fmt::format("{:a} {}\n", message->arrived.count(), lingua::describe(message->body));
  if (const auto* token = std::get_if<TokenMade>(&message->body)) take(*token);
  if (const auto* done = std::get_if<Done>(&message->body)) take(*done);
  if (const auto* refused = std::get_if<Refused>(&message->body)) take(*refused);
  return message;
}

void WatchedClient::take(const TokenMade& token) {
  std::vector<TokenId>& tokens = tokens_[token.request];
  const Expected expected = expected_of(scenario_, token.request);
  if (ended_.contains(token.request)) {
    violations_.push_back(
        fmt::format("token {} of request {} came after its end", token.index, token.request));
  } else if (token.index != static_cast<std::int64_t>(tokens.size())) {
    violations_.push_back(fmt::format("token {} of request {} came where token {} is next",
                                      token.index, token.request, tokens.size()));
  } else if (tokens.size() >= expected.tokens.size()) {
    violations_.push_back(fmt::format("token {} of request {}, which ends after {}", token.index,
                                      token.request, expected.tokens.size()));
  } else if (token.token != expected.tokens[tokens.size()]) {
    violations_.push_back(fmt::format("token {} of request {} is {}, a plain loop makes {}",
                                      token.index, token.request, token.token,
                                      expected.tokens[tokens.size()]));
  }
  tokens.push_back(token.token);
}

void WatchedClient::end(RequestId request) {
  if (!ended_.insert(request).second)
    violations_.push_back(fmt::format("request {} ended twice", request));
}

void WatchedClient::take(const Done& done) {
  end(done.request);
  ++answered_;
  const Expected expected = expected_of(scenario_, done.request);
  const auto wrong = [&](const std::string& what) {
    violations_.push_back(fmt::format("request {} ended with {}", done.request, what));
  };
  if (done.tokens != tokens_[done.request])
    wrong(fmt::format("tokens {}, and made {}", done.tokens, tokens_[done.request]));
  if (expected.of_single_pass != kNoToken) {
    const bool right =
        done.outputs.size() == 1 && greedy_token(done.outputs.front()) == expected.of_single_pass;
    if (!right) wrong("other outputs than those of a plain loop");
    return;
  }
  const bool may_be_short =
      done.ending == Ending::kCancelled && expected.cancelled_after > 0 &&
      static_cast<int>(done.tokens.size()) >= expected.cancelled_after &&
      std::equal(done.tokens.begin(), done.tokens.end(), expected.tokens.begin(),
                 expected.tokens.begin() + static_cast<std::ptrdiff_t>(std::min(
                                               done.tokens.size(), expected.tokens.size())));
  if (may_be_short) return;
  if (done.tokens != expected.tokens)
    wrong(fmt::format("tokens {}, a plain loop makes {}", done.tokens, expected.tokens));
  if (done.ending != expected.ending) wrong("another reason than a plain loop");
}

void WatchedClient::take(const Refused& refused) {
  end(refused.request);
  ++refused_;
  last_reason_ = refused.reason;
  if (refused.reason.empty() || refused.reason != one_line(refused.reason))
    violations_.push_back(
        fmt::format("request {} is refused without a reason in one line", refused.request));
}

// ---- memory ----

void MeteredExecutor::load(const Segment& segment, const std::string& program,
                           const std::vector<Tensor>& weights) {
  inner_->load(segment, program, weights);
  segments_[segment.id] = segment;
  check(0, "loading");
}

void MeteredExecutor::unload(SegmentId segment) {
  inner_->unload(segment);
  segments_.erase(segment);
  std::erase_if(states_, [&](const auto& item) { return item.first.second == segment; });
}

std::vector<SegmentResult> MeteredExecutor::run(SegmentId id,
                                                const std::vector<SegmentStep>& batch) {
  double activations = 0;
  const Segment& segment = segments_.at(id);
  for (const SegmentStep& step : batch) {
    activations += segment.activation_bytes(step.context.step);
    states_[{step.context.request, id}] = segment.state_bytes(step.context.capacity);
  }
  check(activations, "running");
  return inner_->run(id, batch);
}

void MeteredExecutor::release(RequestId request) {
  inner_->release(request);
  std::erase_if(states_, [&](const auto& item) { return item.first.first == request; });
}

void MeteredExecutor::release(RequestId request, SegmentId segment) {
  inner_->release(request, segment);
  states_.erase({request, segment});
}

void MeteredExecutor::write_states(SegmentId segment, RequestId request, std::int64_t capacity,
                                   std::int64_t first, const std::vector<Tensor>& states) {
  states_[{request, segment}] = segments_.at(segment).state_bytes(capacity);
  check(0, "taking up states");
  inner_->write_states(segment, request, capacity, first, states);
}

void MeteredExecutor::check(double activation_bytes, const char* when) {
  std::map<std::string, double> weights;
  for (const auto& [id, segment] : segments_) {
    for (const WeightSpec& weight : segment.weights)
      weights[weight.name] = static_cast<double>(weight.bytes());
  }
  double bytes = activation_bytes;
  for (const auto& [name, size] : weights) bytes += size;
  for (const auto& [key, size] : states_) bytes += size;
  if (bytes <= memory_bytes_) return;
  violations_.push_back(
      fmt::format("{} takes {:.0f} B of {:.0f} B when {}", device_, bytes, memory_bytes_, when));
}

// ---- blame ----

BlameCheck::BlameCheck(const Scenario& scenario, Violations& violations)
    : scenario_(scenario), violations_(violations) {
  worst_ = scenario.at_first();
  for (const Fault& fault : scenario.faults.faults) {
    switch (fault.kind) {
      case FaultKind::kLie: liars_.insert(fault.device); [[fallthrough]];
      case FaultKind::kKill:
      case FaultKind::kReturn:
      case FaultKind::kHang:
      case FaultKind::kLessMemory:
      case FaultKind::kLoadFails: worst_.lost.insert(fault.device); break;
      case FaultKind::kCut:
        if (fault.device == kCoordinator) {
          worst_.lost.insert(fault.peer);
        } else if (fault.peer == kCoordinator) {
          worst_.lost.insert(fault.device);
        } else {
          worst_.cut.insert({fault.device, fault.peer});
        }
        break;
      default: break;
    }
  }
}

void BlameCheck::loss(const std::string& what) {
  if (what.find("internal error") != std::string::npos) violations_.push_back(what);
  if (has_liar()) return;  // of whom others may say that they cannot go on
  if (what.ends_with(" s for a device to join")) {
    if (survivors_can_hold_the_model())
      violations_.push_back("the run waits though what is left can hold the model: " + what);
    return;
  }
  const DeviceName who = what.substr(0, what.find(' '));
  if (worst_.lost.contains(who)) return;
  constexpr std::string_view kLink = " lost its link to ";
  if (const auto place = what.find(kLink); place != std::string::npos) {
    const std::string rest = what.substr(place + kLink.size());
    const DeviceName peer = rest.substr(0, rest.find(':'));
    if (worst_.lost.contains(peer) || worst_.cut.contains({who, peer}) ||
        worst_.cut.contains({peer, who}))
      return;
  }
  violations_.push_back("nothing struck it, and yet: " + what);
}

bool BlameCheck::survivors_can_hold_the_model() const {
  try {
    plan_for_remaining(scenario_.planner, scenario_.plan_request(), worst_);
    return true;
  } catch (const InfeasibleError&) {
    return false;
  }
}

void BlameCheck::end(const std::string& error, bool is_bug) {
  if (error.empty()) return;
  const auto says = [&](const std::string& text) { return error.find(text) != std::string::npos; };
  if (is_bug || says("internal error")) violations_.push_back(error);
  if (error != one_line(error, error.size()))
    violations_.push_back("an error of more than one line: " + error);
  if (says(kGoesOn) || says("stands still") || says("does not say what it does")) {
    violations_.push_back(error);
    return;
  }
  const bool names_liar = std::any_of(liars_.begin(), liars_.end(), [&](const DeviceName& liar) {
    return says(liar + " answers nonsense") || says(liar + " was lost");
  });
  const bool says_nobody_is_left = says("no device is left") || says("what is left (");
  if (names_liar || (has_liar() && says_nobody_is_left)) return;
  if (survivors_can_hold_the_model())
    violations_.push_back("the run ended though what is left can hold the model: " + error);
}

// ---- time ----

Seconds longest_recovery(const Scenario& scenario) {
  double bytes = 0;
  for (const Segment& segment : scenario.model.segments)
    bytes += 2 * segment.weights_bytes() + 4000;
  const ClusterSpec& cluster = scenario.cluster;
  double rate = cluster.default_link.bytes_per_s;
  if (cluster.shared_bytes_per_s > 0) rate = std::min(rate, cluster.shared_bytes_per_s);
  // Each fault may strike in the middle of what the one before needs.
  const Seconds transfer(static_cast<double>(cluster.devices.size()) * (bytes / rate + 1));
  Seconds sum = transfer + scenario.wait_for_devices;
  for (const auto& [device, when] : scenario.late) sum += transfer + when;
  for (const Fault& fault : scenario.faults.faults)
    sum += transfer + fault.lasts + scenario.loss_timeout * 2;
  return sum;
}

Seconds longest_run(const Scenario& scenario) {
  const Seconds arrivals = scenario.arrivals.empty() ? Seconds(0) : scenario.arrivals.back();
  return arrivals +
         longest_recovery(scenario) * (2 + static_cast<double>(scenario.faults.faults.size())) +
         Seconds(100);
}

}  // namespace lingua::testing
