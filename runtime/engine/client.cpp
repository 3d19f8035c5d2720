#include "runtime/engine/client.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {

Client::Client(const ClientJob& job) : job_(job), may_ask_(job.next_request != nullptr) {
  LINGUA_CHECK(job.arrivals.empty() || job.arrivals.size() == job.requests.size());
}

void Client::begin(Effects& effects) { effects.send(kCoordinator, Attach{}); }

Seconds Client::due() const {
  return start_ + (job_.arrivals.empty() ? Seconds(0) : job_.arrivals[next_]);
}

Seconds Client::deadline() const {
  return serving_ && next_ < job_.requests.size() ? due() : kNever;
}

void Client::submit_due(Seconds now, const std::function<bool()>& over, Effects& effects) {
  if (!serving_ || finished()) return;
  while (next_ < job_.requests.size() && due() <= now) submit(job_.requests[next_++], effects);
  while (next_ == job_.requests.size() && may_ask_ &&
         static_cast<int>(under_way_.size()) < job_.concurrency) {
    auto request = job_.next_request(over);
    if (request) {
      submit(std::move(*request), effects);
    } else {
      may_ask_ = false;
    }
  }
  leave_when_done(effects);
}

void Client::submit(Submit request, Effects& effects) {
  const bool is_new = under_way_.emplace(request.request, submitted_++).second;
  LINGUA_CHECK(is_new, "two requests have the number {}", request.request);
  effects.send(kCoordinator, std::move(request));
}

void Client::take(const Message& message, Seconds now, Effects& effects) {
  if (std::holds_alternative<Stop>(message.body)) {
    result_.stopped = true;
  } else if (std::holds_alternative<Serving>(message.body)) {
    serving_ = true;
    start_ = now;
  } else if (const auto* token = std::get_if<TokenMade>(&message.body)) {
    if (job_.on_token && !job_.on_token(*token)) effects.send(kCoordinator, Cancel{token->request});
  } else if (const auto* done = std::get_if<Done>(&message.body)) {
    answers_.emplace(end(done->request), *done);
    if (job_.on_done) job_.on_done(*done);
  } else if (const auto* refused = std::get_if<Refused>(&message.body)) {
    end(refused->request);
    result_.refusals.push_back(*refused);
    if (job_.on_refused) job_.on_refused(*refused);
  }
}

// Returns its place among all that were submitted.
std::size_t Client::end(RequestId request) {
  const auto node = under_way_.extract(request);
  LINGUA_CHECK(!node.empty(), "request {} ended, which is not under way", request);
  return node.mapped();
}

void Client::leave_when_done(Effects& effects) {
  gone_ = next_ == job_.requests.size() && !may_ask_ && under_way_.empty();
  if (gone_) effects.send(kCoordinator, Detach{});
}

ClientResult Client::result() && {
  for (auto& [place, answer] : answers_) result_.answers.push_back(std::move(answer));
  return std::move(result_);
}

void Client::hang_up(Effects& effects) {
  next_ = job_.requests.size();
  may_ask_ = false;
  for (const auto& [request, place] : under_way_) effects.send(kCoordinator, Cancel{request});
  if (!finished()) leave_when_done(effects);
}

ClientLoop::ClientLoop(Mailbox& mailbox, const ClientJob& job) : mailbox_(mailbox), client_(job) {
  client_.begin(effects_);
  send();
}

void ClientLoop::send() {
  for (Letter& letter : effects_.letters) mailbox_.send(letter.to, std::move(letter.body));
  effects_.letters.clear();
}

// Asked while a person types.
bool ClientLoop::over() {
  bool stopped = false;
  while (auto message = mailbox_.receive(mailbox_.now())) {
    stopped = stopped || std::holds_alternative<Stop>(message->body);
    early_.push_back(std::move(*message));
  }
  return stopped;
}

bool ClientLoop::turn(Seconds deadline) {
  if (client_.finished()) return false;
  if (!early_.empty()) {
    client_.take(early_.front(), mailbox_.now(), effects_);
    early_.pop_front();
  } else if (const auto message = mailbox_.receive(std::min(deadline, client_.deadline()))) {
    client_.take(*message, mailbox_.now(), effects_);
  }
  if (early_.empty())
    client_.submit_due(
        mailbox_.now(), [this] { return over(); }, effects_);
  send();
  return !client_.finished();
}

void ClientLoop::hang_up() {
  client_.hang_up(effects_);
  send();
}

ClientResult run_client(Mailbox& mailbox, const ClientJob& job) {
  ClientLoop loop(mailbox, job);
  while (loop.turn()) {
  }
  return std::move(loop).result();
}

}  // namespace lingua
