#include "runtime/net/connection.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/net/zmq_frames.h"

namespace lingua::internal {
namespace {

constexpr int kSendBufferBytes = 256 * 1024;  // what cannot be taken back when a run ends
constexpr int kNeverMs = 1'000'000'000;       // ZeroMQ's own verdict on a peer: we look ourselves
constexpr int kConnectMs = 3000;              // then it tries again
constexpr int kLastMs = 1000;                 // for what is sent as a connection is dropped
constexpr std::size_t kMaxAnswers = 1000;

int milliseconds(Seconds time) {
  return static_cast<int>(std::clamp(time.count() * 1e3, 1.0, 1e9));
}

Clock::duration duration(Seconds time) {
  return std::chrono::duration_cast<Clock::duration>(std::min(time, Seconds(1e8)));
}

// A peer that has just started may be busy for longer than one that works may be silent.
constexpr double kPatientLosses = 5;

// How often a connection is looked at: a fraction of the time after which silence is a loss.
Seconds look_interval(Seconds loss_timeout) {
  return std::clamp(loss_timeout / 8, Seconds(0.01), Seconds(1));
}

// What answers the connection's own end; all else that comes back over it is a message.
bool is_answer(const wire::Envelope& envelope) {
  return envelope.has_welcome() || envelope.has_refused() || envelope.has_clock() ||
         envelope.has_farewell() || (envelope.has_directory() && envelope.directory().round() == 0);
}

// Whether a large message is on its way. The kernel of a process that hangs confirms too, pings and
// what else is small: it is no sign when the last byte that waited has been confirmed.
bool is_draining(const TcpCounts& before, const TcpCounts& now) {
  constexpr std::uint64_t kMuch = 16 * 1024;
  if (now.confirmed <= before.confirmed) return false;
  const std::uint64_t confirmed = now.confirmed - before.confirmed;
  return confirmed < before.unconfirmed || confirmed >= kMuch;
}

}  // namespace

Silence::Silence(Seconds loss_timeout)
    : loss_timeout_(loss_timeout), looked_(Clock::now()), next_look_(looked_) {}

bool Silence::look(bool moved) {
  const Clock::time_point now = Clock::now();
  const Seconds interval = look_interval(loss_timeout_);
  silence_ += std::min(Seconds(now - looked_), interval * 2);
  if (moved) silence_ = Seconds(0);
  looked_ = now;
  next_look_ = now + duration(interval);
  return silence_ >= loss_timeout_;
}

std::string Silence::words() const {
  return fmt::format("nothing has come from it for {}",
                     format_quantity(loss_timeout_.count(), Unit::kSeconds));
}

// ---- either ----

void Connection::go_down(std::string reason) {
  state_ = State::kDown;
  reason_ = std::move(reason);
}

void Connection::send(const wire::Envelope& envelope) { send({make_control_frame(envelope)}); }

std::optional<wire::Envelope> Connection::receive() {
  if (answers_.empty()) return std::nullopt;
  wire::Envelope answer = std::move(answers_.front());
  answers_.pop_front();
  return answer;
}

void Connection::take_answer(wire::Envelope answer) {
  if (answers_.size() >= kMaxAnswers) throw InputError("message: it was not expected");
  answers_.push_back(std::move(answer));
}

// ---- to a peer's inbox ----

OwnConnection::OwnConnection(zmq::context_t& context, const PeerAddress& peer,
                             const NetOptions& options, wire::Envelope introduction)
    : Connection(options.loss_timeout),
      address_(peer.address.text()),
      is_join_(introduction.has_join()),
      introduction_(std::move(introduction)),
      socket_(context, zmq::socket_type::dealer),
      monitor_(context, socket_,
               ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                   ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                   ZMQ_EVENT_HANDSHAKE_FAILED_AUTH),
      give_up_(Clock::now() + duration(options.loss_timeout * kPatientLosses)),
      next_try_(Clock::now()) {
  socket_.set(zmq::sockopt::sndhwm, 0);
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::sndbuf, kSendBufferBytes);
  if (is_join_) socket_.set(zmq::sockopt::rcvhwm, 0);
  socket_.set(
      zmq::sockopt::maxmsgsize,
      static_cast<std::int64_t>((is_join_ ? kMaxFrameBytes : kMaxControlBytes) + kSecuringBytes));
  socket_.set(zmq::sockopt::connect_timeout, kConnectMs);
  socket_.set(zmq::sockopt::reconnect_ivl, 20);
  socket_.set(zmq::sockopt::reconnect_ivl_max, 200);
  socket_.set(zmq::sockopt::heartbeat_ivl, milliseconds(options.loss_timeout / 8));
  socket_.set(zmq::sockopt::heartbeat_timeout, kNeverMs);
  LINGUA_CHECK(options.key.has_value() == peer.public_key.has_value());
  if (peer.public_key) secure_connection(socket_, *options.key, *peer.public_key);
  socket_.connect(address_);
}

Connection::State OwnConnection::update(bool patient) {
  read_monitor();
  read_answers();
  const Clock::time_point now = Clock::now();
  if (state_ == State::kUp && now >= silence_.next_look() && silence_.look(has_moved()))
    go_down(silence_.words());
  if (state_ == State::kConnecting) {
    next_try_ = patient ? now + std::chrono::hours(1) : give_up_;
    if (now >= next_try_) {
      never_reached_ = true;
      go_down(fmt::format("it cannot be reached at {}", address_));
    }
  }
  return state_;
}

