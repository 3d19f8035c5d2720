#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/net/sockets.h"
#include "runtime/net/zmq_frames.h"

namespace lingua::internal {
namespace {

constexpr int kSendBufferBytes = 256 * 1024;  // what cannot be taken back when a run ends
constexpr int kNeverMs = 1'000'000'000;       // ZeroMQ's own verdict on a peer: we look ourselves
constexpr int kConnectMs = 3000;              // then it tries again
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

// Whether a large message is on its way. The kernel of a process that hangs confirms too, pings and
// what else is small: it is no sign when the last byte that waited has been confirmed.
bool is_draining(const TcpCounts& before, const TcpCounts& now) {
  constexpr std::uint64_t kMuch = 16 * 1024;
  if (now.confirmed <= before.confirmed) return false;
  const std::uint64_t confirmed = now.confirmed - before.confirmed;
  return confirmed < before.unconfirmed || confirmed >= kMuch;
}

}  // namespace

Connection::Connection(zmq::context_t& context, const PeerAddress& peer, const NetOptions& options,
                       wire::Envelope introduction)
    : address_(peer.address.text()),
      loss_timeout_(options.loss_timeout),
      introduction_(std::move(introduction)),
      socket_(context, zmq::socket_type::dealer),
      monitor_(context, socket_,
               ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                   ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                   ZMQ_EVENT_HANDSHAKE_FAILED_AUTH),
      give_up_(Clock::now() + duration(loss_timeout_ * kPatientLosses)),
      looked_(Clock::now()),
      next_look_(looked_) {
  socket_.set(zmq::sockopt::sndhwm, 0);
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::sndbuf, kSendBufferBytes);
  socket_.set(zmq::sockopt::maxmsgsize,
              static_cast<std::int64_t>(kMaxControlBytes + kSecuringBytes));
  socket_.set(zmq::sockopt::connect_timeout, kConnectMs);
  socket_.set(zmq::sockopt::reconnect_ivl, 20);
  socket_.set(zmq::sockopt::reconnect_ivl_max, 200);
  socket_.set(zmq::sockopt::heartbeat_ivl, milliseconds(loss_timeout_ / 8));
  socket_.set(zmq::sockopt::heartbeat_timeout, kNeverMs);
  LINGUA_CHECK(options.key.has_value() == peer.public_key.has_value());
  if (peer.public_key) secure_connection(socket_, *options.key, *peer.public_key);
  socket_.connect(address_);
}

Connection::State Connection::update(bool patient) {
  read_monitor();
  read_answers();
  const Clock::time_point now = Clock::now();
  if (state_ == State::kUp && now >= next_look_) look();
  if (state_ == State::kConnecting) {
    next_look_ = patient ? now + std::chrono::hours(1) : give_up_;
    if (now >= next_look_) go_down(fmt::format("it cannot be reached at {}", address_));
  }
  return state_;
}

void Connection::read_monitor() {
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

void Connection::read_answers() {
  while (state_ != State::kDown) {
    const auto incoming = receive_frames(socket_, false);
    if (!incoming) return;
    wire::Envelope answer;
    try {
      if (incoming->frames.empty()) throw InputError("message: no frames");
      parse_envelope(incoming->frames.front().bytes, &answer);
      if (answers_.size() >= kMaxAnswers) throw InputError("message: it was not expected");
    } catch (const InputError& error) {
      go_down(fmt::format("answers nonsense: {}", error.what()));
      return;
    }
    if (answer.has_refused()) {
      refused_ = true;
      refused_for_now_ = answer.refused().for_now();
      go_down(one_line(answer.refused().reason()));
    } else if (!answer.has_welcome()) {
      answers_.push_back(std::move(answer));
    } else if (state_ == State::kConnecting) {  // else it is for an introduction that went twice
      state_ = State::kUp;
      wait_ = Seconds(answer.welcome().wait_s());
      looked_ = next_look_ = Clock::now();
      for (const auto& frames : waiting_) send_frames(socket_, frames);
      waiting_.clear();
    }
  }
}

bool Connection::is_odd() const {
  return odd_ || is_turned_away() ||
         (accepted_ && Clock::now() - *accepted_ > std::chrono::seconds(2));
}

bool Connection::is_turned_away() const {
  constexpr std::size_t kOften = 3;
  constexpr std::chrono::seconds kRecently{2};
  return ended_early_.size() >= kOften &&
         Clock::now() - ended_early_[ended_early_.size() - kOften] < kRecently;
}

// Life is a byte that has come, or a queue of bytes that gets shorter.
void Connection::look() {
  const Clock::time_point now = Clock::now();
  const Seconds interval = look_interval(loss_timeout_);
  const auto counts = tcp_counts(connection_.get());
  // A look that comes late, because this machine was busy or asleep, counts as one in time.
  silence_ += std::min(Seconds(now - looked_), interval * 2);
  // Welcome has come, so that a kernel that counts has counted something.
  const bool counted = counts && counts->received > 0;
  if (!counted || counts->received > counts_.received || is_draining(counts_, *counts)) {
    silence_ = Seconds(0);
  }
  if (counts) counts_ = *counts;
  looked_ = now;
  next_look_ = now + duration(interval);
  if (silence_ < loss_timeout_) return;
  go_down(fmt::format("nothing has come from it for {}",
                      format_quantity(loss_timeout_.count(), Unit::kSeconds)));
}

void Connection::go_down(std::string reason) {
  state_ = State::kDown;
  reason_ = std::move(reason);
}

void Connection::send(std::vector<Frame> frames) {
  if (state_ == State::kUp) {
    send_frames(socket_, frames);
  } else {
    waiting_.push_back(std::move(frames));
  }
}

void Connection::send(const wire::Envelope& envelope) { send({make_control_frame(envelope)}); }

std::optional<wire::Envelope> Connection::receive() {
  if (answers_.empty()) return std::nullopt;
  wire::Envelope answer = std::move(answers_.front());
  answers_.pop_front();
  return answer;
}

void Connection::poll_for(std::vector<zmq::pollitem_t>& items) {
  items.push_back(poll_item(monitor_.socket()));
  items.push_back(poll_item(socket_));
}

}  // namespace lingua::internal
