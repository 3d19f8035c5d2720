#include "runtime/trust/admission.h"

#include <fmt/format.h>

#include "runtime/base/plain_text.h"

namespace lingua {

Admission::Admission(const KeyPair& self, std::filesystem::path known)
    : self_(self), known_(std::move(known)) {
  KnownKeys check(known_);
}

bool Admission::knows(const std::string& device) const {
  return KnownKeys(known_).find(device).has_value();
}

std::string Admission::invite(const std::string& device, std::chrono::seconds valid_for) const {
  return make_token(self_, device, WallClock::now(), valid_for);
}

std::string Admission::refusal(const PublicKey& key, const std::string& device,
                               const std::string& token) const {
  const std::string name = one_line(device);
  const KnownKeys known(known_);
  if (known.is_revoked(key)) {
    return fmt::format(
        "the key {} of '{}' was revoked; make it a new one: lingua keys new --replace",
        key.fingerprint(), name);
  }
  if (const auto before = known.find(device)) {
    if (*before == key) return "";
    return fmt::format(
        "'{}' has another key than the last time: {}, not {}. Either it made itself a new one or "
        "somebody else wants its name; if it is meant, write here: lingua keys revoke '{}'",
        name, key.fingerprint(), before->fingerprint(), name);
  }
  Token given;
  const std::string why = refuse_token(self_, device, token, WallClock::now(), &given);
  if (!why.empty()) return fmt::format("'{}' may not join: {}", name, why);
  const auto revoked = known.revoked_at(device);
  if (revoked && given.issued <= *revoked) {
    return fmt::format("'{}' may not join: its token was made before it was revoked", name);
  }
  return "";
}

void Admission::remember(const PublicKey& key, const std::string& device) const {
  KnownKeys(known_).add(device, key);
}

}  // namespace lingua
