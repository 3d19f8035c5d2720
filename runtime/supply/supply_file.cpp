#include "runtime/supply/supply_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "runtime/base/csv_cells.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr std::uint64_t kMaxFileBytes = 64 << 20;
constexpr std::size_t kMaxLineBytes = 1 << 16;
constexpr double kLeastTemperature = -100;
constexpr double kMostTemperature = 200;

enum Column : std::size_t { kTime, kDevice, kSpeed, kBandwidth, kPresent, kBattery, kTemperature };
constexpr std::array<std::string_view, 7> kColumns = {
    "time_s", "device", "speed", "bandwidth", "present", "battery", "temperature_c"};

std::string shown(std::string_view value) { return one_line(value, 60); }

class Reader {
 public:
  Reader(const std::string& file, const ClusterSpec& cluster) : file_(file), cluster_(cluster) {
    supply_.name = std::filesystem::path(file).stem().string();
    supply_.source = file;
  }

  SupplyTrace read(std::string_view text) {
    for (line_ = 1; !text.empty(); ++line_) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (end > kMaxLineBytes)
        throw error(fmt::format("has {} bytes; a line has at most {}", end, kMaxLineBytes));
      take(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (columns_.empty())
      throw error(fmt::format("no columns stand in it; the first line is {}", all_columns()));
    return std::move(supply_);
  }

 private:
  static std::string all_columns() { return fmt::format("{}", fmt::join(kColumns, ",")); }

  InputError error(const std::string& message) const {
    return InputError(fmt::format("{}:{}: {}", file_, line_, message));
  }
  InputError refused(Column column, std::string_view value, const std::string& accepted) const {
    return error(fmt::format("{}: '{}' is not accepted; write {}", kColumns[column], shown(value),
                             accepted));
  }

  void take(std::string_view line) {
    const std::vector<std::string>* cells = cells_.of(line);
    if (cells == nullptr)
      throw error(fmt::format("'{}' is no line of CSV: a quote does not match", shown(line)));
    if (cells->empty()) return;
    if (columns_.empty()) return take_columns(*cells);
    if (cells->size() != columns_.size()) {
      throw error(fmt::format("'{}' has {} columns; the first line has {}", shown(line),
                              cells->size(), columns_.size()));
    }
    take_row(*cells);
  }

  void take_columns(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const auto found = std::find(kColumns.begin(), kColumns.end(), name);
      if (found == kColumns.end()) {
        throw error(fmt::format("'{}' is no column of a supply; the first line is {}", shown(name),
                                all_columns()));
      }
      const auto column = static_cast<Column>(found - kColumns.begin());
      if (has(column)) throw error(fmt::format("{}: stands there twice", name));
      columns_.push_back(column);
    }
    for (const Column column : {kTime, kDevice}) {
      if (!has(column)) {
        throw error(fmt::format("{}: this column is missing; the first line is {}",
                                kColumns[column], all_columns()));
      }
    }
  }
  bool has(Column column) const {
    return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
  }

  void take_row(const std::vector<std::string>& cells) {
    if (++rows_ > kMostSupplyRows)
      throw error(fmt::format("more than {} rows; at most that many are read", kMostSupplyRows));
    std::array<std::string_view, kColumns.size()> row;  // empty where there is no such column
    for (std::size_t c = 0; c < cells.size(); ++c) row[columns_[c]] = cells[c];
    const Seconds at(number(kTime, row[kTime], 0, kMostSupplySeconds));
    if (at < last_) {
      throw error(fmt::format("time_s: '{}' is before the row above it; sort the rows by time",
                              shown(row[kTime])));
    }
    last_ = at;
    const DeviceName device(row[kDevice]);
    if (cluster_.index_of(device) < 0) {
      throw refused(kDevice, row[kDevice],
                    fmt::format("a device of {}: {}", cluster_.name, cluster_.names()));
    }
    const auto known = [&](Column column, double least, double most) -> std::optional<double> {
      if (row[column].empty()) return std::nullopt;
      return number(column, row[column], least, most);
    };
    SupplyChange change;
    change.speed = known(kSpeed, kLeastSupplyFactor, kMostSupplyFactor);
    change.bandwidth = known(kBandwidth, kLeastSupplyFactor, kMostSupplyFactor);
    if (row[kPresent] == "true" || row[kPresent] == "false") {
      change.present = row[kPresent] == "true";
    } else if (!row[kPresent].empty()) {
      throw refused(kPresent, row[kPresent], "true or false");
    }
    change.battery = known(kBattery, 0, 1);
    change.temperature_c = known(kTemperature, kLeastTemperature, kMostTemperature);
    supply_.add(device, at, change);
  }

  double number(Column column, std::string_view text, double least, double most) const {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, value);
    if (failed != std::errc() || rest != end || !(value >= least && value <= most))
      throw refused(column, text, fmt::format("a number from {} to {}", least, most));
    return value;
  }

  const std::string& file_;
  const ClusterSpec& cluster_;
  SupplyTrace supply_;
  CsvCells cells_;
  std::vector<Column> columns_;
  std::size_t line_ = 1;
  std::size_t rows_ = 0;
  Seconds last_{0};
};

struct Row {
  const DeviceName* device;
  DeviceState before;
  const SupplyPoint* point;
};

// Those of its cells that change.
std::string text_of(const Row& row) {
  const DeviceState& now = row.point->state;
  const DeviceState& before = row.before;
  const auto cell = [](const auto& value, const auto& was) {
    return value == was ? std::string() : fmt::format("{}", value);
  };
  const auto known = [](const std::optional<double>& value, const std::optional<double>& was) {
    return value == was || !value ? std::string() : fmt::format("{}", *value);
  };
  return fmt::format("{},{},{},{},{},{},{}\n", row.point->from.count(), *row.device,
                     cell(now.speed, before.speed), cell(now.bandwidth, before.bandwidth),
                     cell(now.present, before.present), known(now.battery, before.battery),
                     known(now.temperature_c, before.temperature_c));
}

}  // namespace

SupplyTrace parse_supply(std::string_view text, const std::string& file,
                         const ClusterSpec& cluster) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return Reader(file, cluster).read(text);
}

SupplyTrace read_supply(const std::filesystem::path& file, const ClusterSpec& cluster) {
  return parse_supply(read_file(file, kMaxFileBytes), file.string(), cluster);
}

std::string supply_csv(const SupplyTrace& supply) {
  std::vector<Row> rows;
  for (const auto& [device, points] : supply.devices()) {
    DeviceState before;
    for (const SupplyPoint& point : points) {
      rows.push_back({&device, before, &point});
      before = point.state;
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.point->from < b.point->from; });
  std::string text = fmt::format("{}\n", fmt::join(kColumns, ","));
  for (const Row& row : rows) text += text_of(row);
  return text;
}

}  // namespace lingua
