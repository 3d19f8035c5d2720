#include "runtime/cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/qr_code.h"

namespace lingua {

std::string with_options(const std::string& text) {
  const auto is_of_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (text[at] == '`' && end < text.size() && is_of_name(text[end])) ++end;
    if (end > at + 1 && end < text.size() && text[end] == '`') {
      out += "--" + text.substr(at + 1, end - at - 1);
      at = end + 1;
    } else {
      out += text[at++];
    }
  }
  return out;
}

void tell_text(const std::string& text) {
  const std::string safe = printable(with_options(text));
  for (std::size_t at = 0; at < safe.size();) {
    const ssize_t written = ::write(STDERR_FILENO, safe.data() + at, safe.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    at += static_cast<std::size_t>(written);
  }
}

void show(const std::string& text) {
  const std::string safe = isatty(STDOUT_FILENO) ? printable(text) : "";
  const std::string& shown = safe.empty() ? text : safe;
  errno = 0;
  const bool written = std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size() &&
                       std::fflush(stdout) == 0;
  if (written) return;
  const int reason = errno;
  std::clearerr(stdout);
  throw InputError(
      fmt::format("standard output: cannot be written whole: {}", std::strerror(reason)));
}

namespace {

constexpr std::size_t kNarrow = 60;     // of a terminal's line, beside the label
std::atomic<bool> line_is_open{false};  // of a Progress, on a terminal

}  // namespace

Progress::~Progress() {
  if (open_ && isatty(STDERR_FILENO)) tell("\n");
  if (open_) line_is_open = false;
}

void Progress::make_way() {
  if (line_is_open) std::fputs("\r\033[K", stderr);
}

void Progress::update(double done, double total, const std::string& detail) {
  const double share = total > 0 ? done / total : 1;
  if (isatty(STDERR_FILENO)) {
    const int percent = static_cast<int>(share * 100);
    const auto now = Clock::now();
    const bool is_news = detail != last_detail_ && now >= drawn_ + std::chrono::seconds(1);
    if (percent == last_percent_ && !is_news) return;
    last_percent_ = percent;
    last_detail_ = detail;
    drawn_ = now;
    std::fprintf(stderr, "\r\033[K%s: %3d%% %s", one_line(label_).c_str(), percent,
                 one_line(detail, kNarrow).c_str());
    open_ = true;
    line_is_open = true;
    return;
  }
  const int tenth = static_cast<int>(share * 10);
  if (tenth == last_tenth_ || tenth % 5 != 0) return;
  last_tenth_ = tenth;
  tell("{}: {:3.0f}% {}\n", label_, share * 100, detail);
}

Audience terminal() {
  Audience audience;
  audience.say = [](const std::string& text) {
    Progress::make_way();
    tell_text(text);
  };
  audience.progress = [](const std::string& label) -> ProgressUpdate {
    return [progress = std::make_shared<Progress>(label)](double done, double total,
                                                          const std::string& detail) {
      progress->update(done, total, detail);
    };
  };
  audience.picture = [](const std::string& line) {
    // It has colours, which are our own.
    if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "{}", qr_code(line));
  };
  audience.rescue = show;
  return audience;
}

}  // namespace lingua
