#include "sim/fault/lies.h"

#include <limits>
#include <utility>

namespace lingua {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kFar = std::int64_t{1} << 40;
constexpr RequestId kNoRequest = 4711;  // that no run comes to
constexpr SegmentId kNoSegment = 4711;

// One field of a message that cannot be.
class OutOfRange {
 public:
  explicit OutOfRange(Rng& rng) : rng_(rng) {}

  bool operator()(TokenMade& m) {
    switch (rng_.below(4)) {
      case 0: m.request += kNoRequest; break;
      case 1: m.index += 7; break;
      case 2: m.token = -7; break;
      default: m.token = kFar;
    }
    return true;
  }
  bool operator()(Done& m) {
    switch (rng_.below(3)) {
      case 0: m.request += kNoRequest; break;
      case 1: m.tokens.push_back(3); break;
      default: m.outputs.push_back(make_number(1));
    }
    return true;
  }
  bool operator()(StepResult& m) {
    switch (rng_.below(4)) {
      case 0: m.request += kNoRequest; break;
      case 1: m.step_index += 5; break;
      case 2: m.epoch += 1000; break;
      default: m.step_index = -3;
    }
    return true;
  }
  bool operator()(Activations& m) {
    switch (rng_.below(7)) {
      case 0: m.request += kNoRequest; break;
      case 1: m.epoch += 1000; break;
      case 2: m.step.new_tokens = kFar; break;
      case 3: m.capacity = kFar; break;
      case 4: m.values.push_back(77); break;
      case 5: m.step.new_tokens = 0; break;
      default: m.tensors.clear();
    }
    return true;
  }
  bool operator()(Together& m) {
    if (m.activations.empty()) return (*this)(m.results.front());
    return (*this)(m.activations.front());
  }
  bool operator()(Lacks& m) {
    if (rng_.below(2) == 0) {
      m.weights.emplace_back("no such weight");
    } else {
      m.programs.push_back(kNoSegment);
    }
    return true;
  }
  bool operator()(WeightAck& m) {
    m.offset += 3;
    return true;
  }
  bool operator()(WeightChunk& m) {
    switch (rng_.below(4)) {
      case 0: m.checksum += 1; break;
      case 1: m.offset += 3; break;
      case 2: m.weight = "no such weight"; break;
      default: {
        const std::string other(static_cast<std::size_t>(m.bytes.bytes()), '?');
        m.bytes = make_bytes_tensor(other.data(), m.bytes.bytes());
        m.offset = 0;
      }
    }
    return true;
  }
  bool operator()(WeightHeld& m) {
    switch (rng_.below(3)) {
      case 0: m.weight = "no such weight"; break;
      case 1: m.bytes += kFar; break;
      default: m.trouble = "it is no good\nor is it";
    }
    return true;
  }
  bool operator()(Ready& m) {
    if (rng_.below(2) == 0) {
      m.epoch += 1000;
    } else {
      m.free_bytes = -1e300;
    }
    return true;
  }
  bool operator()(Reached& m) {
    m.from = "nobody";
    return true;
  }
  bool operator()(Refused& m) {
    m.request += kNoRequest;
    return true;
  }
  bool operator()(Probe& m) {
    m.epoch += 1000;
    return true;
  }
  bool operator()(Standing& m) {
    m.sent = -kFar;
    return true;
  }
  bool operator()(Suspended& m) {
    switch (rng_.below(3)) {
      case 0: m.request += kNoRequest; break;
      case 1: m.epoch += 1000; break;
      default: m.cached = kFar;
    }
    return true;
  }
  bool operator()(StateChunk& m) {
    switch (rng_.below(7)) {
      case 0: m.request += kNoRequest; break;
      case 1: m.epoch += 1000; break;
      case 2: m.segment = kNoSegment; break;
      case 3: m.capacity = kFar; break;
      case 4: m.first = -3; break;
      case 5: m.tokens = kFar; break;
      default: m.states.clear();
    }
    return true;
  }
  bool operator()(StateAck& m) {
    m.first += 3;
    return true;
  }
  bool operator()(StatesHeld& m) {
    if (rng_.below(2) == 0) {
      m.request += kNoRequest;
    } else {
      m.from = "nobody";
    }
    return true;
  }
  bool operator()(Events& m) {
    EventRow row;
    row.who = "nobody";
    row.what = "compute";
    row.segment = kNoSegment;
    row.bytes = -1;
    m.rows.push_back(row);
    return true;
  }
  template <class Body>
  bool operator()(Body&) {
    return false;
  }

 private:
  Rng& rng_;
};

struct NotANumber {
  bool operator()(Ready& m) const {
    m.free_bytes = kNaN;
    return true;
  }
  bool operator()(Events& m) const {
    EventRow row;
    row.start = row.end = Seconds(kNaN);
    row.bytes = kNaN;
    m.rows.push_back(row);
    return true;
  }
  bool operator()(Activations& m) const {
    m.sampling.temperature = kNaN;
    return true;
  }
  template <class Body>
  bool operator()(Body&) const {
    return false;
  }
};

struct OldEpoch {
  template <class Body>
  bool operator()(Body& body) const {
    if constexpr (requires { body.epoch; }) {
      body.epoch -= 1;
      return true;
    }
    return false;
  }
  bool operator()(Together& m) const {
    m.epoch -= 1;
    for (Activations& message : m.activations) message.epoch -= 1;
    for (StepResult& result : m.results) result.epoch -= 1;
    return true;
  }
};

MessageBody for_others(Rng& rng) {
  switch (rng.below(6)) {
    case 0: return Stop{};
    case 1: return Release{0};
    case 2: return Retire{1};
    case 3: return AskEvents{};
    case 4: return Hello{};
    default: return Cancel{0};
  }
}

}  // namespace

std::optional<MessageBody> lie_about(const MessageBody& body, Lie lie, Rng& rng) {
  MessageBody said = body;
  bool can = true;
  switch (lie) {
    case Lie::kTwice: break;
    case Lie::kOldEpoch: can = std::visit(OldEpoch{}, said); break;
    case Lie::kOutOfRange: can = std::visit(OutOfRange(rng), said); break;
    case Lie::kNotANumber: can = std::visit(NotANumber{}, said); break;
    case Lie::kNotItsTurn: said = for_others(rng); break;
  }
  if (!can) return std::nullopt;
  return said;
}

}  // namespace lingua
