#include "runtime/arrivals/trace_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/base/csv_cells.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr std::uint64_t kMaxFileBytes = 256 << 20;
constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::string_view kOurColumns = "arrival_s,prompt_tokens,output_tokens";
constexpr std::string_view kAzureColumns = "TIMESTAMP,ContextTokens,GeneratedTokens";
constexpr std::string_view kMooncakeMembers =
    "{\"timestamp\": MS, \"input_length\": TOKENS, \"output_length\": TOKENS}";

std::string shown(std::string_view value) { return one_line(value, 60); }

// The arrivals of a file as its lines give them, each checked.
class Arrivals {
 public:
  explicit Arrivals(std::string file) : file_(std::move(file)) {}

  void at_line(std::size_t line) { line_ = line; }

  InputError error(const std::string& message) const {
    return InputError(fmt::format("{}:{}: {}", file_, line_, message));
  }
  InputError refused(std::string_view field, std::string_view value,
                     const std::string& accepted) const {
    return error(fmt::format("{}: '{}' is not accepted; write {}", field, shown(value), accepted));
  }

  // `written` is how the time stands in the file.
  void add(std::string_view time_field, std::string_view written, const Arrival& arrival) {
    if (!all_.empty() && arrival.at < all_.back().at) {
      throw error(fmt::format("{}: '{}' is before the request above it; sort the lines by time",
                              time_field, shown(written)));
    }
    if (all_.size() == kMostTraceRequests) {
      throw error(
          fmt::format("more than {} requests; at most that many are read", kMostTraceRequests));
    }
    all_.push_back(arrival);
  }

  std::vector<Arrival> take() {
    if (all_.empty()) throw error("no request stands in it; a trace has at least one");
    return std::move(all_);
  }

 private:
  std::string file_;
  std::size_t line_ = 1;
  std::vector<Arrival> all_;
};

// Calls line(text) for each line with its number set, CR at the end or not.
template <typename Line>
void for_each_line(std::string_view text, Arrivals& arrivals, const Line& line) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    arrivals.at_line(number);
    if (end > kMaxLineBytes) {
      throw arrivals.error(fmt::format("has {} bytes; a line has at most {}", end, kMaxLineBytes));
    }
    line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

template <typename Number>
Number parse_number(const Arrivals& arrivals, std::string_view field, std::string_view text,
                    Number least, Number most, std::string_view what) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !(value >= least && value <= most)) {
    throw arrivals.refused(field, text, fmt::format("{} from {} to {}", what, least, most));
  }
  return value;
}

std::int64_t parse_tokens(const Arrivals& arrivals, std::string_view field, std::string_view text) {
  return parse_number<std::int64_t>(arrivals, field, text, 1, kMostTraceTokens, "a whole number");
}

// Whole days, and the hundreds of nanoseconds of them.
struct Moment {
  std::chrono::sys_days day;
  std::int64_t ticks = 0;
};
constexpr double kTicksPerSecond = 1e7;

// "2023-11-16 18:17:03.9799600": seven digits of a second or fewer.
std::optional<Moment> parse_moment(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00 00:00:00";
  constexpr std::size_t kMostDigits = 7;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (i >= text.size()) return std::nullopt;
    if (kForm[i] == '0' ? !is_digit(text[i]) : text[i] != kForm[i]) return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = 10 * value + (text[at + i] - '0');
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hours = number(11, 2);
  const int minutes = number(14, 2);
  const int seconds = number(17, 2);
  if (!date.ok() || hours > 23 || minutes > 59 || seconds > 59) return std::nullopt;
  std::int64_t ticks = (hours * 60 + minutes) * 60 + seconds;
  const std::string_view rest = text.substr(kForm.size());
  if (!rest.empty() && (rest[0] != '.' || rest.size() == 1 || rest.size() > kMostDigits + 1)) {
    return std::nullopt;
  }
  for (std::size_t i = 1; i <= kMostDigits; ++i) {
    const char digit = i < rest.size() ? rest[i] : '0';
    if (!is_digit(digit)) return std::nullopt;
    ticks = 10 * ticks + (digit - '0');
  }
  return Moment{std::chrono::sys_days(date), ticks};
}

Seconds between(const Moment& first, const Moment& second) {
  const std::chrono::days days = second.day - first.day;
  return Seconds(std::chrono::duration_cast<std::chrono::duration<double>>(days).count() +
                 static_cast<double>(second.ticks - first.ticks) / kTicksPerSecond);
}

// A file of Azure's: its times are dates, and the first of them is 0.
class AzureTimes {
 public:
  Seconds at(const Arrivals& arrivals, std::string_view field, std::string_view text) {
    const std::optional<Moment> moment = parse_moment(text);
    if (!moment) {
      throw arrivals.refused(field, text, "a time such as 2023-11-16 18:17:03.9799600");
    }
    if (!first_) first_ = moment;
    return between(*first_, *moment);
  }

 private:
  std::optional<Moment> first_;
};

