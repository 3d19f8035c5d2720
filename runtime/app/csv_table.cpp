#include "runtime/app/csv_table.h"

#include <csv.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/text/tokenizer.h"

namespace lingua {
namespace {

constexpr std::uint64_t kMaxBytes = 256 << 20;

struct Rows {
  std::vector<std::vector<std::string>> done;
  std::vector<std::string> cells;  // of the row that is being read

  static void take_cell(void* bytes, std::size_t size, void* rows) {
    static_cast<Rows*>(rows)->cells.emplace_back(static_cast<const char*>(bytes), size);
  }
  static void end_row(int, void* rows) {
    auto* self = static_cast<Rows*>(rows);
    self->done.push_back(std::move(self->cells));
    self->cells.clear();
  }
};

// All rows, the first included.
std::vector<std::vector<std::string>> parse(const std::string& text, const std::string& file) {
  csv_parser parser;
  if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) throw WorldError("out of memory");
  const std::unique_ptr<csv_parser, void (*)(csv_parser*)> guard(&parser, csv_free);
  csv_set_space_func(&parser, [](unsigned char) { return 0; });  // cells keep theirs
  Rows rows;
  const std::size_t read =
      csv_parse(&parser, text.data(), text.size(), Rows::take_cell, Rows::end_row, &rows);
  if (read != text.size() || csv_fini(&parser, Rows::take_cell, Rows::end_row, &rows) != 0) {
    throw InputError(
        fmt::format("{}: row {}: {}; cells with quotes stand in quotes, and quotes in "
                    "them are doubled",
                    file, rows.done.size(), csv_strerror(csv_error(&parser))));
  }
  return std::move(rows.done);
}

}  // namespace

CsvTable::CsvTable(const std::string& file) : file_(file) {
  std::string text = read_file(file, kMaxBytes);
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  rows_ = parse(text, file);
  if (rows_.empty()) {
    throw InputError(fmt::format("{}: is empty; a row of column names is needed", file));
  }
  columns_ = std::move(rows_.front());
  rows_.erase(rows_.begin());
  for (const std::string& name : columns_) check_utf8(name, file + ": a column's name");
  if (std::set(columns_.begin(), columns_.end()).size() != columns_.size()) {
    throw InputError(
        fmt::format("{}: two columns have one name: {}", file, fmt::join(columns_, ", ")));
  }
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    if (rows_[r].size() != columns_.size()) {
      throw InputError(fmt::format("{}: row {} has {} cells; the table has {} columns", file, r + 1,
                                   rows_[r].size(), columns_.size()));
    }
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      check_utf8(rows_[r][c], fmt::format("{}: row {}, column '{}'", file, r + 1, columns_[c]));
    }
  }
}

bool CsvTable::has_column(const std::string& name) const {
  return std::find(columns_.begin(), columns_.end(), name) != columns_.end();
}

const std::string& CsvTable::cell(std::size_t row, const std::string& column) const {
  const auto found = std::find(columns_.begin(), columns_.end(), column);
  if (found == columns_.end()) {
    throw InputError(fmt::format("{}: has no column '{}'; there are {}", file_, column,
                                 fmt::join(columns_, ", ")));
  }
  return rows_.at(row)[static_cast<std::size_t>(found - columns_.begin())];
}

}  // namespace lingua
