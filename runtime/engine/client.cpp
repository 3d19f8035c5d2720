#include "runtime/engine/client.h"

#include <deque>

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

ClientResult run_client(Mailbox& mailbox, const ClientJob& job) {
  Client client(job);
  Effects effects;
  std::deque<Message> early;  // that came while a person typed
  const auto over = [&] {
    bool stopped = false;
    while (auto message = mailbox.receive(mailbox.now())) {
      stopped = stopped || std::holds_alternative<Stop>(message->body);
      early.push_back(std::move(*message));
    }
    return stopped;
  };
  client.begin(effects);
  while (true) {
    for (Letter& letter : effects.letters) mailbox.send(letter.to, std::move(letter.body));
    effects.letters.clear();
    if (client.finished()) return std::move(client).result();
    if (!early.empty()) {
      client.take(early.front(), mailbox.now(), effects);
      early.pop_front();
    } else if (const auto message = mailbox.receive(client.deadline())) {
      client.take(*message, mailbox.now(), effects);
    }
    if (early.empty()) client.submit_due(mailbox.now(), over, effects);
  }
}

}  // namespace lingua
