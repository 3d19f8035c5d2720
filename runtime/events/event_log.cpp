#include "runtime/events/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <ostream>
#include <sstream>
#include <string_view>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr std::string_view kHeader = "who,what,segment,request,step,start,end,bytes";
constexpr std::size_t kColumns = 8;
constexpr std::uint64_t kMaxFileBytes = 1ULL << 30;
constexpr double kMaxSeconds = 1e9;      // which a timeline still holds in nanoseconds
constexpr std::size_t kShownBytes = 60;  // of a value that is refused
constexpr double kMaxBytes = 1e18;
constexpr std::array kDeviceKinds = {event::kLoad,   event::kCompute, event::kTransfer,
                                     event::kResult, event::kStep,    event::kRequest};
constexpr std::array kCoordinatorKinds = {event::kArrival, event::kMemory,   event::kMove,
                                          event::kSwitch,  event::kRecovery, event::kJoin};

void append_field(const std::string& field, std::string& text) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) {
    text += field;
    return;
  }
  text += '"';
  for (char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

void append_row(const EventRow& row, std::string& text) {
  append_field(row.who, text);
  text += ',';
  append_field(row.what, text);
  fmt::format_to(std::back_inserter(text), ",{},{},{},{},{},{}", row.segment, row.request, row.step,
                 row.start.count(), row.end.count(), row.bytes);
}

// Reads a table field by field; knows the line for messages.
class CsvReader {
 public:
  CsvReader(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  bool at_end() const { return at_ >= text_.size(); }

  // The fields of the next row.
  std::array<std::string, kColumns> row() {
    row_line_ = line_;
    std::array<std::string, kColumns> fields;
    for (std::size_t i = 0; i < kColumns; ++i) {
      const bool more = field(fields[i]);
      if (more != (i + 1 < kColumns)) {
        throw error(fmt::format("has {} columns; write {}",
                                more ? "more than 8" : std::to_string(i + 1), kHeader));
      }
    }
    return fields;
  }

  InputError error(const std::string& message) const {
    return InputError(fmt::format("{}:{}: {}", file_, row_line_, message));
  }

 private:
  // Reads one field; true when another follows in the row.
  bool field(std::string& out) {
    const bool quoted = !at_end() && text_[at_] == '"';
    if (quoted) {
      read_quoted(out);
    } else {
      const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
      out = text_.substr(at_, end - at_);
      at_ = end;
    }
    if (!at_end() && text_[at_] == ',') {
      ++at_;
      return true;
    }
    if (!at_end() && text_[at_] == '\r') ++at_;
    if (!at_end() && text_[at_] != '\n') throw error("text follows a closing quote");
    ++at_;
    ++line_;
    return false;
  }

  void read_quoted(std::string& out) {
    for (++at_; !at_end(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        if (at_end() || text_[at_] != '"') return;
      }
      line_ += text_[at_] == '\n';
      out += text_[at_];
    }
    throw error("a quoted field does not end");
  }

  std::string_view text_;
  std::string file_;
  std::size_t at_ = 0;
  int line_ = 1;
  int row_line_ = 1;
};

template <typename Number>
Number number(const CsvReader& reader, const char* column, const std::string& text, Number least,
              Number most) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !(value >= least && value <= most)) {
    throw reader.error(fmt::format("{}: '{}' is not accepted; write a number from {} to {}", column,
                                   one_line(text, kShownBytes), least, most));
  }
  return value;
}

EventRow parse_row(const CsvReader& reader, const std::array<std::string, kColumns>& fields) {
  EventRow row;
  row.who = fields[0];
  row.what = fields[1];
  if (row.who.empty()) throw reader.error("who: '' is not accepted; write a device");
  if (!event::is_kind(row.what)) {
    throw reader.error(fmt::format("what: '{}' is not known; write one of {}, {}",
                                   one_line(row.what, kShownBytes), fmt::join(kDeviceKinds, ", "),
                                   fmt::join(kCoordinatorKinds, ", ")));
  }
  row.segment =
      number<SegmentId>(reader, "segment", fields[2], -1, std::numeric_limits<SegmentId>::max());
  constexpr auto kMaxId = std::numeric_limits<std::int64_t>::max();
  row.request = number<std::int64_t>(reader, "request", fields[3], -1, kMaxId);
  row.step = number<std::int64_t>(reader, "step", fields[4], -1, kMaxId);
  row.start = Seconds(number<double>(reader, "start", fields[5], -kMaxSeconds, kMaxSeconds));
  row.end = Seconds(number<double>(reader, "end", fields[6], row.start.count(), kMaxSeconds));
  row.bytes = number<double>(reader, "bytes", fields[7], 0, kMaxBytes);
  return row;
}

}  // namespace

