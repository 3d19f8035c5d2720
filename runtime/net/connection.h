#pragma once
// The ways to peers: a connection to a peer's inbox, or back over the one that it made to this process's.
//
// Threads: none of this is thread-safe; one thread at a time owns it.

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/sockets.h"

namespace lingua::internal {

// Where a peer listens, what to quote when connecting to it, and who it has to be.
struct PeerAddress {
  Address address;  // numeric
  std::uint64_t key = 0;
  std::optional<PublicKey> public_key = {};  // where links are secured
  bool relayed = false;                      // what is sent to it goes through the coordinator
};

// For how long nothing has moved, looked at again and again.
class Silence {
 public:
  explicit Silence(Seconds loss_timeout);
  void begin() { looked_ = next_look_ = Clock::now(); }
  void note_life() { silence_ = Seconds(0); }
  Clock::time_point next_look() const { return next_look_; }
  // Whether it has been too long. A look that comes late, because this machine was busy or asleep, counts as one in
  // time.
  bool look(bool moved);
  std::string words() const;

 private:
  const Seconds loss_timeout_;
  Seconds silence_{0};
  Clock::time_point looked_;
  Clock::time_point next_look_;
};

// The way to one peer.
class Connection {
 public:
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  enum class State { kConnecting, kUp, kDown };
  State state() const { return state_; }
  // Reads what has come, and sees whether it goes down.
  virtual State update() = 0;
  // When update() has to be called at the latest.
  virtual Clock::time_point next_update() const { return silence_.next_look(); }
  const std::string& reason() const { return reason_; }  // when kDown
  // A sign of life came another way.
  void note_life() { silence_.note_life(); }

  virtual void send(std::vector<Frame> frames) = 0;
  void send(const wire::Envelope& envelope);
  // What the peer answers to what was sent over this connection.
  std::optional<wire::Envelope> receive();
  virtual void take_answer(wire::Envelope answer);  // InputError for too many
  // The last that goes over it: it goes though the connection is dropped then, for a second.
  virtual void send_last(const wire::Envelope& envelope) { send(envelope); }
  // What comes back over it and answers nothing: a coordinator's messages where it cannot reach this inbox.
  virtual std::optional<Incoming> receive_message() { return std::nullopt; }
  // Down, and nobody has ever answered at its other end: nothing was sent.
  virtual bool never_reached() const { return false; }
  // REQUIRES: never_reached().
  virtual std::deque<std::vector<Frame>> take_unsent() { return {}; }
  virtual void poll_for(std::vector<zmq::pollitem_t>& /*items*/) {}

 protected:
  explicit Connection(Seconds loss_timeout) : silence_(loss_timeout) {}
  void go_down(std::string reason);

  State state_ = State::kConnecting;
  Silence silence_;

 private:
  std::string reason_;
  std::deque<wire::Envelope> answers_;
};

// To a peer's inbox.
class OwnConnection : public Connection {
 public:
  // `introduction`, Join or Introduce, is the first message; others wait until it is answered.
  // REQUIRES: options have a key where the peer has.
  OwnConnection(zmq::context_t& context, const PeerAddress& peer, const NetOptions& options,
                wire::Envelope introduction);

  // It goes down when it breaks, when nothing moves for loss_timeout, when the peer refuses, and when it is
  // not up within five times that (`patient` ones go on trying for ever).
  State update(bool patient);
  State update() override { return update(false); }
  Clock::time_point next_update() const override;
  bool refused() const { return refused_; }                  // why it is kDown
  bool refused_for_now() const { return refused_for_now_; }  // and may ask again later
  bool never_reached() const override { return never_reached_; }
  std::deque<std::vector<Frame>> take_unsent() override { return std::move(waiting_); }
  // Somebody accepted connections and did not greet as this end expects, for two seconds or at all.
  bool is_odd() const;
  // Several connections one after the other ended before they were greeted or secured.
  bool is_turned_away() const;
  Seconds wait() const { return wait_; }        // as Welcome said
  bool is_relayed() const { return relayed_; }  // likewise

  using Connection::send;
  void send(std::vector<Frame> frames) override;
  void send_last(const wire::Envelope& envelope) override;
  // At once, before it is up. REQUIRES: something has come over it.
  void send_early(const wire::Envelope& envelope);
  std::optional<Incoming> receive_message() override;
  void poll_for(std::vector<zmq::pollitem_t>& items) override;

 private:
  void read_monitor();
  void read_answers();
  void take_welcome(const wire::Welcome& welcome);
  bool has_moved();

  const std::string address_;
  const bool is_join_;
  const wire::Envelope introduction_;
  zmq::socket_t socket_;
  Monitor monitor_;
  FileDescriptor connection_;
  Clock::time_point give_up_;
  Clock::time_point next_try_;  // while it connects
  TcpCounts counts_;
  Seconds wait_{0};
  bool relayed_ = false;
  bool refused_ = false;
  bool refused_for_now_ = false;
  bool never_reached_ = false;
  bool odd_ = false;
  std::optional<Clock::time_point> accepted_;   // and not greeted yet
  std::vector<Clock::time_point> ended_early_;  // connections, before they were greeted or secured
  std::deque<std::vector<Frame>> waiting_;      // to be welcomed
  std::deque<Incoming> messages_;
};

// Over the connection that the peer made to this inbox.
class BackConnection : public Connection {
 public:
  // `introduction` as to a peer's inbox; take_answer() is given the answer. The inbox outlives it.
  BackConnection(Inbox& inbox, std::string identity, Seconds loss_timeout,
                 const wire::Envelope& introduction);

  // It goes down when that breaks, when nothing moves for loss_timeout (who sees bytes come says note_life()), and
  // when it is not up within five times that.
  State update() override;
  Clock::time_point next_update() const override;
  void take_answer(wire::Envelope answer) override;
  using Connection::send;
  void send(std::vector<Frame> frames) override;

 private:
  Inbox& inbox_;
  const std::string identity_;
  const Clock::time_point give_up_;
};

}  // namespace lingua::internal
