#pragma once
// Addresses of inboxes: "tcp://HOST:PORT", HOST a name or IPv4 address.
//
// Errors: WorldError names the address and what would be accepted.

#include <string>

namespace lingua::internal {

struct Address {
  std::string host;
  std::string port;  // "1" .. "65535", or "*" where one may be chosen

  std::string text() const { return "tcp://" + host + ":" + port; }
  bool any_host() const { return host == "*" || host == "0.0.0.0"; }
};

// To connect to: a host and a port.
Address parse_address(const std::string& text);
// To listen on: "*" may stand for the host (all interfaces) and the port (any free one).
Address parse_listen_address(const std::string& text);
// To connect to, without asking anybody what a name means.
Address parse_numeric_address(const std::string& text);

// With the host as a number. Asks the resolver, which may take seconds.
Address resolve(const Address& address);

// The address of this machine by which packets leave for `host`; empty when there is no way to it.
std::string local_address_towards(const std::string& host);
// One of this machine's addresses in a network, for where no route leads out of it (a hotspot, a switch of
// its own); empty when it is in none.
std::string own_address();

}  // namespace lingua::internal
