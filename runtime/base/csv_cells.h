#pragma once
// The cells of a line of CSV (RFC 4180), by libcsv: who includes this links it.
//
// Nothing is kept between lines: a quoted cell ends in the line in which it begins. Spaces around a cell
// without quotes count for nothing.
// Errors: WorldError without memory.

#include <csv.h>

#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/errors.h"

namespace lingua {

class CsvCells {
 public:
  CsvCells() {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw WorldError("out of memory");
  }
  ~CsvCells() { csv_free(&parser_); }
  CsvCells(const CsvCells&) = delete;
  CsvCells& operator=(const CsvCells&) = delete;

  // None for an empty line; null where a quote does not match. Valid until the next call.
  const std::vector<std::string>* of(std::string_view line) {
    cells_.clear();
    const std::size_t read = csv_parse(&parser_, line.data(), line.size(), take, nullptr, this);
    const bool whole = read == line.size() && csv_fini(&parser_, take, nullptr, this) == 0;
    return whole ? &cells_ : nullptr;
  }

 private:
  static void take(void* bytes, std::size_t size, void* self) {
    static_cast<CsvCells*>(self)->cells_.emplace_back(static_cast<const char*>(bytes), size);
  }

  csv_parser parser_{};
  std::vector<std::string> cells_;
};

}  // namespace lingua
