#include <fmt/format.h>
#include <sodium.h>

#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/trust/join_line.h"
#include "runtime/trust/known_keys.h"
#include "tests/fuzz/target.h"
#include "tests/support/memory_file.h"
#include "tests/trust/sample_keys.h"

namespace lingua::testing {
namespace {

const WallClock::time_point kNow{std::chrono::seconds(1'800'000'000)};
constexpr std::string_view kToBeSummed = "/SUM";

// A file in memory that only its owner can read.
const MemoryFile& own_file() {
  static const MemoryFile file;
  std::filesystem::permissions(
      file.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return file;
}

// With the check sum that it should have, which no fuzzer would guess.
std::string summed(const std::string& line) {
  if (!line.ends_with(kToBeSummed)) return line;
  const std::string text = line.substr(0, line.size() - kToBeSummed.size() + 1);
  std::array<unsigned char, crypto_generichash_BYTES> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  return text + base64url({reinterpret_cast<const char*>(hash.data()), 3});
}

void read_line(const std::string& bytes) {
  const JoinLine line = parse_join_line(bytes);
  LINGUA_CHECK(parse_join_line(line.text()).text() == line.text(), "{}", line.text());
  Token token;
  refuse_token(sample_pair(), line.device, line.token, kNow, &token);
}

void read_key(const std::string& bytes) {
  own_file().write(bytes);
  const PublicKey key = read_key_file(own_file().path()).public_key;
  LINGUA_CHECK(parse_public_key(key.text()) == key, "{}", key.fingerprint());
}

void read_known(const std::string& bytes) {
  own_file().write(bytes);
  const KnownKeys known(own_file().path());
  for (const auto& [name, key] : known.names()) {
    LINGUA_CHECK(unescape_name(escape_name(name)) == name && known.find(name) == key, "{}",
                 escape_name(name));
  }
  for (const KnownKeys::Revoked& one : known.revoked()) {
    LINGUA_CHECK(known.is_revoked(one.key) && known.revoked_at(one.name) >= one.when, "{}",
                 escape_name(one.name));
  }
}

void run(const std::string& bytes) {
  if (bytes.starts_with("lingua://")) return read_line(summed(bytes));
  if (bytes.starts_with("lingua secret")) return read_key(bytes);
  read_known(bytes);
}

std::vector<std::string> samples() {
  const std::string key = kSamplePublicText;
  std::vector<std::string> all = {
      fmt::format("lingua secret key 1\n{}\n", kSampleSecretText), "",
      fmt::format(
          "# devices\nknown phone1 {}\nknown Anna%27s%20phone {}\nrevoked b {} 1800000000\n", key,
          key, key),
      fmt::format("lingua://192.168.1.5:5555/a%2Fb/{}/AAEC/SUM", key)};
  for (const char* device : {"phone1", "\u0442\u0435\u0441\u0442", "a/b%"}) {
    const std::string token = make_token(sample_pair(), device, kNow, std::chrono::seconds(60));
    all.push_back(
        JoinLine{"tcp://phone.local:5555", device, sample_pair().public_key, token}.text());
  }
  return all;
}

}  // namespace

FuzzTarget trust_target() { return {"trust", run, samples}; }

}  // namespace lingua::testing
