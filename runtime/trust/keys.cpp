#include "runtime/trust/keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr std::string_view kHead = "lingua secret key 1\n";
constexpr std::size_t kKeyFileBytes = 1024;  // no key file is longer

void ready_sodium() {
  static const bool ready = sodium_init() >= 0;
  LINGUA_CHECK(ready, "libsodium does not start");
}

std::string_view view(const std::array<std::uint8_t, kKeyBytes>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw InputError(fmt::format("{}: {}", file.string(), why));
}

// Whose it is, and who else can read it.
void check_owner(const std::filesystem::path& file, int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) refuse(file, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) refuse(file, "is no regular file; a key stands in one");
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    refuse(file, "belongs to another user; a key must be its user's own");
  }
  if ((status.st_mode & 077) != 0) {
    refuse(file, fmt::format("others can read this key (mode {:04o}); write: chmod 600 {}",
                             status.st_mode & 07777, file.string()));
  }
}

std::string read_own_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) refuse(file, std::strerror(errno));
  const struct Close {
    int descriptor;
    ~Close() { ::close(descriptor); }
  } close{descriptor};
  check_owner(file, descriptor);
  std::string text(kKeyFileBytes, '\0');
  const ssize_t size = ::read(descriptor, text.data(), text.size());
  if (size < 0) refuse(file, std::strerror(errno));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// Gives a file its name unless there is one: 0, or the reason.
int place_new(const std::string& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != ENOSYS && errno != EINVAL) return errno;
  return ::link(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

std::string base64url(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  text.pop_back();  // the zero at its end
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::size_t length = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &length, nullptr,
                        sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
    return std::nullopt;
  }
  bytes.resize(length);
  return bytes;
}

std::string PublicKey::text() const { return base64url(view(bytes)); }

std::string PublicKey::fingerprint() const {
  std::array<unsigned char, crypto_generichash_BYTES> hash{};
  crypto_generichash(hash.data(), hash.size(), bytes.data(), bytes.size(), nullptr, 0);
  return fmt::format("{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3],
                     hash[4], hash[5]);
}

std::optional<PublicKey> public_key_of(std::string_view bytes) {
  PublicKey key;
  if (bytes.size() != kKeyBytes) return std::nullopt;
  std::memcpy(key.bytes.data(), bytes.data(), kKeyBytes);
  return key;
}

std::optional<PublicKey> parse_public_key(std::string_view text) {
  const auto bytes = from_base64url(text);
  return bytes ? public_key_of(*bytes) : std::nullopt;
}

KeyPair::~KeyPair() { sodium_memzero(secret.data(), secret.size()); }

KeyPair make_key_pair() {
  ready_sodium();
  KeyPair pair;
  crypto_box_keypair(pair.public_key.bytes.data(), pair.secret.data());
  return pair;
}

KeyPair read_key_file(const std::filesystem::path& file) {
  ready_sodium();
  std::string text = read_own_file(file);
  const auto end = text.find_last_not_of(" \r\n");
  text.resize(end == std::string::npos ? 0 : end + 1);
  if (!text.starts_with(kHead)) {
    refuse(file, fmt::format("is no key of lingua: its first line is not '{}'; make one with "
                             "`lingua keys new`",
                             kHead.substr(0, kHead.size() - 1)));
  }
  auto bytes = from_base64url(std::string_view(text).substr(kHead.size()));
  sodium_memzero(text.data(), text.size());
  if (!bytes || bytes->size() != kKeyBytes) {
    refuse(file, fmt::format("the key is cut or damaged: {} characters of base64url were expected",
                             (kKeyBytes * 8 + 5) / 6));
  }
  KeyPair pair;
  std::memcpy(pair.secret.data(), bytes->data(), kKeyBytes);
  sodium_memzero(bytes->data(), bytes->size());
  if (crypto_scalarmult_base(pair.public_key.bytes.data(), pair.secret.data()) != 0) {
    refuse(file, "the key is none of Curve25519");
  }
  return pair;
}

bool write_key_file(const std::filesystem::path& file, const KeyPair& pair) {
  std::error_code error;
  const std::filesystem::path folder = file.parent_path();
  if (!folder.empty() && !std::filesystem::exists(folder, error)) {
    std::filesystem::create_directories(folder, error);
    if (error) refuse(file, fmt::format("cannot be written: {}", error.message()));
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  // Whoever sees the file sees the whole of it.
  const std::string beside = fmt::format("{}.{:08x}.new", file.string(), randombytes_random());
  const int descriptor =
      ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) refuse(file, fmt::format("cannot be written: {}", std::strerror(errno)));
  std::string text = fmt::format("{}{}\n", kHead, base64url(view(pair.secret)));
  const bool whole =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(descriptor) == 0;
  sodium_memzero(text.data(), text.size());
  ::close(descriptor);
  const int reason = whole ? place_new(beside, file) : 0;
  std::filesystem::remove(beside, error);
  if (!whole) refuse(file, "cannot be written whole: is the disk full?");
  if (reason == 0) return true;
  if (reason == EEXIST) return false;
  refuse(file, fmt::format("cannot be written: {}", std::strerror(reason)));
}

}  // namespace lingua
