#include "runtime/cache/cache_process.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/signals.h"
#include "runtime/device/tensor.h"

namespace lingua {
namespace {

constexpr std::size_t kCopied = std::size_t{1} << 20;

// Reads a whole file. False where it has other bytes, or cannot be read.
bool read_content(int file, const Digest& digest, std::int64_t bytes, std::byte* out) {
  Hasher hasher;
  for (std::int64_t at = 0; at < bytes;) {
    const auto size = std::min(kCopied, static_cast<std::size_t>(bytes - at));
    const ssize_t got = ::pread(file, out + at, size, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    hasher.update(out + at, static_cast<std::size_t>(got));
    at += got;
  }
  return hasher.value() == digest;
}

// What is asked: to open a content, or to remove one that was found damaged.
struct Question {
  enum class Kind : std::uint8_t { kOpen, kRemove };
  std::int64_t bytes = 0;
  Digest digest;
  Kind kind = Kind::kOpen;
};
static_assert(std::is_trivially_copyable_v<Question>);

// False at the end of what comes, or where the other end is gone.
bool read_all(int socket, void* data, std::size_t bytes) {
  auto* to = static_cast<std::byte*>(data);
  while (bytes > 0) {
    const ssize_t got = ::recv(socket, to, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

bool send_all_of(int socket, const void* data, std::size_t bytes) {
  const auto* from = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t sent = ::send(socket, from, bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    from += sent;
    bytes -= static_cast<std::size_t>(sent);
  }
  return true;
}

// One byte, with the descriptor where there is one.
bool send_descriptor(int socket, int file) {
  char found = file >= 0 ? 1 : 0;
  iovec part{&found, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof file)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (file >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof file);
    std::memcpy(CMSG_DATA(header), &file, sizeof file);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

int receive_descriptor(int socket) {
  char found = 0;
  int file = -1;
  iovec part{&found, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof file)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  const cmsghdr* header = got == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS)
    std::memcpy(&file, CMSG_DATA(header), sizeof file);
  return file;
}

// ---- in the process of its own ----

void answer(int socket, const ContentFolder& folder) {
  Question question;
  while (read_all(socket, &question, sizeof question)) {
    if (question.kind == Question::Kind::kRemove) {
      folder.remove(question.digest);
      continue;
    }
    const int file = folder.open(question.digest, question.bytes);
    const bool sent = send_descriptor(socket, file);
    if (file >= 0) ::close(file);
    if (!sent) return;
  }
}

using Say = std::function<void(const std::string& line)>;

void store(int socket, ContentFolder& folder, const Say& say) {
  std::vector<std::byte> piece(kCopied);
  std::int64_t bytes = 0;
  bool told = false;
  while (read_all(socket, &bytes, sizeof bytes)) {
    if (bytes < 0) return;
    std::optional<ContentWriter> writer;
    Hasher hasher;
    const auto attempt = [&](const auto& work) {
      try {
        work();
      } catch (const InputError& error) {
        writer.reset();
        if (!std::exchange(told, true) && say)
          say(fmt::format("not all weights are kept for the next run: {}", error.what()));
      }
    };
    if (folder.fits(bytes)) attempt([&] { writer.emplace(folder); });
    while (bytes > 0) {
      const std::size_t size = std::min(kCopied, static_cast<std::size_t>(bytes));
      if (!read_all(socket, piece.data(), size)) return;
      if (writer) attempt([&] { writer->append(piece.data(), size); });
      if (writer) hasher.update(piece.data(), size);
      bytes -= static_cast<std::int64_t>(size);
    }
    if (writer) attempt([&] { writer->finish(hasher.value()); });
  }
}

[[noreturn]] void serve(int questions, int contents, ContentFolder& folder, const Say& say) {
  std::thread reader([&] { answer(questions, folder); });
  store(contents, folder, say);
  ::shutdown(questions, SHUT_RDWR);  // a worker that keeps nothing any more asks for nothing
  reader.join();
  _exit(0);
}

}  // namespace

CacheProcess::CacheProcess(const ContentFolder::Options& options, const Say& say) {
  ContentFolder folder(options);
  std::array<int, 2> asks{};
  std::array<int, 2> gives{};
  const auto refuse = [](const char* what) {
    throw WorldError(fmt::format("{}: {}", what, std::strerror(errno)));
  };
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, asks.data()) != 0 ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gives.data()) != 0)
    refuse("cannot make a pair of sockets");
  const pid_t child = fork_with_signals();
  if (child < 0) refuse("cannot start a process");
  if (child == 0) {
    ::close(asks[0]);
    ::close(gives[0]);
    serve(asks[1], gives[1], folder, say);
  }
  ::close(asks[1]);
  ::close(gives[1]);
  asks_ = asks[0];
  gives_ = gives[0];
  sender_ = std::thread([this] { send_all(); });
}

CacheProcess::~CacheProcess() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  sender_.join();
  ::shutdown(gives_, SHUT_WR);
  char nothing = 0;
  read_all(gives_, &nothing, 1);  // returns when the process has ended: it sends none
  ::close(gives_);
  ::close(asks_);
}

std::shared_ptr<std::byte> CacheProcess::find(const Digest& digest, std::int64_t bytes) {
  Question question{bytes, digest, Question::Kind::kOpen};
  if (!send_all_of(asks_, &question, sizeof question)) return nullptr;
  const int file = receive_descriptor(asks_);
  if (file < 0) return nullptr;
  std::shared_ptr<std::byte> data = allocate_bytes(bytes);
  const bool is_whole = read_content(file, digest, bytes, data.get());
  ::close(file);
  if (is_whole) return data;
  question.kind = Question::Kind::kRemove;
  send_all_of(asks_, &question, sizeof question);
  return nullptr;
}

void CacheProcess::keep(std::shared_ptr<const std::byte> data, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  waiting_.push_back({std::move(data), bytes});
  changed_.notify_one();
}

void CacheProcess::send_all() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Content content = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (!send_all_of(gives_, &content.bytes, sizeof content.bytes) ||
        !send_all_of(gives_, content.data.get(), static_cast<std::size_t>(content.bytes))) {
      lock.lock();
      gone_ = true;
      waiting_.clear();  // memory that weights may be retired from
      return;
    }
    lock.lock();
  }
}

}  // namespace lingua
