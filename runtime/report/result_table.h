#pragma once
// Results of a sweep, one row per point, as reports take them: what was varied, what came out, what failed,
// and how to get each row again.
//
// Units: a column names its own; values stand in it. Times of pictures in seconds.
// Text may be anything: whoever writes it into a page or a picture escapes it.
// Threads: plain values.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lingua {

// Nothing (no such setting, or no result), a number, or a text.
using ResultValue = std::variant<std::monostate, double, std::string>;

enum class ColumnKind {
  kAxis,    // varied on purpose
  kResult,  // came out
  kSeed,    // varied to repeat: rows that differ in seeds only are samples of one thing
};

struct ResultColumn {
  std::string name = {};
  std::string unit = {};  // "s"; empty where there is none
  ColumnKind kind = ColumnKind::kResult;
};

// A plan or a timeline of a row, or a figure, as SVG that stands alone.
struct TitledPicture {
  std::string title = {};
  std::string svg = {};
};

inline constexpr const char* kDone = "done";  // the state of a row that has its results

struct ResultRow {
  std::int64_t id = 0;
  std::vector<ResultValue> values = {};  // one for each column
  std::string state = kDone;
  std::string reason = {};  // why it has no results
  std::vector<TitledPicture> pictures = {};

  bool done() const { return state == kDone; }
};

// What makes the numbers again.
struct Reproduction {
  std::string program_version = {};
  std::string spec = {};  // the text of the sweep's file
  std::string database =
      {};  // the file of the results, as it was named: "lingua rerun DATABASE ID"
};

struct ResultTable {
  std::string title = {};
  std::vector<ResultColumn> columns = {};
  std::vector<ResultRow> rows = {};
  Reproduction reproduction = {};

  // Throws InputError that names the columns there are.
  std::size_t column(const std::string& name) const;
};

// "TTFT (s)".
std::string column_title(const ResultColumn& column);

// Up to six significant digits; "-" for nothing.
std::string value_text(const ResultValue& value);

// One line for a shell, with the file's name quoted where it must be.
std::string rerun_command(const Reproduction& reproduction, std::int64_t id);

// Of one column, each once: numbers ascending, then texts in the order of the rows, which is that of a sweep's
// file, then nothing.
std::vector<ResultValue> distinct_values(const ResultTable& table, std::size_t column);

// Which part of a table a plot shows.
struct PlotChoice {
  std::string x = {};       // a column
  std::string y = {};       // a column of numbers
  std::string series = {};  // a column, or empty: all is one series
  // Only rows with these values in these columns.
  std::vector<std::pair<std::string, ResultValue>> held = {};
};

// The rows of one x and one series.
struct PlotGroup {
  ResultValue x = {};
  ResultValue series = {};
  std::vector<double> values = {};  // of y, in the order of the rows
  std::vector<std::int64_t> rows = {};
};

// Order: by series, then x, each as distinct_values has them.
// Rows that are not done, that lack x, or whose y is no finite number, are left out.
// Errors: InputError where a column is unknown, or where rows of one group differ in an axis that is neither
// x, series nor held, because their mean would mix what was varied on purpose: it names the axis.
std::vector<PlotGroup> plot_groups(const ResultTable& table, const PlotChoice& choice);

}  // namespace lingua