bool event::is_of_device(const std::string& what) {
  return std::find(kDeviceKinds.begin(), kDeviceKinds.end(), what) != kDeviceKinds.end();
}

bool event::is_kind(const std::string& what) {
  return is_of_device(what) || std::find(kCoordinatorKinds.begin(), kCoordinatorKinds.end(),
                                         what) != kCoordinatorKinds.end();
}

void EventLog::sort() {
  const auto key = [](const EventRow& row) {
    return std::tie(row.start, row.end, row.who, row.what, row.segment, row.request, row.step,
                    row.bytes);
  };
  // Rows are large and logs are long: their places are sorted, and each row moves once.
  struct Place {
    Seconds start;
    std::size_t row;
  };
  std::vector<Place> order;
  order.reserve(rows_.size());
  for (const EventRow& row : rows_) order.push_back({row.start, order.size()});
  std::sort(order.begin(), order.end(), [&](const Place& a, const Place& b) {
    if (a.start != b.start) return a.start < b.start;
    return std::pair(key(rows_[a.row]), a.row) < std::pair(key(rows_[b.row]), b.row);
  });
  for (std::size_t first = 0; first < order.size(); ++first) {
    EventRow row = std::move(rows_[first]);
    std::size_t at = first;  // whose row has gone: round a circle of places that take each other's
    for (std::size_t from = order[at].row; from != first; from = order[at].row) {
      rows_[at] = std::move(rows_[from]);
      order[at].row = at;
      at = from;
    }
    rows_[at] = std::move(row);
    order[at].row = at;
  }
}

void EventLog::write_csv(std::ostream& out) const {
  std::string line(kHeader);
  out << line << '\n';
  for (const EventRow& row : rows_) {
    line.clear();
    append_row(row, line);
    out << line << '\n';
  }
}

std::string EventLog::to_csv() const {
  std::ostringstream text;
  write_csv(text);
  return text.str();
}

std::string EventLog::csv_line(const EventRow& row) {
  std::string text;
  append_row(row, text);
  return text;
}

std::string EventLog::digest() const {
  LogDigest digest;
  for (const EventRow& row : rows_) digest.add(row);
  return digest.text();
}

void LogDigest::add(const EventRow& row) {
  const auto append = [&](const auto& numbers) {
    row_.append(reinterpret_cast<const char*>(numbers.data()), sizeof numbers);
  };
  row_ = row.who;
  row_ += row.what;
  append(std::array<std::int64_t, 4>{static_cast<std::int64_t>(row.who.size()), row.segment,
                                     row.request, row.step});
  append(std::array{row.start.count(), row.end.count(), row.bytes});
  sum_and_count_[0] += checksum(row_);
  ++sum_and_count_[1];
}

std::string LogDigest::text() const {
  return fmt::format("{:016x}", checksum({reinterpret_cast<const char*>(sum_and_count_.data()),
                                          sizeof sum_and_count_}));
}

void write_event_log(const EventLog& log, const std::filesystem::path& file) {
  write_file_atomically(file, [&](std::ostream& out) { log.write_csv(out); });
}

EventLog read_event_log(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMaxFileBytes);
  CsvReader reader(text, file.string());
  EventLog log;
  if (reader.at_end() || fmt::format("{}", fmt::join(reader.row(), ",")) != kHeader) {
    throw reader.error(fmt::format("an event log begins with the line {}", kHeader));
  }
  while (!reader.at_end()) log.add(parse_row(reader, reader.row()));
  return log;
}

}  // namespace lingua