Clock::time_point OwnConnection::next_update() const {
  return state_ == State::kConnecting ? next_try_ : Connection::next_update();
}

void OwnConnection::read_monitor() {
  while (state_ != State::kDown) {
    const auto event = monitor_.next();
    if (!event) return;
    if (event->kind == ZMQ_EVENT_CONNECTED) {
      connection_ = share(event->value);
      if (!accepted_) accepted_ = Clock::now();
    } else if (event->kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      odd_ = false;
      ended_early_.clear();
      accepted_.reset();
      send_frames(socket_, {make_control_frame(introduction_)});
    } else if (event->kind == ZMQ_EVENT_DISCONNECTED) {
      connection_ = FileDescriptor();
      read_answers();  // a welcome over it is none for the next
      if (state_ == State::kUp) go_down("the connection broke");
      if (accepted_) ended_early_.push_back(Clock::now());
    } else if (event->kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
      refused_ = refused_for_now_ = true;
      go_down("whoever listens there turned this device's key away: it is not of that run");
    } else {
      odd_ = true;
    }
  }
}

void OwnConnection::read_answers() {
  while (state_ != State::kDown) {
    auto incoming = receive_frames(socket_, false);
    if (!incoming) return;
    wire::Envelope answer;
    try {
      if (incoming->frames.empty()) throw InputError("message: no frames");
      parse_envelope(incoming->frames.front().bytes, &answer);
      if (is_join_ && state_ == State::kUp && !is_answer(answer)) {
        messages_.push_back(std::move(*incoming));
        continue;
      }
      if (answer.has_refused()) {
        refused_ = true;
        refused_for_now_ = answer.refused().for_now();
        go_down(one_line(answer.refused().reason()));
      } else if (answer.has_welcome()) {
        take_welcome(answer.welcome());
      } else {
        take_answer(std::move(answer));
      }
    } catch (const InputError& error) {
      go_down(fmt::format("answers nonsense: {}", error.what()));
      return;
    }
  }
}

void OwnConnection::take_welcome(const wire::Welcome& welcome) {
  if (state_ != State::kConnecting) return;  // it is for an introduction that went twice
  state_ = State::kUp;
  wait_ = Seconds(welcome.wait_s());
  relayed_ = welcome.relayed();
  silence_.begin();
  for (const auto& frames : waiting_) send_frames(socket_, frames);
  waiting_.clear();
}

bool OwnConnection::is_odd() const {
  return odd_ || is_turned_away() ||
         (accepted_ && Clock::now() - *accepted_ > std::chrono::seconds(2));
}

bool OwnConnection::is_turned_away() const {
  constexpr std::size_t kOften = 3;
  constexpr std::chrono::seconds kRecently{2};
  return ended_early_.size() >= kOften &&
         Clock::now() - ended_early_[ended_early_.size() - kOften] < kRecently;
}

// Life is a byte that has come, or a queue of bytes that gets shorter.
bool OwnConnection::has_moved() {
  const auto counts = tcp_counts(connection_.get());
  // Welcome has come, so that a kernel that counts has counted something.
  const bool counted = counts && counts->received > 0;
  const bool moved =
      !counted || counts->received > counts_.received || is_draining(counts_, *counts);
  if (counts) counts_ = *counts;
  return moved;
}

void OwnConnection::send(std::vector<Frame> frames) {
  if (state_ == State::kUp) {
    send_frames(socket_, frames);
  } else {
    waiting_.push_back(std::move(frames));
  }
}

void OwnConnection::send_last(const wire::Envelope& envelope) {
  socket_.set(zmq::sockopt::linger, kLastMs);
  Connection::send(envelope);
}

void OwnConnection::send_early(const wire::Envelope& envelope) {
  send_frames(socket_, {make_control_frame(envelope)});
}

std::optional<Incoming> OwnConnection::receive_message() {
  if (messages_.empty()) return std::nullopt;
  Incoming message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

void OwnConnection::poll_for(std::vector<zmq::pollitem_t>& items) {
  items.push_back(poll_item(monitor_.socket()));
  items.push_back(poll_item(socket_));
}

// ---- back over the peer's ----

BackConnection::BackConnection(Inbox& inbox, std::string identity, Seconds loss_timeout,
                               const wire::Envelope& introduction)
    : Connection(loss_timeout),
      inbox_(inbox),
      identity_(std::move(identity)),
      give_up_(Clock::now() + duration(loss_timeout * kPatientLosses)) {
  inbox_.reply(identity_, introduction);
}

Connection::State BackConnection::update() {
  if (state_ == State::kDown) return state_;
  const Clock::time_point now = Clock::now();
  if (!inbox_.is_open(identity_)) {
    go_down("the connection broke");
  } else if (state_ == State::kConnecting && now >= give_up_) {
    go_down("it does not answer over the connection that it made either");
  } else if (state_ == State::kUp && now >= silence_.next_look() && silence_.look(false)) {
    go_down(silence_.words());
  }
  return state_;
}

Clock::time_point BackConnection::next_update() const {
  return state_ == State::kConnecting ? give_up_ : Connection::next_update();
}

void BackConnection::take_answer(wire::Envelope answer) {
  if (!answer.has_welcome()) {
    Connection::take_answer(std::move(answer));
  } else if (state_ == State::kConnecting) {
    state_ = State::kUp;
    silence_.begin();
  }
}

void BackConnection::send(std::vector<Frame> frames) { inbox_.reply(identity_, frames); }

}  // namespace lingua::internal
