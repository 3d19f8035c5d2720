#include "runtime/trust/join_line.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/trust/known_keys.h"

namespace lingua {
namespace {

constexpr std::string_view kScheme = "lingua://";
constexpr std::size_t kLongestLine = 2000;
constexpr std::size_t kSumBytes = 3;
constexpr std::size_t kTimeBytes = 8;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kTokenBytes = 2 * kTimeBytes + kMacBytes;

std::string hash(std::string_view text, std::size_t bytes, const KeyPair* key = nullptr) {
  std::array<unsigned char, crypto_generichash_BYTES> out{};
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), key != nullptr ? key->secret.data() : nullptr,
                     key != nullptr ? key->secret.size() : 0);
  return {reinterpret_cast<const char*>(out.data()), bytes};
}

[[noreturn]] void refuse(const std::string& why) {
  throw InputError(fmt::format(
      "the join line {}; write it as the coordinator prints it: lingua://HOST:PORT/NAME/...", why));
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t end; (end = text.find('/')) != std::string_view::npos;) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

std::string big_endian(std::int64_t seconds) {
  std::string bytes(kTimeBytes, '\0');
  auto left = static_cast<std::uint64_t>(seconds);
  for (std::size_t i = kTimeBytes; i-- > 0; left >>= 8) bytes[i] = static_cast<char>(left & 0xff);
  return bytes;
}

std::int64_t from_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

std::int64_t seconds_of(WallClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string mac_of(const KeyPair& coordinator, std::string_view times, const std::string& device) {
  std::string text = "lingua join token 1\n";
  text += times;
  text += device;
  return hash(text, kMacBytes, &coordinator);
}

}  // namespace

std::string JoinLine::text() const {
  constexpr std::string_view kTcp = "tcp://";
  LINGUA_CHECK(address.starts_with(kTcp));
  std::string line = fmt::format("{}{}/{}/{}/{}/", kScheme, address.substr(kTcp.size()),
                                 escape_name(device), coordinator.text(), base64url(token));
  return line + base64url(hash(line, kSumBytes));
}

JoinLine parse_join_line(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  text.remove_prefix(std::min(first, text.size()));
  const auto last = text.find_last_not_of(" \t\r\n");
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  if (!text.starts_with(kScheme)) {
    refuse(fmt::format("begins with '{}' and not with {}", one_line(text.substr(0, 12)), kScheme));
  }
  if (text.size() > kLongestLine) refuse("is too long");
  const auto parts = split(text.substr(kScheme.size()));
  const auto sum_at = text.rfind('/') + 1;
  if (parts.size() != 5 || base64url(hash(text.substr(0, sum_at), kSumBytes)) != parts[4]) {
    refuse("is cut or mistyped: its check sum does not fit");
  }
  JoinLine line;
  line.address = fmt::format("tcp://{}", parts[0]);
  const auto name = unescape_name(parts[1]);
  const auto key = parse_public_key(parts[2]);
  const auto token = from_base64url(parts[3]);
  if (!name || name->empty()) refuse("names no device");
  if (!key) refuse("holds no key");
  if (!token) refuse("holds no token");
  line.device = *name;
  line.coordinator = *key;
  line.token = *token;
  return line;
}

std::string make_token(const KeyPair& coordinator, const std::string& device,
                       WallClock::time_point now, std::chrono::seconds valid_for) {
  std::string token = big_endian(seconds_of(now));
  token += big_endian(seconds_of(now + valid_for));
  token += mac_of(coordinator, token, device);
  return token;
}

std::string refuse_token(const KeyPair& coordinator, const std::string& device,
                         const std::string& text, WallClock::time_point now, Token* token) {
  constexpr std::int64_t kClockSlack = 60;
  if (text.empty()) return "it brings no token and its key is not known";
  const std::string_view times = std::string_view(text).substr(0, 2 * kTimeBytes);
  const std::string mac = mac_of(coordinator, times, device);
  if (text.size() != kTokenBytes ||
      sodium_memcmp(mac.data(), text.data() + 2 * kTimeBytes, kMacBytes) != 0) {
    return "its token is not one that this coordinator made for this device";
  }
  const std::int64_t issued = from_big_endian(times.substr(0, kTimeBytes));
  const std::int64_t ends = from_big_endian(times.substr(kTimeBytes));
  *token = {WallClock::time_point(std::chrono::seconds(issued)),
            WallClock::time_point(std::chrono::seconds(ends))};
  const std::int64_t time = seconds_of(now);
  if (time >= ends) {
    return fmt::format("its token ended {} seconds ago", time - ends);
  }
  if (issued > time + kClockSlack) {
    return fmt::format("its token was made {} seconds from now: this machine's clock was set back",
                       issued - time);
  }
  return "";
}

}  // namespace lingua
