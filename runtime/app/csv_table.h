#pragma once
// Tables in comma-separated values, RFC 4180: a first row of column names, quotes around cells that
// hold commas, quotes or line breaks.
//
// Errors: InputError naming file, row and column: cells missing or too many, quotes that do not
// match, bytes that are no UTF-8, columns with one name.

#include <string>
#include <vector>

namespace lingua {

class CsvTable {
 public:
  explicit CsvTable(const std::string& file);

  std::size_t rows() const { return rows_.size(); }  // below the names
  bool has_column(const std::string& name) const;
  // Errors: InputError with the columns that there are.
  const std::string& cell(std::size_t row, const std::string& column) const;

 private:
  std::string file_;
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lingua