std::vector<Arrival> parse_csv(std::string_view text, Arrivals& arrivals) {
  CsvCells cells;
  AzureTimes times;
  std::vector<std::string> columns;
  bool azure = false;
  for_each_line(text, arrivals, [&](std::string_view line) {
    const std::vector<std::string>* cells_of_line = cells.of(line);
    if (cells_of_line == nullptr) {
      throw arrivals.error(
          fmt::format("'{}' is no line of CSV: a quote does not match", shown(line)));
    }
    const std::vector<std::string>& row = *cells_of_line;
    if (row.empty()) return;
    if (columns.empty()) {
      columns = row;
      const std::string names = fmt::format("{}", fmt::join(row, ","));
      azure = names == kAzureColumns;
      if (azure || names == kOurColumns) return;
      throw arrivals.error(
          fmt::format("'{}' begins no trace; the first line is {}, or {}, or JSON: {}",
                      shown(names), kOurColumns, kAzureColumns, kMooncakeMembers));
    }
    if (row.size() != columns.size()) {
      throw arrivals.error(fmt::format("'{}' has {} columns; write {}: {}", shown(line), row.size(),
                                       columns.size(), fmt::join(columns, ",")));
    }
    Arrival arrival;
    arrival.at = azure ? times.at(arrivals, columns[0], row[0])
                       : Seconds(parse_number<double>(arrivals, columns[0], row[0], 0,
                                                      kMostTraceSeconds, "a number of seconds"));
    arrival.prompt_tokens = parse_tokens(arrivals, columns[1], row[1]);
    arrival.output_tokens = parse_tokens(arrivals, columns[2], row[2]);
    arrivals.add(columns[0], row[0], arrival);
  });
  return arrivals.take();
}

using Json = nlohmann::json;

// A number or text as it stands; of anything else only what it is, for it may be large and deep.
std::string json_text_of(const Json& value) {
  if (value.is_number()) return value.dump();
  return value.is_string() ? value.get<std::string>() : value.type_name();
}

const Json& member(const Arrivals& arrivals, const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) {
    throw arrivals.error(fmt::format("{}: is missing; write {}", name, kMooncakeMembers));
  }
  return *found;
}

std::int64_t json_tokens(const Arrivals& arrivals, const Json& object, const char* name) {
  const Json& value = member(arrivals, object, name);
  // Of integers alone, which the text of a number is read as again: 1e3 and 1.5 are none.
  if (!value.is_number_integer()) {
    throw arrivals.refused(name, json_text_of(value),
                           fmt::format("a whole number from 1 to {}", kMostTraceTokens));
  }
  return parse_tokens(arrivals, name, json_text_of(value));
}

std::vector<Arrival> parse_json_lines(std::string_view text, Arrivals& arrivals) {
  constexpr double kMsPerSecond = 1000;
  for_each_line(text, arrivals, [&](std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    Json object;
    try {
      object = Json::parse(line);
    } catch (const Json::exception&) {
      throw arrivals.error(fmt::format("'{}' is no JSON; write {}", shown(line), kMooncakeMembers));
    }
    if (!object.is_object()) {
      throw arrivals.error(
          fmt::format("'{}' is no object; write {}", shown(line), kMooncakeMembers));
    }
    const Json& time = member(arrivals, object, "timestamp");
    const double ms = time.is_number() ? time.get<double>() : -1;
    if (!(ms >= 0 && ms <= kMostTraceSeconds * kMsPerSecond)) {
      throw arrivals.refused(
          "timestamp", json_text_of(time),
          fmt::format("a number of milliseconds from 0 to {}", kMostTraceSeconds * kMsPerSecond));
    }
    arrivals.add("timestamp", json_text_of(time),
                 {Seconds(ms / kMsPerSecond), json_tokens(arrivals, object, "input_length"),
                  json_tokens(arrivals, object, "output_length")});
  });
  return arrivals.take();
}

}  // namespace

RequestTrace parse_trace(std::string_view text, const std::string& file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Arrivals arrivals(file);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string_view::npos && text[first] == '{';
  RequestTrace trace;
  trace.name = std::filesystem::path(file).stem().string();
  trace.source = file;
  trace.arrivals = json ? parse_json_lines(text, arrivals) : parse_csv(text, arrivals);
  return trace;
}

RequestTrace read_trace(const std::filesystem::path& file) {
  return parse_trace(read_file(file, kMaxFileBytes), file.string());
}

std::string trace_csv(const RequestTrace& trace) {
  LINGUA_CHECK(trace.clients == 0, "a closed loop has no times");
  std::string text = fmt::format("{}\n", kOurColumns);
  for (const Arrival& arrival : trace.arrivals) {
    fmt::format_to(std::back_inserter(text), "{},{},{}\n", arrival.at.count(),
                   arrival.prompt_tokens, arrival.output_tokens);
  }
  return text;
}

void write_trace(const RequestTrace& trace, const std::filesystem::path& file) {
  write_file_atomically(file, [&](std::ostream& out) { out << trace_csv(trace); });
}

}  // namespace lingua
