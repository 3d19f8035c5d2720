#pragma once
// Where a user's own key and what is known of others' stand: key, known_devices, known_coordinators.
//
// Errors: InputError names the file.

#include <filesystem>
#include <string>

#include "runtime/trust/keys.h"

namespace lingua {

class KeyFolder {
 public:
  // Empty: $XDG_CONFIG_HOME/lingua, or ~/.config/lingua.
  explicit KeyFolder(const std::string& folder = "");

  std::filesystem::path key_file() const { return folder_ / "key"; }
  std::filesystem::path known_devices() const { return folder_ / "known_devices"; }
  std::filesystem::path known_coordinators() const { return folder_ / "known_coordinators"; }

  bool has_key() const;
  // Makes one where there is none. `made`: whether that was so.
  KeyPair own_key(bool* made = nullptr) const;
  // Another one in place of what is there.
  KeyPair replace_key() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace lingua
