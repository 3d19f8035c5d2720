#include "runtime/net/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua::internal {
namespace {

constexpr int kConnectMs = 1000;
constexpr int kGreetingMs = 400;
constexpr std::size_t kGreetingBytes = 64;

// What it says within kGreetingMs. Nothing: it ended the connection.
std::optional<std::string> heard(int fd) {
  pollfd item{fd, POLLIN, 0};
  if (poll(&item, 1, kGreetingMs) != 1) return "";
  std::string bytes(200, '\0');
  const ssize_t size = recv(fd, bytes.data(), bytes.size(), 0);
  if (size <= 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

// What ZeroMQ at the other end asks of connections: "NULL", "CURVE"; empty when it does not say.
std::string mechanism_of(int fd, std::string said) {
  constexpr std::size_t kMechanismAt = 12;
  constexpr std::size_t kMechanismBytes = 20;
  // ZMTP 3.0: signature and version, upon which the other end sends the rest of its greeting.
  constexpr std::string_view kHello("\xff\0\0\0\0\0\0\0\0\x7f\3", 11);
  send(fd, kHello.data(), kHello.size(), MSG_NOSIGNAL);
  while (said.size() < kGreetingBytes) {
    const auto more = heard(fd);
    if (!more || more->empty()) return "";
    said += *more;
  }
  const std::string mechanism = said.substr(kMechanismAt, kMechanismBytes);
  return mechanism.substr(0, mechanism.find('\0'));
}

Listener judge_zeromq(const std::string& mechanism, const Wanted& wanted) {
  if (wanted.secured && mechanism == "NULL") {
    return {true,
            "a program that speaks ZeroMQ without keys is there; was it started with `insecure`?"};
  }
  if (!wanted.secured && mechanism == "CURVE") {
    return {true, "what is there wants keys; join it with the line that it prints: `join` LINE"};
  }
  if (wanted.turned_away && mechanism == "CURVE") {
    return {true,
            "what is there does not have the key that it should have: either the coordinator has a "
            "new one, or somebody else listens there"};
  }
  return {false, "a program that speaks ZeroMQ is there, and does not answer as a coordinator"};
}

Listener judge(const std::string& said) {
  if (said.empty()) {
    return {false, "a program accepts connections there and says nothing"};
  }
  const std::string line = one_line(said.substr(0, said.find_first_of("\r\n")), 80);
  const char* what = said.rfind("SSH-", 0) == 0    ? "an SSH server"
                     : said.rfind("HTTP/", 0) == 0 ? "a web server"
                                                   : "another program";
  return {true, fmt::format("{} is there, no coordinator: it says '{}'", what, line)};
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}
FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}
FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor share(int fd) { return FileDescriptor(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

std::optional<TcpCounts> tcp_counts(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  constexpr std::size_t kNeeded =
      offsetof(tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received);
  int queued = 0;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < kNeeded ||
      ioctl(fd, SIOCOUTQ, &queued) != 0) {
    return std::nullopt;
  }
  return TcpCounts{info.tcpi_bytes_acked, info.tcpi_bytes_received,
                   static_cast<std::uint64_t>(std::max(queued, 0))};
}

int local_port(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return address.sin_family == AF_INET ? ntohs(address.sin_port) : 0;
}

void break_connection(int fd) {
  // Disconnecting drops what has been received too, which shutdown() would leave to be read.
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  connect(fd, &none, sizeof(none));
}

int raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
}

Listener who_listens(const Address& numeric, const Wanted& wanted) {
  const FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(numeric.port)));
  inet_pton(AF_INET, numeric.host.c_str(), &address.sin_addr);
  int error = 0;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    error = errno;
  }
  pollfd item{fd.get(), POLLOUT, 0};
  if (error == EINPROGRESS) {
    if (poll(&item, 1, kConnectMs) != 1) {
      return {false, "nobody answers there: is the machine on, and in this network?"};
    }
    socklen_t size = sizeof(error);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == ECONNREFUSED) return {false, "nothing listens there (Connection refused)"};
  if (error != 0) return {false, fmt::format("it cannot be reached: {}", std::strerror(error))};
  auto said = heard(fd.get());
  if (said && said->empty()) {  // web servers want to be asked
    constexpr std::string_view kQuestion = "GET / HTTP/1.0\r\n\r\n";
    send(fd.get(), kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL);
    said = heard(fd.get());
  }
  if (!said) return {false, "a program accepts connections there and ends them at once"};
  if (!said->empty() && said->front() == '\xff') {
    return judge_zeromq(mechanism_of(fd.get(), *said), wanted);
  }
  return judge(*said);
}

}  // namespace lingua::internal
