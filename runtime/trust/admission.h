#pragma once
// Which devices a coordinator lets in, and under which name: by the key that they had the last time, or
// once by a token.
//
// A name belongs to one key until it is revoked. Threads: one at a time. Errors: as KnownKeys.

#include <chrono>
#include <filesystem>
#include <string>

#include "runtime/trust/join_line.h"
#include "runtime/trust/known_keys.h"

namespace lingua {

class Admission {
 public:
  // `known`: the file of devices that have joined before.
  Admission(const KeyPair& self, std::filesystem::path known);

  const KeyPair& self() const { return self_; }
  // It needs no token.
  bool knows(const std::string& device) const;

  // A token for a device that is not known, valid from now on.
  std::string invite(const std::string& device, std::chrono::seconds valid_for) const;

  // Why whoever has this key may not be `device`; empty when it may.
  std::string refusal(const PublicKey& key, const std::string& device,
                      const std::string& token) const;
  // It was taken in: the name is its. Errors: InputError when that cannot be written, or has changed meanwhile.
  void remember(const PublicKey& key, const std::string& device) const;

 private:
  KeyPair self_;
  std::filesystem::path known_;  // read each time: others may have changed it
};

}  // namespace lingua
