#include "runtime/net/guard.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lingua::internal {
namespace {

constexpr const char* kDomain = "lingua";
constexpr std::size_t kMostParts = 16;

zmq::const_buffer buffer(const std::array<std::uint8_t, kKeyBytes>& bytes) {
  return zmq::buffer(bytes.data(), bytes.size());
}

}  // namespace

Guard::Guard(zmq::context_t& context) : socket_(context, zmq::socket_type::rep) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind("inproc://zeromq.zap.01");
}

// Asked: version, id, domain, address, identity, mechanism, credentials. Answered: version, id, status,
// words, user, metadata.
void Guard::serve() {
  while (true) {
    std::vector<std::string> question;
    for (bool more = true; more;) {
      zmq::message_t part;
      if (!socket_.recv(part, zmq::recv_flags::dontwait)) return;
      more = part.more();
      if (question.size() < kMostParts) question.push_back(part.to_string());
    }
    const auto part = [&](std::size_t i) { return i < question.size() ? question[i] : ""; };
    const auto key = part(5) == "CURVE" ? public_key_of(part(6)) : std::nullopt;
    const bool allowed = key && part(2) == kDomain && (is_open_ || allowed_.contains(*key));
    const std::array<std::string, 6> answer = {"1.0",
                                               part(1),
                                               allowed ? "200" : "400",
                                               allowed ? "OK" : "not known here",
                                               allowed ? key->text() : "",
                                               ""};
    for (std::size_t i = 0; i < answer.size(); ++i) {
      const auto more = i + 1 < answer.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      socket_.send(zmq::buffer(answer[i]), more | zmq::send_flags::dontwait);
    }
  }
}

void secure_inbox(zmq::socket_t& socket, const KeyPair& self) {
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_secretkey, buffer(self.secret));
  socket.set(zmq::sockopt::zap_domain, kDomain);
}

void secure_connection(zmq::socket_t& socket, const KeyPair& self, const PublicKey& peer) {
  socket.set(zmq::sockopt::curve_serverkey, buffer(peer.bytes));
  socket.set(zmq::sockopt::curve_publickey, buffer(self.public_key.bytes));
  socket.set(zmq::sockopt::curve_secretkey, buffer(self.secret));
}

std::optional<PublicKey> sender_of(zmq::message_t& part) {
  const char* user = zmq_msg_gets(part.handle(), "User-Id");
  return user == nullptr ? std::nullopt : parse_public_key(user);
}

}  // namespace lingua::internal
