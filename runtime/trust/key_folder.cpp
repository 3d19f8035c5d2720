#include "runtime/trust/key_folder.h"

#include <fmt/format.h>

#include <cstdlib>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

std::filesystem::path default_folder() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return std::filesystem::path(config) / "lingua";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::filesystem::path(home) / ".config/lingua";
  throw InputError("there is no HOME to keep keys in; say where with `keys` FOLDER");
}

}  // namespace

KeyFolder::KeyFolder(const std::string& folder)
    : folder_(folder.empty() ? default_folder() : std::filesystem::path(folder)) {}

bool KeyFolder::has_key() const {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(key_file(), error));
}

KeyPair KeyFolder::own_key(bool* made) const {
  const bool is_new = !has_key() && write_key_file(key_file(), make_key_pair());
  if (made != nullptr) *made = is_new;
  return read_key_file(key_file());
}

KeyPair KeyFolder::replace_key() const {
  const KeyPair pair = make_key_pair();
  const std::filesystem::path next =
      folder_ / fmt::format("key.{}", pair.public_key.text().substr(0, 8));
  std::error_code error;
  LINGUA_CHECK(write_key_file(next, pair), "{} is there already", next.string());
  std::filesystem::rename(next, key_file(), error);
  if (!error) return pair;
  const std::string why = error.message();
  std::filesystem::remove(next, error);
  throw InputError(fmt::format("{}: cannot be replaced: {}", key_file().string(), why));
}

}  // namespace lingua
