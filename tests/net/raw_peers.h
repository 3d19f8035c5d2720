#pragma once
// Peers, strangers and other programs for tests of the transport: workers of which the test holds
// the bare sockets, plain TCP clients, servers that are something else.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/joining.h"
#include "runtime/net/local_processes.h"
#include "runtime/net/net_device.h"
#include "tests/net/null_executor.h"

namespace lingua {

inline NetOptions quick(double join_timeout_s = 0.3) {
  NetOptions options;
  options.join_timeout = Seconds(join_timeout_s);
  return options;
}

template <class Function>
std::string world_error(Function function) {
  try {
    function();
  } catch (const WorldError& error) {
    return error.what();
  }
  return "no error";
}

inline std::unique_ptr<Device> join(const DeviceName& name, const std::string& address,
                                    const NetOptions& options = {}) {
  return join_as_worker({spec_of(name), address, options, {}}, std::make_unique<NullExecutor>());
}

inline LocalProcess peer_process(const DeviceName& name, const std::string& address) {
  return {name, {NET_PEER, name, address}, {}, {}};
}

// Somebody who connects to an inbox and introduces itself in words of its own.
class RawPeer {
 public:
  RawPeer(const internal::PeerAddress& peer, const KeyPair& pair, wire::Envelope introduction)
      : connection_(context_, peer, options(pair), std::move(introduction)) {}
  RawPeer(const std::string& address, wire::Envelope introduction)
      : connection_(context_, {internal::parse_address(address)}, options(),
                    std::move(introduction)) {}

  internal::OwnConnection& connection() { return connection_; }
  // Until it is up or down, for five seconds.
  internal::Connection::State settle() {
    for (int i = 0; i < 500 && connection_.update() == internal::Connection::State::kConnecting;
         ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return connection_.state();
  }

 private:
  static NetOptions options(std::optional<KeyPair> pair = {}) {
    NetOptions options;
    options.key = std::move(pair);
    options.loss_timeout = Seconds(0.6);  // five of them to be up
    return options;
  }

  zmq::context_t context_;
  internal::OwnConnection connection_;
};

inline wire::Envelope join_envelope(const DeviceName& name, const std::string& listens_at,
                                    int protocol = kWireProtocol) {
  wire::Envelope join;
  internal::fill_device_spec(spec_of(name), join.mutable_join()->mutable_spec());
  join.mutable_join()->set_protocol(protocol);
  join.mutable_join()->set_address(listens_at);
  join.mutable_join()->set_key(7);
  return join;
}

// A worker of which the test holds the bare sockets.
struct RawRun {
  RawRun() {
    auto joined = std::async(std::launch::async, [this] {
      NetWorkerOptions options;
      options.spec = spec_of("raw");
      options.coordinator = coordinator.address();
      return internal::join(options);
    });
    coordinator.wait_for({"raw"}, [] {});
    raw = joined.get();
  }

  internal::Connection& to_coordinator() { return *raw.connections.at(kCoordinator); }

  NetCoordinator coordinator{NetOptions{}};
  internal::Membership raw;
};

// What a ZeroMQ dealer says before its first message.
inline std::string zmq_greeting() {
  std::string greeting("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
  greeting.resize(64, '\0');
  const std::string ready("\5READY\x0bSocket-Type\0\0\0\6DEALER", 28);
  return greeting + '\4' + static_cast<char>(ready.size()) + ready;
}

// A plain TCP client.
class BareSocket {
 public:
  explicit BareSocket(const std::string& address)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const internal::Address parsed = internal::parse_address(address);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(parsed.port)));
    inet_pton(AF_INET, parsed.host.c_str(), &to.sin_addr);
    LINGUA_CHECK(connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0);
  }
  // As much as goes within 50 ms; false when the other side has closed.
  bool send(const std::string& bytes) {
    pollfd item{fd_.get(), POLLOUT, 0};
    if (poll(&item, 1, 50) == 1 && (item.revents & (POLLERR | POLLHUP)) != 0) return false;
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
           errno == EAGAIN;
  }
  // ZeroMQ's handshake. What comes together with it ZeroMQ leaves until more comes.
  void greet() {
    constexpr ssize_t kGreetingBytes = 64;
    send(zmq_greeting());
    std::array<char, 4096> said{};
    pollfd item{fd_.get(), POLLIN, 0};
    for (ssize_t heard = 0; heard <= kGreetingBytes && poll(&item, 1, 500) == 1;) {
      const ssize_t size = recv(fd_.get(), said.data(), said.size(), 0);
      if (size <= 0) return;
      heard += size;
    }
  }
  bool closed_within(int milliseconds) {
    std::string bytes(4096, '\0');
    pollfd item{fd_.get(), POLLIN, 0};
    while (poll(&item, 1, milliseconds) == 1) {
      if (recv(fd_.get(), bytes.data(), bytes.size(), 0) <= 0) return true;
    }
    return false;
  }

 private:
  internal::FileDescriptor fd_;
};

// A message of one frame, as it goes over the wire.
inline std::string zmq_frame(const std::string& bytes) {
  LINGUA_CHECK(bytes.size() < 256);
  return std::string(1, '\0') + static_cast<char>(bytes.size()) + bytes;
}

// "tcp://127.0.0.1:20123": nobody listens there, and the system gives that port to nobody who asks
// for any (Linux takes those from 32768 on), so that it stays free until the test listens there.
inline std::string unused_address() {
  static std::atomic<int> tried{getpid() % 1024 * 16};  // other tests run beside this one
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  while (true) {
    const int port = 16384 + tried++ % 16384;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    const internal::FileDescriptor probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(probe.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0)
      return fmt::format("tcp://127.0.0.1:{}", port);
  }
}

// A server that says one thing to everybody, another a little later, and hears nothing.
class OtherServer {
 public:
  explicit OtherServer(std::string says, bool close_at_once = false, std::string later = "")
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    LINGUA_CHECK(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0 &&
                 listen(listener_.get(), 16) == 0);
    thread_ = std::thread([this, says = std::move(says), close_at_once, later = std::move(later)] {
      std::vector<internal::FileDescriptor> open;
      while (!over_) {
        pollfd item{listener_.get(), POLLIN, 0};
        if (poll(&item, 1, 20) != 1) continue;
        internal::FileDescriptor fd(accept(listener_.get(), nullptr, nullptr));
        ::send(fd.get(), says.data(), says.size(), MSG_NOSIGNAL);
        if (!later.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
        ::send(fd.get(), later.data(), later.size(), MSG_NOSIGNAL);
        if (!close_at_once) open.push_back(std::move(fd));
      }
    });
  }
  ~OtherServer() {
    over_ = true;
    thread_.join();
  }
  std::string address() const {
    return fmt::format("tcp://127.0.0.1:{}", internal::local_port(listener_.get()));
  }

 private:
  internal::FileDescriptor listener_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

inline Frame text_frame(const std::string& text) {
  auto owner = std::make_shared<const std::string>(text);
  return {*owner, owner};
}

inline double resident_mb() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

}  // namespace lingua
