#include "runtime/events/message_trace.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

constexpr std::string_view kTraceHeader =
    "time,what,from,to,kind,epoch,request,step,bytes,arrived\n";
constexpr std::size_t kSpoolBytes = 64 << 10;

// "Activations", as the compiler says it: whatever messages there are.
template <class Body>
constexpr std::string_view kind() {
  constexpr std::string_view kBefore = "Body = lingua::";
  const std::string_view text = __PRETTY_FUNCTION__;
  const std::size_t begin = text.find(kBefore) + kBefore.size();
  return text.substr(begin, text.find_first_of(";]", begin) - begin);
}
static_assert(kind<Activations>() == "Activations");

// kind,epoch,request,step
std::string facts_of(const MessageBody& message) {
  return std::visit(
      []<class Body>(const Body& body) {
        std::int64_t epoch = -1;
        std::int64_t request = -1;
        std::int64_t step = -1;
        if constexpr (requires { body.epoch; }) epoch = body.epoch;
        if constexpr (requires { body.request; }) request = body.request;
        if constexpr (requires { body.step_index; }) step = body.step_index;
        if constexpr (requires { body.index; }) step = body.index;  // of a token
        return fmt::format("{},{},{},{}", kind<Body>(), epoch, request, step);
      },
      message);
}

}  // namespace

MessageTrace::MessageTrace(std::function<double(const MessageBody&)> wire_bytes)
    : wire_bytes_(std::move(wire_bytes)), recent_(kTraceHeader), file_(open_unnamed_file()) {}

MessageTrace::~MessageTrace() { ::close(file_); }

void MessageTrace::sent(Mailbox& from, const DeviceName& to, const MessageBody& body) {
  const bool is_local = is_client(from.name()) || is_client(to);
  const double bytes = is_local ? 0 : wire_bytes_(body);
  const std::string facts = facts_of(body);
  const std::lock_guard lock(mutex_);
  append(
      fmt::format("{},sent,{},{},{},{},-1\n", from.now().count(), from.name(), to, facts, bytes));
}

void MessageTrace::received(Mailbox& by, const Message& message) {
  const std::string facts = facts_of(message.body);
  const std::lock_guard lock(mutex_);
  append(fmt::format("{},received,{},{},{},{},{}\n", by.now().count(), message.from, by.name(),
                     facts, message.wire_bytes, message.arrived.count()));
}

void MessageTrace::append(const std::string& line) {
  recent_ += line;
  if (recent_.size() >= kSpoolBytes) spool();
}

void MessageTrace::spool() {
  for (std::size_t done = 0; done < recent_.size() && error_ == 0;) {
    const ssize_t put = ::pwrite(file_, recent_.data() + done, recent_.size() - done,
                                 written_bytes_ + static_cast<std::int64_t>(done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) error_ = errno;
    done += static_cast<std::size_t>(std::max<ssize_t>(put, 0));
  }
  written_bytes_ += static_cast<std::int64_t>(recent_.size());
  recent_.clear();
}

std::string MessageTrace::text() {
  const std::lock_guard lock(mutex_);
  spool();
  std::string text(static_cast<std::size_t>(written_bytes_), '\0');
  for (std::size_t done = 0; done < text.size() && error_ == 0;) {
    const ssize_t got =
        ::pread(file_, text.data() + done, text.size() - done, static_cast<std::int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) error_ = got < 0 ? errno : EIO;
    done += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  if (error_ != 0) {
    throw InputError(fmt::format("the trace of messages cannot be kept in a temporary file: {}",
                                 std::strerror(error_)));
  }
  return text;
}

void merge_message_traces(const std::vector<std::istream*>& texts, std::ostream& out) {
  struct Next {
    std::istream* text;
    std::string line;
    double time = 0;

    bool read() {
      while (std::getline(*text, line)) {
        const char* end = line.data() + line.size();
        const auto [rest, error] = std::from_chars(line.data(), end, time);
        if (error == std::errc() && rest != end && *rest == ',') return true;
      }
      return false;
    }
  };
  std::vector<Next> nexts;
  for (std::istream* text : texts) {
    Next next{text, "", 0};
    if (next.read()) nexts.push_back(std::move(next));
  }
  out << kTraceHeader;
  while (!nexts.empty()) {
    const auto first = std::min_element(
        nexts.begin(), nexts.end(), [](const Next& a, const Next& b) { return a.time < b.time; });
    out << first->line << '\n';
    if (!first->read()) nexts.erase(first);
  }
}

void TracedMailbox::send(const DeviceName& to, MessageBody body) {
  trace_.sent(inner_, to, body);
  inner_.send(to, std::move(body));
}

std::optional<Message> TracedMailbox::receive(Seconds deadline) {
  auto message = inner_.receive(deadline);
  if (message) trace_.received(inner_, *message);
  return message;
}

}  // namespace lingua
