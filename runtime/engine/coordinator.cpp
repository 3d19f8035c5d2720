#include "runtime/engine/coordinator.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/engine/answer_checks.h"
#include "runtime/engine/stall_watch.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

class Coordinator {
 public:
  Coordinator(Device& device, const CoordinatorJob& job)
      : device_(device),
        job_(job),
        workers_(job.deployment.plan.devices()),
        stall_(workers_, job.stall_timeout),
        checks_(job.deployment) {}

  RunResult run() {
    const Seconds begin = device_.now();
    deploy();
    result_.deployment = device_.now() - begin;
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

  // The next message from a device of the plan, other than what it says of its standing and its
  // links. A standstill ends the run.
  Message next() {
    while (true) {
      auto message = device_.receive(std::min(stall_.next(), settled_));
      if (!message) {
        look_for_standstill();
        continue;
      }
      if (std::find(workers_.begin(), workers_.end(), message->from) == workers_.end())
        continue;  // a device that the plan leaves out
      if (const auto* answer = std::get_if<Standing>(&message->body)) {
        stall_.heard(message->from, *answer, device_.now());
        look_for_standstill();
        continue;
      }
      stall_.moved(device_.now());
      if (const auto* link = std::get_if<LinkLost>(&message->body)) {
        note_link(message->from, *link);
        continue;
      }
      return std::move(*message);
    }
  }

  // The device at the other end may be gone altogether, which will be seen here soon.
  void note_link(const DeviceName& from, const LinkLost& link) {
    if (!link_lost_.empty() || all_answered_) return;
    link_lost_ =
        fmt::format("{} lost its link to {}: {}", from, one_line(link.peer), one_line(link.reason));
    settled_ = device_.now() + job_.settle;
  }

  void look_for_standstill() {
    const Seconds now = device_.now();
    if (now >= settled_) throw WorldError(fmt::format("{}; {}", link_lost_, progress()));
    if (const auto standstill = stall_.standstill(now)) {
      throw WorldError(fmt::format("{}; {}", one_line(*standstill), progress()));
    }
    if (!stall_.look(now)) return;
    for (const DeviceName& worker : workers_) device_.send(worker, AskStanding{});
  }

  // The same. A loss or failure ends the run.
  Message receive() {
    Message message = next();
    const std::string trouble = trouble_of(message);
    if (!trouble.empty()) throw WorldError(fmt::format("{}; {}", trouble, progress()));
    return message;
  }

  // Empty for a message that tells of no loss or failure.
  std::string trouble_of(const Message& message) const {
    if (const auto* lost = std::get_if<PeerLost>(&message.body)) {
      return fmt::format("{} was lost while it held {} ({})", message.from,
                         segments_of(message.from), lost->reason);
    }
    if (const auto* failed = std::get_if<Failed>(&message.body)) {
      return fmt::format("{} failed: {}", message.from, one_line(failed->reason));
    }
    return "";
  }

  std::string progress() const {
    return fmt::format("{} of {} requests were answered", answers_.size(),
                       std::max(submitted_.size(), job_.requests.size()));
  }

  [[noreturn]] static void refuse(const Message& message) {
    throw WorldError(fmt::format("{} answers nonsense: {} is not expected now", message.from,
                                 describe(message.body)));
  }

  // `wrong`: see AnswerChecks.
  void refuse_if(const std::string& wrong, const Message& message) const {
    const bool from_header = message.from == job_.deployment.plan.header();
    if (from_header && wrong.empty()) return;
    throw WorldError(fmt::format(
        "{} answers nonsense: {}; {}", message.from,
        from_header ? wrong : describe(message.body) + " is for the header to send", progress()));
  }

  // The ways that the plan uses: from whom to whom.
  std::set<std::pair<DeviceName, DeviceName>> paths() const {
    const Plan& plan = job_.deployment.plan;
    std::set<std::pair<DeviceName, DeviceName>> paths;
    for (const Transfer& transfer : plan.transfers) paths.emplace(transfer.from, transfer.to);
    if (plan.tailer() != plan.header()) paths.emplace(plan.tailer(), plan.header());
    return paths;
  }

  // Weights are sent when all devices have been reached by those that will send to them.
  void deploy() {
    std::map<DeviceName, WeightSender> senders;
    for (const DeviceName& worker : workers_) {
      device_.send(worker, job_.deployment.prepare_for(worker));
      senders.try_emplace(worker, job_.deployment, worker);
    }
    stall_.moved(device_.now());
    auto untried = paths();
    if (untried.empty()) send_weights(senders);
    std::set<DeviceName> ready;
    while (ready.size() < workers_.size() || !untried.empty()) {
      const Message message = receive();
      if (const auto* reached = std::get_if<Reached>(&message.body)) {
        if (untried.erase({reached->from, message.from}) != 1) refuse(message);
        if (untried.empty()) send_weights(senders);
      } else if (const auto* ack = std::get_if<WeightAck>(&message.body)) {
        senders.at(message.from).acknowledge(*ack, device_);
        tell_weights(senders);
      } else if (const auto* done = std::get_if<Ready>(&message.body);
                 done != nullptr && done->epoch == job_.deployment.epoch &&
                 senders.at(message.from).done()) {
        ready.insert(message.from);
      } else {
        refuse(message);
      }
    }
  }

  void send_weights(std::map<DeviceName, WeightSender>& senders) {
    for (auto& [name, sender] : senders) sender.fill_window(device_);
  }

  void tell_weights(const std::map<DeviceName, WeightSender>& senders) const {
    double bytes = 0;
    double total = 0;
    for (const auto& [name, sender] : senders) {
      bytes += sender.bytes_acknowledged();
      total += sender.bytes_total();
    }
    if (job_.on_weights) job_.on_weights(bytes, total);
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
    stall_.moved(device_.now());
    checks_.submitted(request);
    device_.send(job_.deployment.plan.header(), std::move(request));
  }

  void take_answer(const Message& message) {
    if (const auto* token = std::get_if<TokenMade>(&message.body)) {
      refuse_if(checks_.take(*token), message);
      if (job_.on_token && !job_.on_token(*token)) {
        checks_.cancelled(token->request);
        device_.send(job_.deployment.plan.header(), Cancel{token->request});
      }
    } else if (const auto* done = std::get_if<Done>(&message.body)) {
      finish(*done, message);
    } else {
      refuse(message);
    }
  }

  void finish(const Done& done, const Message& message) {
    refuse_if(checks_.take(done), message);
    answers_.emplace(done.request, done);
    for (const DeviceName& worker : workers_) device_.send(worker, Release{done.request});
    if (job_.on_done) job_.on_done(done);
  }

  // All answers are there: what goes wrong now costs rows of the log and no more.
  void gather_events() {
    all_answered_ = true;
    settled_ = kNever;
    for (const DeviceName& worker : workers_) device_.send(worker, AskEvents{});
    stall_.moved(device_.now());
    std::set<DeviceName> answered;
    while (answered.size() < workers_.size()) {
      Message message = next();
      if (!answered.insert(message.from).second) continue;
      if (auto* events = std::get_if<Events>(&message.body)) {
        take_rows(std::move(events->rows), message.from);
        continue;
      }
      const std::string trouble = trouble_of(message);
      result_.notes.push_back(fmt::format(
          "the event log lacks the rows of {}: {}", message.from,
          trouble.empty() ? "it sent " + describe(message.body) + " instead" : trouble));
    }
    result_.log.sort();
  }

  void take_rows(std::vector<EventRow> rows, const DeviceName& from) {
    const Seconds now = device_.now();
    const std::size_t nonsense = std::erase_if(
        rows, [&](const EventRow& row) { return !checks_.plausible(row, from, now); });
    if (nonsense > 0) {
      result_.notes.push_back(fmt::format(
          "the event log lacks {} rows of {} that it cannot have written", nonsense, from));
    }
    result_.log.add(std::move(rows));
  }

  Device& device_;
  const CoordinatorJob& job_;
  std::vector<DeviceName> workers_;  // in pipeline order
  StallWatch stall_;
  std::string link_lost_;  // what a device said first
  Seconds settled_ = kNever;
  bool all_answered_ = false;
  std::vector<RequestId> submitted_;
  std::map<RequestId, Done> answers_;
  AnswerChecks checks_;
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
