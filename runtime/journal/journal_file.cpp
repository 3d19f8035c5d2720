#include "runtime/journal/journal_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

using std::chrono::steady_clock;

constexpr std::string_view kFirstLine = "lingua journal 1\n";
constexpr std::string_view kAnyFormat = "lingua journal ";
constexpr off_t kLargest = off_t{1} << 30;
constexpr std::chrono::seconds kSyncEvery{1};
constexpr std::chrono::seconds kPatience{1};  // with a process that is about to end

int open_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
  if (file < 0) {
    throw InputError(
        fmt::format("{}: cannot be opened as a journal: {}", path.string(), std::strerror(errno)));
  }
  return file;
}

}  // namespace

JournalFile::JournalFile(std::filesystem::path path, const JournalFacts& facts)
    : path_(std::move(path)), file_(open_file(path_)), synced_at_(steady_clock::now()) {
  try {
    lock();
    take(read(), facts);
  } catch (const Error&) {
    ::close(file_);
    throw;
  }
}

JournalFile::~JournalFile() {
  sync();
  ::close(file_);
}

void JournalFile::sync() {
  if (!std::exchange(is_synced_, true)) ::fdatasync(file_);
  synced_at_ = steady_clock::now();
}

void JournalFile::refuse(const std::string& why) const {
  throw InputError(fmt::format("{}: {}", path_.string(), why));
}

void JournalFile::lock() const {
  const auto until = steady_clock::now() + kPatience;
  while (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      refuse(fmt::format("cannot be locked: {}", std::strerror(errno)));
    if (steady_clock::now() > until) {
      throw WorldError(
          fmt::format("{}: is the journal of a run that is under way", path_.string()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string JournalFile::read() const {
  struct stat status {};
  if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode))
    refuse("is no file that a journal can be kept in");
  if (status.st_size > kLargest) {
    refuse(fmt::format("has {} bytes; a journal has {} at most", status.st_size, kLargest));
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got =
        ::pread(file_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) refuse(fmt::format("cannot be read whole: {}", std::strerror(errno)));
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

// Leaves the file at the end of what is whole.
void JournalFile::take(const std::string& bytes, const JournalFacts& facts) {
  const std::string beginning = std::string(kFirstLine) + encode(facts);
  std::size_t whole = 0;
  if (beginning.starts_with(bytes)) {  // new, or cut short before anything of a request was noted
    if (!bytes.empty() && bytes != beginning) left_out_ = "its beginning was cut short";
  } else if (!bytes.starts_with(kFirstLine)) {
    const bool is_journal = bytes.starts_with(kAnyFormat);
    refuse(is_journal
               ? fmt::format("is a journal of format {}; this program has format 1",
                             one_line(bytes.substr(
                                 kAnyFormat.size(),
                                 std::min(bytes.find('\n') - kAnyFormat.size(), std::size_t{20}))))
               : "is no journal; name one, or a file that is not there yet");
  } else {
    const std::size_t at = kFirstLine.size();
    const DecodedRecord first =
        at < bytes.size() ? decode_record(std::string_view(bytes).substr(at)) : DecodedRecord();
    const auto* there = std::get_if<JournalFacts>(&first.record);
    if (first.kind != DecodedRecord::Kind::kWhole || there == nullptr)
      refuse("is damaged where it says what it is the journal of; nothing of it is used");
    check_facts(*there, facts);
    whole = take_entries(bytes, at + first.bytes);
  }
  if (whole < bytes.size() && ::ftruncate(file_, static_cast<off_t>(whole)) != 0)
    refuse(fmt::format("cannot be cut to what is whole: {}", std::strerror(errno)));
  if (::lseek(file_, static_cast<off_t>(whole), SEEK_SET) < 0)
    refuse(fmt::format("cannot be written: {}", std::strerror(errno)));
  if (whole == 0) write(beginning);
}

// Returns where the first one stands that is not whole.
std::size_t JournalFile::take_entries(std::string_view bytes, std::size_t at) {
  while (at < bytes.size()) {
    const DecodedRecord next = decode_record(bytes.substr(at));
    std::string wrong;
    if (next.kind == DecodedRecord::Kind::kCutShort) {
      wrong = "its last record was cut short";
    } else if (next.kind == DecodedRecord::Kind::kDamaged) {
      wrong = "a record is damaged";
    } else if (const auto* entry = std::get_if<JournalEntry>(&next.record)) {
      const std::string why = history_.take(*entry);
      if (!why.empty()) wrong = "a record makes no sense there: " + why;
    } else {
      wrong = "a record makes no sense there";
    }
    if (!wrong.empty()) {
      left_out_ =
          fmt::format("{}; {} of {} bytes are left out", wrong, bytes.size() - at, bytes.size());
      return at;
    }
    at += next.bytes;
  }
  return at;
}

void JournalFile::check_facts(const JournalFacts& there, const JournalFacts& here) const {
  for (std::size_t i = 0; i < std::max(there.size(), here.size()); ++i) {
    const auto fact = [&](const JournalFacts& facts) {
      return i < facts.size() ? facts[i] : std::pair<std::string, std::string>();
    };
    const auto [name, was] = fact(there);
    const auto [name_here, is] = fact(here);
    if (name == name_here && was == is) continue;
    refuse(fmt::format("is the journal of another run: {} is '{}' there and '{}' here",
                       one_line(name_here.empty() ? name : name_here),
                       one_line(name == name_here || name_here.empty() ? was : ""), one_line(is)));
  }
}

void JournalFile::write(std::string_view bytes) {
  is_synced_ = false;
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) refuse(fmt::format("cannot be written whole: {}", std::strerror(errno)));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void JournalFile::append(const std::vector<JournalEntry>& entries) {
  std::string bytes;
  for (const JournalEntry& entry : entries) {
    const std::string wrong = history_.take(entry);
    LINGUA_CHECK(wrong.empty(), "{} is noted", wrong);
    bytes += encode(entry);
  }
  write(bytes);
  if (steady_clock::now() - synced_at_ >= kSyncEvery) sync();
}

}  // namespace lingua
