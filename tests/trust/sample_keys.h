#pragma once

#include <numeric>

#include "runtime/trust/keys.h"

namespace lingua {

// The pair whose secret is 0, 1, ... 31, from an implementation of X25519 (RFC 7748, 5) in Python's integers.
inline constexpr const char* kSampleSecretText = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
inline constexpr const char* kSamplePublicText = "j0DFrbaPJWJK5bIU6nZ6bslNgp09e14a0bpvPiE4KF8";

inline KeyPair sample_pair() {
  KeyPair pair;
  std::iota(pair.secret.begin(), pair.secret.end(), 0);
  pair.public_key = *parse_public_key(kSamplePublicText);
  return pair;
}

}  // namespace lingua
