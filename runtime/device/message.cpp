#include "runtime/device/message.h"

#include <fmt/format.h>

namespace lingua {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;  // for clang before 17

std::string text_of(const SendWeights& m) {
  return fmt::format("SendWeights of epoch {} to {}", m.epoch, m.to);
}

std::string text_of(const Suspend& m) {
  return fmt::format("Suspend of request {} of epoch {}", m.request, m.epoch);
}

std::string text_of(const Suspended& m) {
  return fmt::format("Suspended of request {} of epoch {}", m.request, m.epoch);
}

std::string text_of(const SendStates& m) {
  return fmt::format("SendStates of epoch {} to {}", m.epoch, m.to);
}

std::string text_of(const StateChunk& m) {
  return fmt::format("StateChunk of request {}, segment {} at {}", m.request, m.segment, m.first);
}

std::string text_of(const StateAck& m) {
  return fmt::format("StateAck of request {}, segment {} at {}", m.request, m.segment, m.first);
}

std::string text_of(const StatesHeld& m) {
  return fmt::format("StatesHeld of request {} from {}", m.request, m.from);
}

std::string text_of(const WeightHeld& m) {
  return fmt::format("WeightHeld of {} from {}", m.weight, m.from);
}

std::string text_of(const Exercise& m) { return fmt::format("Exercise {}", m.number); }

std::string text_of(const Exercised& m) { return fmt::format("Exercised of {}", m.number); }

std::string text_of(const ExerciseLink& m) {
  return fmt::format("ExerciseLink {} to {}", m.number, m.to);
}

std::string text_of(const Echo& m) { return fmt::format("Echo {} of {}", m.index, m.number); }

std::string text_of(const Bulk& m) { return fmt::format("Bulk {} of {}", m.index, m.number); }

std::string text_of(const LinkTimes& m) {
  return fmt::format("LinkTimes of {} with {}", m.number, m.peer);
}

}  // namespace

std::string describe(const MessageBody& body) {
  return std::visit(
      Overloaded{
          [](const Prepare& m) {
            return fmt::format("Prepare of epoch {}, segmentation {}", m.epoch,
                               m.segmentation.empty() ? "not known" : m.segmentation);
          },
          [](const Lacks& m) {
            return fmt::format("Lacks of epoch {}: {} programs, {} weights", m.epoch,
                               m.programs.size(), m.weights.size());
          },
          [](const SegmentProgram& m) {
            return fmt::format("SegmentProgram of segment {}", m.segment);
          },
          [](const WeightChunk& m) {
            return fmt::format("WeightChunk of {} at {}", m.weight, m.offset);
          },
          [](const WeightAck& m) {
            return fmt::format("WeightAck of {} at {}", m.weight, m.offset);
          },
          [](const Ready& m) { return fmt::format("Ready for epoch {}", m.epoch); },
          [](const Retire& m) { return fmt::format("Retire of epoch {}", m.epoch); },
          [](const Failed& m) { return fmt::format("Failed: {}", m.reason); },
          [](const Submit& m) { return fmt::format("Submit of request {}", m.request); },
          [](const Activations& m) {
            return fmt::format("Activations of request {}, step {}", m.request, m.step_index);
          },
          [](const Together& m) {
            return fmt::format("{} messages of steps that ran as one",
                               m.activations.size() + m.results.size());
          },
          [](const StepResult& m) {
            return fmt::format("StepResult of request {}, step {}", m.request, m.step_index);
          },
          [](const TokenMade& m) {
            return fmt::format("TokenMade for request {}, token {}", m.request, m.index);
          },
          [](const Done& m) { return fmt::format("Done with request {}", m.request); },
          [](const Refused& m) {
            return fmt::format("Refused of request {}: {}", m.request, m.reason);
          },
          [](const Attach&) { return std::string("Attach"); },
          [](const Serving&) { return std::string("Serving"); },
          [](const Detach&) { return std::string("Detach"); },
          [](const Cancel& m) { return fmt::format("Cancel of request {}", m.request); },
          [](const Release& m) { return fmt::format("Release of request {}", m.request); },
          [](const AskEvents&) { return std::string("AskEvents"); },
          [](const Events& m) { return fmt::format("{} Events", m.rows.size()); },
          [](const Hello& m) { return fmt::format("Hello from {}", m.spec.name); },
          [](const AskTelemetry&) { return std::string("AskTelemetry"); },
          [](const TelemetryReport&) { return std::string("TelemetryReport"); },
          [](const WorkReport& m) { return fmt::format("WorkReport of epoch {}", m.epoch); },
          [](const Stop&) { return std::string("Stop"); },
          [](const Probe& m) { return fmt::format("Probe of epoch {}", m.epoch); },
          [](const Reached& m) { return fmt::format("Reached by {}", m.from); },
          [](const LinkLost& m) { return fmt::format("LinkLost to {}: {}", m.peer, m.reason); },
          [](const AskStanding&) { return std::string("AskStanding"); },
          [](const Standing& m) { return fmt::format("Standing: {}", m.waits_for); },
          [](const auto& m) { return text_of(m); },
          [](const PeerLost& m) { return fmt::format("PeerLost: {}", m.reason); },
      },
      body);
}

}  // namespace lingua
