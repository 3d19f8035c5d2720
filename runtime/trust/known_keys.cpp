#include "runtime/trust/known_keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sstream>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr std::uint64_t kMostBytes = 16 << 20;
constexpr std::int64_t kMostSeconds = 8'000'000'000;  // the year 2223; a clock counts to 2262

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

}  // namespace

std::string escape_name(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (is_plain(c)) {
      text += c;
    } else {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

std::optional<std::string> unescape_name(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    name += static_cast<char>(value);
    i += 2;
  }
  return name;
}

// Alone among all processes while it is there: changes a copy of what the file says now, and what is known only when
// that has been written.
class KnownKeys::Change {
 public:
  explicit Change(KnownKeys& keys) : keys_(keys), folder_(open_folder(keys.file_)) {
    content = keys.read();
  }

  void finish() {
    keys_.write(content);
    keys_.content_ = content;
  }

  Content content;

 private:
  // A descriptor that is closed.
  class Descriptor {
   public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    ~Descriptor() {
      if (number_ >= 0) ::close(number_);
    }
    int get() const { return number_; }

   private:
    int number_;
  };

  static Descriptor open_folder(const std::filesystem::path& file) {
    constexpr int kTries = 500;
    constexpr std::chrono::milliseconds kPause{10};
    const std::filesystem::path folder = file.parent_path();
    std::error_code error;
    if (std::filesystem::create_directories(folder, error)) {
      std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    }
    Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < kTries && descriptor.get() >= 0; ++i) {
      if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0) return descriptor;
      if (errno != EWOULDBLOCK && errno != EINTR) break;
      std::this_thread::sleep_for(kPause);
    }
    throw InputError(fmt::format("{}: cannot be written: {}", file.string(), std::strerror(errno)));
  }

  KnownKeys& keys_;
  Descriptor folder_;
};

KnownKeys::KnownKeys(std::filesystem::path file) : file_(std::move(file)), content_(read()) {}

KnownKeys::Content KnownKeys::read() const {
  Content content;
  struct stat status {};
  if (::stat(file_.c_str(), &status) != 0) {
    if (errno == ENOENT) return content;
    throw InputError(fmt::format("{}: {}", file_.string(), std::strerror(errno)));
  }
  if ((status.st_mode & 022) != 0) {
    throw InputError(fmt::format("{}: others can write to it (mode {:04o}); write: chmod go-w {}",
                                 file_.string(), status.st_mode & 07777, file_.string()));
  }
  std::istringstream lines(read_file(file_, kMostBytes));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    const auto refuse = [&](const std::string& why) {
      throw InputError(fmt::format("{}: line {}: {}", file_.string(), number, why));
    };
    std::istringstream words(line);
    std::string kind;
    std::string escaped;
    std::string text;
    words >> kind >> escaped >> text;
    std::int64_t when = 0;
    const bool whole = kind == "known" ||
                       (kind == "revoked" && words >> when && when >= 0 && when <= kMostSeconds);
    const auto name = unescape_name(escaped);
    const auto key = parse_public_key(text);
    std::string rest;
    if (!whole || !name || name->empty() || !key || words >> rest) {
      refuse(fmt::format("'{}' is neither 'known NAME KEY' nor 'revoked NAME KEY SECONDS'",
                         one_line(line, 80)));
    }
    if (kind == "revoked") {
      content.revoked.push_back({*name, *key, Time(std::chrono::seconds(when))});
    } else if (!content.names.emplace(*name, *key).second) {
      refuse(fmt::format("'{}' has a key already", one_line(*name)));
    }
  }
  return content;
}

void KnownKeys::write(const Content& content) const {
  write_file_atomically(file_, [&](std::ostream& out) {
    for (const auto& [name, key] : content.names) {
      out << "known " << escape_name(name) << ' ' << key.text() << '\n';
    }
    for (const Revoked& one : content.revoked) {
      out << "revoked " << escape_name(one.name) << ' ' << one.key.text() << ' '
          << std::chrono::duration_cast<std::chrono::seconds>(one.when.time_since_epoch()).count()
          << '\n';
    }
  });
  ::chmod(file_.c_str(), 0600);
}

std::optional<PublicKey> KnownKeys::find(const std::string& name) const {
  const auto found = names().find(name);
  if (found == names().end()) return std::nullopt;
  return found->second;
}

bool KnownKeys::is_revoked(const PublicKey& key) const {
  return std::any_of(revoked().begin(), revoked().end(),
                     [&](const Revoked& one) { return one.key == key; });
}

std::optional<KnownKeys::Time> KnownKeys::revoked_at(const std::string& name) const {
  std::optional<Time> last;
  for (const Revoked& one : revoked()) {
    if (one.name == name) last = std::max(last.value_or(one.when), one.when);
  }
  return last;
}

void KnownKeys::add(const std::string& name, const PublicKey& key) {
  Change change(*this);
  const auto refuse = [&](const char* why) {
    throw InputError(fmt::format("{}: meanwhile '{}' {}", file_.string(), one_line(name), why));
  };
  for (const Revoked& one : change.content.revoked) {
    if (one.key == key) refuse("has had its key revoked");
  }
  const auto [place, is_new] = change.content.names.emplace(name, key);
  if (!is_new && place->second != key) refuse("has been given another key");
  if (is_new) change.finish();
}

bool KnownKeys::revoke(const std::string& name, Time now) {
  Change change(*this);
  const auto found = change.content.names.find(name);
  if (found == change.content.names.end()) return false;
  change.content.revoked.push_back({name, found->second, now});
  change.content.names.erase(found);
  change.finish();
  return true;
}

bool KnownKeys::forget(const std::string& name) {
  Change change(*this);
  if (change.content.names.erase(name) == 0) return false;
  change.finish();
  return true;
}

}  // namespace lingua
