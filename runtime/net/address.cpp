#include "runtime/net/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/net/net_device.h"

namespace lingua::internal {
namespace {

bool is_host(const std::string& host) {
  return !host.empty() && host.size() <= 253 && host.front() != '-' &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return (c < 128 && std::isalnum(c) != 0) || c == '.' || c == '-' || c == '_';
         });
}

bool is_port(const std::string& port) {
  int number = 0;
  const char* end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data(), end, number);
  return error == std::errc() && stop == end && number >= 1 && number <= 65535;
}

std::optional<Address> try_parse(const std::string& text, bool listen) {
  constexpr std::string_view kScheme = "tcp://";
  const std::size_t colon = text.rfind(':');
  if (text.compare(0, kScheme.size(), kScheme) != 0 || colon < kScheme.size()) return std::nullopt;
  Address address{text.substr(kScheme.size(), colon - kScheme.size()), text.substr(colon + 1)};
  const bool host = is_host(address.host) || (listen && address.host == "*");
  const bool port = is_port(address.port) || (listen && address.port == "*");
  if (!host || !port) return std::nullopt;
  return address;
}

std::string problem(const std::string& text, bool listen) {
  if (try_parse(text, listen)) return "";
  return fmt::format(
      "'{}' is no address; write tcp://HOST:PORT with a host name or IPv4 address and a port of 1 "
      ".. 65535{}",
      one_line(text, 300), listen ? ", or * for either" : "");
}

Address parse(const std::string& text, bool listen) {
  if (auto address = try_parse(text, listen)) return *std::move(address);
  throw WorldError(problem(text, listen));
}

}  // namespace

Address parse_address(const std::string& text) { return parse(text, false); }
Address parse_listen_address(const std::string& text) { return parse(text, true); }

Address parse_numeric_address(const std::string& text) {
  Address address = parse(text, false);
  in_addr number{};
  if (inet_pton(AF_INET, address.host.c_str(), &number) == 1) return address;
  throw WorldError(fmt::format("'{}' is no IPv4 address in numbers", one_line(text, 300)));
}

Address resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    throw WorldError(
        fmt::format("{}: the host name '{}' does not resolve ({}); check it, or write an IPv4 "
                    "address",
                    address.text(), address.host, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::array<char, INET_ADDRSTRLEN> text{};
  const auto* socket_address = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
  inet_ntop(AF_INET, &socket_address->sin_addr, text.data(), text.size());
  return {text.data(), address.port};
}

std::string local_address_towards(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), "9", &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  // Connecting a datagram socket sends nothing: it asks the routing table.
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return {};
  std::string address;
  sockaddr_in local{};
  socklen_t size = sizeof(local);
  std::array<char, INET_ADDRSTRLEN> text{};
  if (connect(socket, found->ai_addr, found->ai_addrlen) == 0 &&
      getsockname(socket, reinterpret_cast<sockaddr*>(&local), &size) == 0 &&
      inet_ntop(AF_INET, &local.sin_addr, text.data(), text.size()) != nullptr) {
    address = text.data();
  }
  close(socket);
  return address;
}

std::string own_address() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(all, freeifaddrs);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    const bool is_up = (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0;
    if (!is_up || one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr) {
      return text.data();
    }
  }
  return {};
}

}  // namespace lingua::internal

namespace lingua {

namespace {

// In numbers as the resolver takes them ("0", "127.1"); nothing for a name.
std::optional<std::uint32_t> ipv4_of(const std::string& address) {
  const internal::Address parsed = internal::parse_listen_address(address);
  in_addr numeric{};
  if (parsed.any_host()) return 0;
  if (inet_aton(parsed.host.c_str(), &numeric) == 0) return std::nullopt;
  return ntohl(numeric.s_addr);
}

}  // namespace

bool listens_everywhere(const std::string& address) { return ipv4_of(address) == 0U; }

bool listens_on_loopback(const std::string& address) {
  const auto number = ipv4_of(address);
  return number ? *number >> 24 == 127
                : internal::parse_listen_address(address).host == "localhost";
}

std::string coordinator_address_problem(const std::string& text) {
  return internal::problem(text, false);
}
std::string host_problem(const std::string& text) {
  if (internal::is_host(text)) return "";
  return fmt::format("'{}' is no host; write a host name or IPv4 address", one_line(text, 300));
}
std::string listen_address_problem(const std::string& text) {
  return internal::problem(text, true);
}

}  // namespace lingua
