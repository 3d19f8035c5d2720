#include "runtime/cli/line_input.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace lingua {

bool LineInput::take_line(std::string& line) {
  const auto end = buffer_.find('\n');
  if (end == std::string::npos && !(at_end_ && !buffer_.empty())) return false;
  line = buffer_.substr(0, end);
  buffer_.erase(0, end == std::string::npos ? end : end + 1);
  return true;
}

bool LineInput::read(std::string& line, const std::function<bool()>& over) {
  constexpr int kLookMs = 100;
  std::array<char, 4096> piece{};
  while (!take_line(line)) {
    if (at_end_ || over()) return false;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, kLookMs) <= 0) continue;
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    at_end_ = got <= 0;
    if (got > 0) buffer_.append(piece.data(), static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace lingua
