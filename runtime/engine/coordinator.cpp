#include "runtime/engine/coordinator.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

class Coordinator {
 public:
  Coordinator(Device& device, const CoordinatorJob& job)
      : device_(device), job_(job), workers_(job.deployment.plan.devices()) {}

  RunResult run() {
    deploy();
    answer_requests();
    gather_events();
    return std::move(result_);
  }

  void stop_all() {
    for (const DeviceName& worker : workers_) device_.send(worker, Stop{});
  }

 private:
  // The segments that a device runs: "segments 0 to 3", "segments 0 to 3 and 24 to 25".
  std::string segments_of(const DeviceName& worker) const {
    std::string text = "segments ";
    for (const Stage& stage : job_.deployment.plan.stages) {
      if (stage.device != worker) continue;
      if (text.size() > 9) text += " and ";
      text += fmt::format("{} to {}", stage.first_segment, stage.last_segment);
    }
    return text;
  }

  // The next message from a device of the plan. A loss or failure ends the run.
  Message receive() {
    while (true) {
      auto message = device_.receive(kNever);
      if (!message) continue;
      if (std::find(workers_.begin(), workers_.end(), message->from) == workers_.end())
        continue;  // a device that the plan leaves out
      if (const auto* lost = std::get_if<PeerLost>(&message->body)) {
        throw WorldError(fmt::format("{} was lost while it held {} ({}); {}", message->from,
                                     segments_of(message->from), lost->reason, progress()));
      }
      if (const auto* failed = std::get_if<Failed>(&message->body)) {
        throw WorldError(
            fmt::format("{} failed: {}; {}", message->from, failed->reason, progress()));
      }
      return std::move(*message);
    }
  }

  std::string progress() const {
    return fmt::format("{} of {} requests were answered", answers_.size(),
                       std::max(submitted_.size(), job_.requests.size()));
  }

  [[noreturn]] static void refuse(const Message& message) {
    throw WorldError(fmt::format("{} answers nonsense: {} is not expected now", message.from,
                                 describe(message.body)));
  }

  void deploy() {
    std::map<DeviceName, WeightSender> senders;
    double total = 0;
    for (const DeviceName& worker : workers_) {
      device_.send(worker, job_.deployment.prepare_for(worker));
      const auto place = senders.try_emplace(worker, job_.deployment, worker).first;
      total += place->second.bytes_total();
    }
    for (auto& [name, sender] : senders) sender.fill_window(device_);
    std::set<DeviceName> ready;
    while (ready.size() < workers_.size()) {
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
    bool more = job_.next_request != nullptr;
    for (;;) {
      const auto submitted = submitted_.size();
      const auto in_hand = std::max(job_.requests.size(), submitted) - submitted;
      const auto running = static_cast<int>(submitted - answers_.size());
      const int waiting = static_cast<int>(in_hand) + (more ? 1 : 0);
      for (int i = admissions(waiting, running, job_.in_flight); i > 0; --i) {
        std::optional<Submit> request = take_request();
        if (request)
          submit(std::move(*request));
        else
          more = false;
      }
      if (answers_.size() == submitted_.size()) {
        if (more || submitted_.size() < job_.requests.size()) continue;
        break;
      }
      take_answer(receive());
    }
    for (RequestId id : submitted_) result_.answers.push_back(answers_.at(id));
  }

  // The next of the given requests, then what the caller has to ask.
  std::optional<Submit> take_request() {
    if (submitted_.size() < job_.requests.size()) return job_.requests[submitted_.size()];
    return job_.next_request ? job_.next_request() : std::nullopt;
  }

  void submit(Submit request) {
    submitted_.push_back(request.request);
    device_.send(job_.deployment.plan.header(), std::move(request));
  }

  void take_answer(const Message& message) {
    if (const auto* token = std::get_if<TokenMade>(&message.body)) {
      if (job_.on_token && !job_.on_token(*token)) {
        device_.send(job_.deployment.plan.header(), Cancel{token->request});
      }
    } else if (const auto* done = std::get_if<Done>(&message.body)) {
      finish(*done, message);
    } else {
      refuse(message);
    }
  }

  void finish(const Done& done, const Message& message) {
    const bool known =
        std::find(submitted_.begin(), submitted_.end(), done.request) != submitted_.end();
    if (!known || !answers_.emplace(done.request, done).second) refuse(message);
    for (const DeviceName& worker : workers_) device_.send(worker, Release{done.request});
    if (job_.on_done) job_.on_done(done);
  }

  void gather_events() {
    for (const DeviceName& worker : workers_) device_.send(worker, AskEvents{});
    std::set<DeviceName> answered;
    while (answered.size() < workers_.size()) {
      Message message = receive();
      auto* events = std::get_if<Events>(&message.body);
      if (events == nullptr || !answered.insert(message.from).second) refuse(message);
      result_.log.add(std::move(events->rows));
    }
    result_.log.sort();
  }

  Device& device_;
  const CoordinatorJob& job_;
  std::vector<DeviceName> workers_;  // in pipeline order
  std::vector<RequestId> submitted_;
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
