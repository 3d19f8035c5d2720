#pragma once
// Whose keys may pass the handshake of a process's inbox: ZeroMQ asks before it takes a connection (ZAP,
// RFC 27). Who has passed is known by its key with every message.
//
// There is one in a context, made before the inbox. Threads: the one that owns the sockets.

#include <optional>
#include <set>
#include <zmq.hpp>

#include "runtime/trust/keys.h"

namespace lingua::internal {

class Guard {
 public:
  explicit Guard(zmq::context_t& context);

  void allow(const PublicKey& key) { allowed_.insert(key); }
  // Whether everybody may pass, who is then known by a key that nobody else has.
  void open(bool to_all) { is_open_ = to_all; }

  // Answers what ZeroMQ asks. Handshakes wait for it.
  void serve();
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
  std::set<PublicKey> allowed_;
  bool is_open_ = false;
};

// This end takes connections of those that prove to have a key, and proves its own.
void secure_inbox(zmq::socket_t& socket, const KeyPair& self);
// This end proves its key, and talks to nobody who has not that of the peer.
void secure_connection(zmq::socket_t& socket, const KeyPair& self, const PublicKey& peer);

// By so much a frame is larger on a secured link, at most.
inline constexpr std::size_t kSecuringBytes = 64;

// Whose connection a message came over; nothing where links are not secured.
std::optional<PublicKey> sender_of(zmq::message_t& part);

}  // namespace lingua::internal
