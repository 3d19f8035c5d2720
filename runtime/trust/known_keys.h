#pragma once
// Which key a name had the last time, as ssh's known_hosts: devices by name on a coordinator, coordinators
// by address on a device.
//
// A file of lines "known NAME KEY" and "revoked NAME KEY SECONDS", names written as in URLs, for people to
// read; each change reads it again, replaces it as a whole and is alone in doing so, whatever other
// processes do. Threads: one at a time. Errors: InputError names the file and line.

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/trust/keys.h"

namespace lingua {

class KnownKeys {
 public:
  using Time = std::chrono::system_clock::time_point;
  struct Revoked {
    std::string name;
    PublicKey key;
    Time when;
  };

  // A file that is not there knows nobody.
  explicit KnownKeys(std::filesystem::path file);

  const std::filesystem::path& file() const { return file_; }
  const std::map<std::string, PublicKey>& names() const { return content_.names; }
  const std::vector<Revoked>& revoked() const { return content_.revoked; }

  std::optional<PublicKey> find(const std::string& name) const;
  bool is_revoked(const PublicKey& key) const;
  // When the name lost its key the last time.
  std::optional<Time> revoked_at(const std::string& name) const;

  // Errors: InputError also where the name has another key, or this one is revoked.
  void add(const std::string& name, const PublicKey& key);
  // The name is free for another key, and its own is never taken again. False where it has none.
  bool revoke(const std::string& name, Time now);
  // As if it had never been seen. False where it has no key.
  bool forget(const std::string& name);

 private:
  class Change;
  struct Content {
    std::map<std::string, PublicKey> names;
    std::vector<Revoked> revoked;
  };
  Content read() const;
  void write(const Content& content) const;

  std::filesystem::path file_;
  Content content_;
};

// Names in one word, as in URLs, and back; nothing where it is none.
std::string escape_name(std::string_view name);
std::optional<std::string> unescape_name(std::string_view text);

}  // namespace lingua
