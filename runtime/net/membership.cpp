#include "runtime/net/membership.h"

namespace lingua::internal {

bool Membership::has_key_of(const DeviceName& name, const Incoming& incoming) const {
  if (guard == nullptr) return true;
  const auto peer = peers.find(name);
  return peer != peers.end() && incoming.key && peer->second.public_key == incoming.key;
}

DeviceName Membership::sender(const Incoming& incoming) const {
  if (incoming.identity.empty())
    return kCoordinator;  // the connection's other end has proved its key
  const auto known = identities.find(incoming.identity);
  if (known == identities.end() || !has_key_of(known->second, incoming)) return "";
  return known->second;
}

void Membership::forget(const DeviceName& name) {
  connections.erase(name);
  peers.erase(name);
  std::erase_if(identities, [&](const auto& item) {
    if (item.second == name) inbox->identify(item.first, "");
    return item.second == name;
  });
}

}  // namespace lingua::internal
