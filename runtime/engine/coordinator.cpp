#include "runtime/engine/coordinator.h"

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

class Coordinator {
 public:
  Coordinator(Device& device, const CoordinatorJob& job) : device_(device), job_(job) {}

  RunResult run() {
    deploy();
    answer_requests();
    gather_events();
    return std::move(result_);
  }

  void stop_all() {
    for (const Stage& stage : stages()) device_.send(stage.device, Stop{});
  }

 private:
  const std::vector<Stage>& stages() const { return job_.deployment.plan.stages; }

  const Stage* stage_of(const DeviceName& name) const {
    for (const Stage& stage : stages()) {
      if (stage.device == name) return &stage;
    }
    return nullptr;
  }

  // The next message from a device of the plan. A loss or failure ends the run.
  Message receive() {
    while (true) {
      auto message = device_.receive(kNever);
      if (!message) continue;
      const Stage* stage = stage_of(message->from);
      if (stage == nullptr) continue;  // a device that the plan leaves out
      if (const auto* lost = std::get_if<PeerLost>(&message->body)) {
        throw WorldError(fmt::format("{} was lost while it held segments {} to {} ({}); {}",
                                     message->from, stage->first_segment, stage->last_segment,
                                     lost->reason, progress()));
      }
      if (const auto* failed = std::get_if<Failed>(&message->body)) {
        throw WorldError(
            fmt::format("{} failed: {}; {}", message->from, failed->reason, progress()));
      }
      return std::move(*message);
    }
  }

  std::string progress() const {
    return fmt::format("{} of {} requests were answered", answers_.size(), job_.requests.size());
  }

  [[noreturn]] static void refuse(const Message& message) {
    throw WorldError(fmt::format("{} answers nonsense: {} is not expected now", message.from,
                                 describe(message.body)));
  }

  void deploy() {
    std::map<DeviceName, WeightSender> senders;
    double total = 0;
    for (const Stage& stage : stages()) {
      device_.send(stage.device, job_.deployment.prepare_for(stage));
      const auto place = senders.try_emplace(stage.device, job_.deployment, stage).first;
      total += place->second.bytes_total();
    }
    for (auto& [name, sender] : senders) sender.fill_window(device_);
    std::set<DeviceName> ready;
    while (ready.size() < stages().size()) {
      const Message message = receive();
      if (const auto* ack = std::get_if<WeightAck>(&message.body)) {
        senders.at(message.from).acknowledge(*ack, device_);
        double bytes = 0;
        for (const auto& [name, sender] : senders) bytes += sender.bytes_acknowledged();
        if (job_.on_weights) job_.on_weights(bytes, total);
      } else if (std::holds_alternative<Ready>(message.body) && senders.at(message.from).done()) {
        ready.insert(message.from);
      } else {
        refuse(message);
      }
    }
  }

  void answer_requests() {
    std::size_t next = 0;
    while (answers_.size() < job_.requests.size()) {
      const int waiting = static_cast<int>(job_.requests.size() - next);
      const int running = static_cast<int>(next - answers_.size());
      for (int i = admissions(waiting, running, job_.in_flight); i > 0; --i) {
        device_.send(job_.deployment.plan.header(), job_.requests[next++]);
      }
      const Message message = receive();
      if (const auto* token = std::get_if<TokenMade>(&message.body)) {
        if (job_.on_token) job_.on_token(*token);
      } else if (const auto* done = std::get_if<Done>(&message.body)) {
        finish(*done, next, message);
      } else {
        refuse(message);
      }
    }
    for (const Submit& request : job_.requests)
      result_.answers.push_back(answers_.at(request.request));
  }

  void finish(const Done& done, std::size_t submitted, const Message& message) {
    const auto end = job_.requests.begin() + static_cast<std::ptrdiff_t>(submitted);
    const bool known = std::any_of(job_.requests.begin(), end,
                                   [&](const Submit& s) { return s.request == done.request; });
    if (!known || !answers_.emplace(done.request, done).second) refuse(message);
    for (const Stage& stage : stages()) device_.send(stage.device, Release{done.request});
    if (job_.on_done) job_.on_done(done);
  }

  void gather_events() {
    for (const Stage& stage : stages()) device_.send(stage.device, AskEvents{});
    std::set<DeviceName> answered;
    while (answered.size() < stages().size()) {
      Message message = receive();
      auto* events = std::get_if<Events>(&message.body);
      if (events == nullptr || !answered.insert(message.from).second) refuse(message);
      result_.log.add(std::move(events->rows));
    }
    result_.log.sort();
  }

  Device& device_;
  const CoordinatorJob& job_;
  std::map<RequestId, Done> answers_;
  RunResult result_;
};

}  // namespace

RunResult run_coordinator(Device& device, const CoordinatorJob& job) {
  Coordinator coordinator(device, job);
  try {
    RunResult result = coordinator.run();
    coordinator.stop_all();
    return result;
  } catch (const Error&) {
    coordinator.stop_all();
    throw;
  }
}

}  // namespace lingua
