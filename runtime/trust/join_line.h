#pragma once
// What a person carries from the coordinator to a phone: one line, or a picture of it.
//
//   lingua://192.168.1.5:5555/phone1/KEY/TOKEN/SUM
//
// KEY is the coordinator's public key, TOKEN lets the named device join once, SUM tells a line that was
// cut or mistyped. A name is written as in URLs. None of it is secret but the token, which ends.
// Errors: InputError says what of the line is wrong.

#include <chrono>
#include <string>
#include <string_view>

#include "runtime/trust/keys.h"

namespace lingua {

struct JoinLine {
  std::string address;  // "tcp://192.168.1.5:5555"
  std::string device;
  PublicKey coordinator;
  std::string token;

  std::string text() const;
};

JoinLine parse_join_line(std::string_view text);

// Whoever has a token may give its device's name to a key. It is a message of the coordinator to itself
// (issued when, ends when, for which name), authenticated with its secret key, so that none has to be kept.
// The clock is the coordinator's alone.
using WallClock = std::chrono::system_clock;

std::string make_token(const KeyPair& coordinator, const std::string& device,
                       WallClock::time_point now, std::chrono::seconds valid_for);

struct Token {
  WallClock::time_point issued;
  WallClock::time_point ends;
};

// Why a token does not let a device join at `now`; empty when it does. `token`, where it is one of this
// coordinator's for this device, is what it says.
std::string refuse_token(const KeyPair& coordinator, const std::string& device,
                         const std::string& text, WallClock::time_point now, Token* token);

}  // namespace lingua
