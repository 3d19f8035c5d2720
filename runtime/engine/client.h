#pragma once
// Whoever submits requests: a prompt, a list of them, a trace of arrivals, a conversation.
//
// A client has a mailbox of its own where the coordinator lives: an actor in a simulation, a thread in
// reality. It gets tokens as they are made, and learns of each request how it ended. A role without I/O,
// and the loop that binds it to a mailbox.
// Threads: run_client() runs in the caller's thread, callbacks too, until all its requests have ended or
// the coordinator has (Stop).

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/device/mailbox.h"
#include "runtime/engine/effects.h"

namespace lingua {

struct ClientJob {
  std::vector<Submit> requests;  // submitted in this order; their numbers are the client's own
  // When, after the devices have become ready to serve, ascending, as many as requests; empty: at once.
  std::vector<Seconds> arrivals;
  // Asked for one more request when those are submitted and fewer than `concurrency` of all are under way;
  // it may take its time (a person types), and should look at `over` meanwhile: true when nobody will
  // answer any more. Nothing: there will be no more. Empty: the same.
  std::function<std::optional<Submit>(const std::function<bool()>& over)> next_request;
  int concurrency = 1;
  // Called as things happen, with the client's own numbers; may be empty.
  std::function<bool(const TokenMade&)> on_token;  // false: this request shall end now
  std::function<void(const Done&)> on_done;
  std::function<void(const Refused&)> on_refused;
};

struct ClientResult {
  std::vector<Done> answers;      // in the order in which their requests were submitted
  std::vector<Refused> refusals;  // as they came
  bool stopped = false;           // before all had ended
};

class Client {
 public:
  // REQUIRES: the job outlives it.
  explicit Client(const ClientJob& job);

  void begin(Effects& effects);
  void take(const Message& message, Seconds now, Effects& effects);
  // When submit_due() is to be called at the latest.
  Seconds deadline() const;
  // Submits what is due, and asks for more (see ClientJob).
  void submit_due(Seconds now, const std::function<bool()>& over, Effects& effects);
  // Nobody waits for its answers any more: what is under way shall end, nothing else comes.
  void hang_up(Effects& effects);
  // All that it submitted has ended, or the coordinator has. Then it has said so.
  bool finished() const { return result_.stopped || gone_; }
  ClientResult result() &&;

 private:
  void submit(Submit request, Effects& effects);
  Seconds due() const;
  std::size_t end(RequestId request);
  void leave_when_done(Effects& effects);

  const ClientJob& job_;
  bool may_ask_;
  bool serving_ = false;
  bool gone_ = false;
  Seconds start_{0};
  std::size_t next_ = 0;                        // of job_.requests
  std::size_t submitted_ = 0;                   // in all
  std::map<RequestId, std::size_t> under_way_;  // and their places among those
  std::map<std::size_t, Done> answers_;         // by place
  ClientResult result_;
};

// The loop of a client, a turn at a time, for who has something else to look at between.
class ClientLoop {
 public:
  // REQUIRES: mailbox and job outlive it.
  ClientLoop(Mailbox& mailbox, const ClientJob& job);

  // Waits for one message, at most until `deadline`, and takes it. False when the client has finished.
  bool turn(Seconds deadline = kNever);
  void hang_up();
  ClientResult result() && { return std::move(client_).result(); }

 private:
  bool over();
  void send();

  Mailbox& mailbox_;
  Client client_;
  Effects effects_;
  std::deque<Message> early_;  // that came while a person typed
};

ClientResult run_client(Mailbox& mailbox, const ClientJob& job);

}  // namespace lingua
